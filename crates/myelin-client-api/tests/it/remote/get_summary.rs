//! `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}` for rooms that this server is not in

use http::Method;
use myelin_testkit::{Answer, Peer, TestServer, User, encode, three_modes, three_modes_federated};
use serde_json::json;

three_modes!(asks_the_servers_named, tells_what_failed);
three_modes_federated!(tells_of_rooms_of_another_server);

const QUERY: &str = "/_matrix/federation/v1/hierarchy/";

async fn look(user: &User, room: &str, query: &str) -> Answer {
    let path = format!("/_matrix/client/v1/room_summary/{}{query}", encode(room));
    user.get(&path).await
}

async fn tells_of_rooms_of_another_server(here: &TestServer, there: &TestServer) {
    let alice = here.user("alice").await;
    let bob = there.user("bob").await;
    let body = json!({"preset": "public_chat", "name": "Tea", "room_alias_name": "tea"});
    let room = bob.create_room_with(body).await;
    let closed = bob.create_room().await;
    let via = "?via=there.example";
    let found = look(&alice, &room, via).await.ok();
    assert_eq!(found["name"], "Tea");
    assert_eq!(found["num_joined_members"], 1);
    assert_eq!(found["membership"], "leave");
    assert_eq!(look(&alice, "#tea:there.example", "").await.ok(), found);
    // Without a way there, a room id of version 12 leads nowhere.
    look(&alice, &closed, via).await.refused(404, "M_NOT_FOUND");
    look(&alice, "!unheard-of", via)
        .await
        .refused(404, "M_NOT_FOUND");
    // Without a session, too.
    let path = format!("/_matrix/client/v1/room_summary/{}{via}", encode(&room));
    let open = here.get(&path).await.ok();
    assert_eq!(open["name"], "Tea");
    assert!(open.get("membership").is_none());
}

async fn asks_the_servers_named(server: &TestServer) {
    let alice = server.user("alice").await;
    let peers = ["a.example", "b.example", "c.example", "d.example"]
        .map(|name| Peer::start(server.network(), name));
    let room = json!({
        "room_id": "!room:d.example", "num_joined_members": 2, "world_readable": false,
        "guest_can_join": false, "join_rule": "public", "secret": "kept from clients",
    });
    peers[1].answer(Method::GET, QUERY, move |_| {
        (
            200,
            json!({"room": room, "children": [], "inaccessible_children": []}),
        )
    });
    let query = "?via=no%20name&via=a.example&via=b.example&via=c.example";
    let found = look(&alice, "!room:d.example", query).await.ok();
    assert_eq!(
        found,
        json!({
            "room_id": "!room:d.example", "num_joined_members": 2, "world_readable": false,
            "guest_can_join": false, "join_rule": "public", "membership": "leave",
        })
    );
    let asked = peers.map(|peer| peer.received().len());
    assert_eq!(asked, [1, 1, 0, 0]);
}

async fn tells_what_failed(server: &TestServer) {
    let alice = server.user("alice").await;
    look(&alice, "!room:nowhere.example", "")
        .await
        .refused(502, "M_UNKNOWN");
    look(&alice, "!room-without-a-server", "")
        .await
        .refused(404, "M_NOT_FOUND");
    let peer = Peer::start(server.network(), "peer.example");
    peer.answer(Method::GET, QUERY, |_| (403, json!({})));
    look(&alice, "!room:peer.example", "")
        .await
        .refused(404, "M_NOT_FOUND");
}
