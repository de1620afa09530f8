//! `m.room.canonical_alias` with aliases that other servers give

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::Method;
use myelin_testkit::{Answer, Peer, TestServer, User, encode, three_modes, three_modes_federated};
use serde_json::{Value, json};

three_modes!(
    every_alias_has_to_lead_to_the_room,
    who_may_not_name_the_room_makes_nobody_ask,
    what_stands_is_not_asked_for_again,
    no_more_are_asked_for_than_a_room_needs,
);
three_modes_federated!(a_room_calls_itself_by_the_name_another_server_gives);

const QUERY: &str = "/_matrix/federation/v1/query/directory";

async fn set(user: &User, room: &str, content: Value) -> Answer {
    user.set_state(room, "m.room.canonical_alias", "", content)
        .await
}

async fn a_room_calls_itself_by_the_name_another_server_gives(
    here: &TestServer,
    there: &TestServer,
) {
    let alice = here.user("alice").await;
    let bob = there.user("bob").await;
    let room = alice.create_public_room().await;
    let path = format!("/join/{}?via=localhost", encode(&room));
    bob.post(&path, json!({})).await.ok();
    let path = |alias: &str| format!("/directory/room/{}", encode(alias));
    bob.put(&path("#tea:there.example"), json!({"room_id": room}))
        .await
        .ok();
    let other = bob.create_public_room().await;
    bob.put(&path("#milk:there.example"), json!({"room_id": other}))
        .await
        .ok();
    for alias in ["#milk:there.example", "#nothing:there.example"] {
        set(&alice, &room, json!({"alias": alias}))
            .await
            .refused(400, "M_BAD_ALIAS");
    }
    let content = json!({"alias": "#tea:there.example"});
    set(&alice, &room, content.clone()).await.ok();
    let found = alice.state(&room, "m.room.canonical_alias", "").await.ok();
    assert_eq!(found, content);
}

/// A peer that says of each alias that it leads to the room, and counts how often it is asked.
fn giver(server: &TestServer, room: &str) -> (Arc<Peer>, Arc<AtomicUsize>) {
    let peer = Peer::start(server.network(), "peer.example");
    let count = Arc::new(AtomicUsize::new(0));
    let (room, counted) = (room.to_owned(), count.clone());
    peer.answer(Method::GET, QUERY, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        (200, json!({"room_id": room, "servers": ["peer.example"]}))
    });
    (peer, count)
}

async fn every_alias_has_to_lead_to_the_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let _peer = giver(server, &room);
    let content = json!({"alias": "#a:peer.example", "alt_aliases": ["#b:nowhere.example"]});
    let message = set(&alice, &room, content)
        .await
        .refused(400, "M_BAD_ALIAS");
    assert!(message.contains("#b:nowhere.example"), "{message}");
    let content = json!({"alias": "#a:peer.example", "alt_aliases": ["#b:localhost"]});
    set(&alice, &room, content)
        .await
        .refused(400, "M_BAD_ALIAS");
    let content = json!({"alias": "#a:peer.example", "alt_aliases": ["#b:peer.example"]});
    set(&alice, &room, content).await.ok();
}

async fn who_may_not_name_the_room_makes_nobody_ask(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let (_peer, asked) = giver(server, &room);
    let content = json!({"alias": "#a:peer.example"});
    set(&bob, &room, content.clone())
        .await
        .refused(403, "M_FORBIDDEN");
    bob.join(&room).await.ok();
    set(&bob, &room, content).await.refused(403, "M_FORBIDDEN");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

async fn what_stands_is_not_asked_for_again(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let (peer, asked) = giver(server, &room);
    let content = json!({"alias": "#a:peer.example"});
    set(&alice, &room, content).await.ok();
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // It leads elsewhere by now, and that must not keep the room from getting another name.
    peer.answer(Method::GET, QUERY, |_| {
        (404, json!({"errcode": "M_NOT_FOUND", "error": "Gone"}))
    });
    alice
        .put("/directory/room/%23b:localhost", json!({"room_id": room}))
        .await
        .ok();
    let content = json!({"alias": "#b:localhost", "alt_aliases": ["#a:peer.example"]});
    set(&alice, &room, content).await.ok();
}

async fn no_more_are_asked_for_than_a_room_needs(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let (_peer, asked) = giver(server, &room);
    let many: Vec<_> = (0..21).map(|it| format!("#a{it}:peer.example")).collect();
    set(&alice, &room, json!({"alt_aliases": many}))
        .await
        .refused(400, "M_INVALID_PARAM");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    set(&alice, &room, json!({"alt_aliases": many[1..]}))
        .await
        .ok();
    assert_eq!(asked.load(Ordering::Relaxed), 20);
}
