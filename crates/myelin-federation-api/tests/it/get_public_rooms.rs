//! `GET` and `POST /_matrix/federation/v1/publicRooms`

use std::sync::Arc;

use myelin_testkit::{Peer, TestServer, covers, encode, text, three_modes};
use serde_json::{Value, json};

three_modes!(
    lists_the_directory_page_by_page,
    finds_rooms,
    is_shown_only_if_the_operator_says_so,
    refuses_bad_requests,
);

covers! {
    "GET /_matrix/federation/v1/publicRooms":
        works = lists_the_directory_page_by_page,
        400 = refuses_bad_requests,
        403 = is_shown_only_if_the_operator_says_so;
    "POST /_matrix/federation/v1/publicRooms":
        works = finds_rooms,
        400 = refuses_bad_requests,
        403 = is_shown_only_if_the_operator_says_so;
}

const PATH: &str = "/_matrix/federation/v1/publicRooms";

/// A server that shows its directory, and who looks at it.
async fn shown(server: &TestServer) -> Arc<Peer> {
    server
        .restart_changed(|settings| settings.federation_api.public_rooms = true)
        .await;
    Peer::start(server.network(), "peer.example")
}

async fn publish(server: &TestServer) -> Vec<String> {
    let alice = server.user("alice").await;
    let mut rooms = Vec::new();
    for name in ["Tea", "Milk", "Sugar"] {
        let body = json!({"preset": "public_chat", "visibility": "public", "name": name});
        rooms.push(alice.create_room_with(body).await);
    }
    alice.create_public_room().await;
    rooms
}

fn rooms(page: &Value) -> Vec<String> {
    let chunk = page["chunk"].as_array().unwrap();
    chunk.iter().map(|room| text(room, "room_id")).collect()
}

async fn lists_the_directory_page_by_page(server: &TestServer) {
    let peer = shown(server).await;
    let mut published = publish(server).await;
    let whole = peer.get(server, PATH).await.ok();
    assert_eq!(whole["total_room_count_estimate"], 3);
    let mut found = Vec::new();
    let mut path = format!("{PATH}?limit=2");
    loop {
        let page = peer.get(server, &path).await.ok();
        assert!(rooms(&page).len() <= 2);
        found.extend(rooms(&page));
        let Some(next) = page["next_batch"].as_str() else {
            break;
        };
        path = format!("{PATH}?limit=2&since={}", encode(next));
    }
    assert_eq!(found, rooms(&whole));
    found.sort();
    published.sort();
    assert_eq!(found, published);
    let networks = peer
        .get(server, &format!("{PATH}?third_party_instance_id=irc"))
        .await;
    assert_eq!(networks.ok()["chunk"], json!([]));
    // "Defaults to 0 (no limit)".
    let unlimited = peer.get(server, &format!("{PATH}?limit=0")).await.ok();
    assert_eq!(unlimited, whole);
}

async fn finds_rooms(server: &TestServer) {
    let peer = shown(server).await;
    let published = publish(server).await;
    for (filter, found) in [
        (json!({}), 3),
        (json!({"generic_search_term": "mil"}), 1),
        (json!({"room_types": ["m.space"]}), 0),
        (json!({"room_types": [null]}), 3),
    ] {
        let page = peer.post(server, PATH, json!({ "filter": filter })).await;
        let page = rooms(&page.ok());
        assert_eq!(page.len(), found, "{filter}");
        assert!(page.iter().all(|room| published.contains(room)));
    }
}

async fn is_shown_only_if_the_operator_says_so(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    publish(server).await;
    peer.get(server, PATH).await.refused(403, "M_FORBIDDEN");
    peer.post(server, PATH, json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn refuses_bad_requests(server: &TestServer) {
    let peer = shown(server).await;
    for query in [
        "limit=many",
        "since=nonsense",
        "include_all_networks=true&third_party_instance_id=irc",
    ] {
        peer.get(server, &format!("{PATH}?{query}"))
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    peer.post(server, PATH, json!({"since": "nonsense"}))
        .await
        .refused(400, "M_INVALID_PARAM");
    peer.post(server, PATH, json!({"limit": "many"}))
        .await
        .refused(400, "M_BAD_JSON");
}
