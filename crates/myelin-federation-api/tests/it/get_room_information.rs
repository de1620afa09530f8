//! `GET /_matrix/federation/v1/query/directory`

use std::sync::Arc;

use myelin_testkit::{Answer, Peer, TestServer, covers, encode, three_modes};
use serde_json::json;

three_modes!(
    tells_which_room_it_is,
    tells_only_of_its_own_names,
    refuses_what_is_no_alias,
);

covers! {
    "GET /_matrix/federation/v1/query/directory":
        works = tells_which_room_it_is,
        400 = refuses_what_is_no_alias,
        404 = tells_only_of_its_own_names;
}

const PATH: &str = "/_matrix/federation/v1/query/directory";

fn peer(server: &TestServer) -> Arc<Peer> {
    Peer::start(server.network(), "peer.example")
}

async fn ask(peer: &Peer, server: &TestServer, alias: &str) -> Answer {
    peer.get(server, &format!("{PATH}?room_alias={}", encode(alias)))
        .await
}

async fn tells_which_room_it_is(server: &TestServer) {
    let alice = server.user("alice").await;
    let body = json!({"room_alias_name": "tea"});
    let room = alice.create_room_with(body).await;
    let told = ask(&peer(server), server, "#tea:localhost").await.ok();
    assert_eq!(told, json!({"room_id": room, "servers": ["localhost"]}));
}

async fn tells_only_of_its_own_names(server: &TestServer) {
    let peer = peer(server);
    for alias in ["#nowhere:localhost", "#tea:peer.example", "#tea:x.example"] {
        ask(&peer, server, alias).await.refused(404, "M_NOT_FOUND");
    }
    // It asked nobody else for them.
    assert_eq!(peer.received().len(), 0);
}

async fn refuses_what_is_no_alias(server: &TestServer) {
    let peer = peer(server);
    for alias in ["nonsense", "!room:localhost", ""] {
        ask(&peer, server, alias)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    peer.get(server, PATH).await.refused(400, "M_MISSING_PARAM");
}
