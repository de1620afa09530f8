//! `GET /_matrix/federation/v1/hierarchy/{roomId}`

use std::sync::Arc;

use myelin_testkit::{Answer, Peer, PeerRoom, TestServer, User, covers, encode, text, three_modes};
use serde_json::{Value, json};

three_modes!(
    tells_of_the_rooms_that_one_could_enter,
    servers_in_the_room_see_it,
    servers_that_a_room_keeps_out_are_told_nothing,
    members_of_other_rooms_open_restricted_ones,
    strangers_are_told_nothing,
    a_room_that_is_no_space_has_no_children,
    only_suggested_rooms_may_be_asked_for,
);

covers! {
    "GET /_matrix/federation/v1/hierarchy/{roomId}":
        works = tells_of_the_rooms_that_one_could_enter,
        403 = servers_that_a_room_keeps_out_are_told_nothing,
        404 = strangers_are_told_nothing,
        outsider = strangers_are_told_nothing;
}

fn peer(server: &TestServer) -> Arc<Peer> {
    Peer::start(server.network(), "peer.example")
}

async fn ask(peer: &Peer, server: &TestServer, room: &str, query: &str) -> Answer {
    let path = format!("/_matrix/federation/v1/hierarchy/{}{query}", encode(room));
    peer.get(server, &path).await
}

async fn room(user: &User, name: &str, rule: Value) -> String {
    let rule = json!({"type": "m.room.join_rules", "content": rule});
    user.create_room_with(json!({"name": name, "initial_state": [rule]}))
        .await
}

async fn space(user: &User, rule: &str, children: &[&str]) -> String {
    let rule = json!({"type": "m.room.join_rules", "content": {"join_rule": rule}});
    let body = json!({"creation_content": {"type": "m.space"}, "initial_state": [rule]});
    let space = user.create_room_with(body).await;
    for (index, child) in children.iter().enumerate() {
        let content = json!({
            "via": ["localhost"], "order": index.to_string(), "suggested": index == 0,
        });
        user.set_state(&space, "m.space.child", child, content)
            .await
            .ok();
    }
    space
}

fn ids(rooms: &Value) -> Vec<String> {
    let rooms = rooms.as_array().unwrap().iter();
    rooms.map(|room| text(room, "room_id")).collect()
}

async fn tells_of_the_rooms_that_one_could_enter(server: &TestServer) {
    let alice = server.user("alice").await;
    let open = room(&alice, "open", json!({"join_rule": "public"})).await;
    let knock = room(&alice, "knock", json!({"join_rule": "knock"})).await;
    let closed = room(&alice, "closed", json!({"join_rule": "invite"})).await;
    let space = space(
        &alice,
        "public",
        &[&open, &closed, &knock, "!elsewhere:x.example"],
    )
    .await;
    let told = ask(&peer(server), server, &space, "").await.ok();
    assert_eq!(told["room"]["room_id"], *space);
    assert_eq!(told["room"]["room_type"], "m.space");
    assert_eq!(told["room"]["join_rule"], "public");
    assert_eq!(told["room"]["room_version"], "12");
    assert_eq!(told["room"]["children_state"].as_array().unwrap().len(), 4);
    let first = &told["room"]["children_state"][0];
    assert_eq!(first["state_key"], *open);
    assert!(first["origin_server_ts"].is_u64());
    assert_eq!(ids(&told["children"]), [open, knock]);
    assert!(told["children"][0].get("children_state").is_none());
    assert_eq!(told["inaccessible_children"], json!([closed]));
}

async fn servers_in_the_room_see_it(server: &TestServer) {
    let peer = peer(server);
    let alice = server.user("alice").await;
    let closed = room(&alice, "closed", json!({"join_rule": "public"})).await;
    let space = space(&alice, "public", &[&closed]).await;
    for room in [&closed, &space] {
        PeerRoom::joined(&peer, server, (&alice, room), "bob").await;
        let rule = json!({"join_rule": "invite"});
        alice
            .set_state(room, "m.room.join_rules", "", rule)
            .await
            .ok();
    }
    let told = ask(&peer, server, &space, "").await.ok();
    assert_eq!(ids(&told["children"]), [closed]);
    let other = Peer::start(server.network(), "other.example");
    ask(&other, server, &space, "")
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn servers_that_a_room_keeps_out_are_told_nothing(server: &TestServer) {
    let peer = peer(server);
    let alice = server.user("alice").await;
    let open = room(&alice, "open", json!({"join_rule": "public"})).await;
    let space = space(&alice, "public", &[&open]).await;
    let acl = json!({"allow": ["*"], "deny": ["PEER.example"]});
    let set = async |room: &str| {
        let set = alice.set_state(room, "m.room.server_acl", "", acl.clone());
        set.await.ok();
    };
    set(&open).await;
    let told = ask(&peer, server, &space, "").await.ok();
    assert_eq!(told["inaccessible_children"], json!([open]));
    set(&space).await;
    ask(&peer, server, &space, "")
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn members_of_other_rooms_open_restricted_ones(server: &TestServer) {
    let peer = peer(server);
    let alice = server.user("alice").await;
    let club = room(&alice, "club", json!({"join_rule": "public"})).await;
    let allow = json!([{"type": "m.room_membership", "room_id": club}]);
    let rule = json!({"join_rule": "restricted", "allow": allow});
    let restricted = room(&alice, "restricted", rule).await;
    let space = space(&alice, "public", &[&restricted]).await;
    let told = ask(&peer, server, &space, "").await.ok();
    assert_eq!(told["inaccessible_children"], json!([restricted]));
    PeerRoom::joined(&peer, server, (&alice, &club), "bob").await;
    let told = ask(&peer, server, &space, "").await.ok();
    assert_eq!(ids(&told["children"]), [restricted]);
    assert_eq!(told["children"][0]["allowed_room_ids"], json!([club]));
}

async fn strangers_are_told_nothing(server: &TestServer) {
    let peer = peer(server);
    let alice = server.user("alice").await;
    let closed = space(&alice, "invite", &[]).await;
    for room in [&*closed, "!nowhere:localhost"] {
        ask(&peer, server, room, "")
            .await
            .refused(404, "M_NOT_FOUND");
    }
}

async fn a_room_that_is_no_space_has_no_children(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(&alice, "open", json!({"join_rule": "public"})).await;
    let told = ask(&peer(server), server, &room, "").await.ok();
    assert_eq!(told["room"]["name"], "open");
    for list in [
        &told["room"]["children_state"],
        &told["children"],
        &told["inaccessible_children"],
    ] {
        assert_eq!(*list, json!([]));
    }
}

async fn only_suggested_rooms_may_be_asked_for(server: &TestServer) {
    let alice = server.user("alice").await;
    let one = room(&alice, "one", json!({"join_rule": "public"})).await;
    let two = room(&alice, "two", json!({"join_rule": "public"})).await;
    let space = space(&alice, "public", &[&one, &two]).await;
    let peer = peer(server);
    let told = ask(&peer, server, &space, "?suggested_only=true")
        .await
        .ok();
    assert_eq!(ids(&told["children"]), [one]);
    assert_eq!(told["room"]["children_state"].as_array().unwrap().len(), 1);
    ask(&peer, server, &space, "?suggested_only=maybe")
        .await
        .refused(400, "M_INVALID_PARAM");
}
