//! Receipts, typing and presence in `GET /_matrix/client/v3/sync`

use std::time::Duration;

use myelin_testkit::{TestServer, User, encode, text, three_modes, wait_until};
use serde_json::{Value, json};

use super::{
    create_receipt::{receipt, related},
    create_typing_event::typing,
    presence::set,
};

three_modes!(
    a_receipt_wakes_those_in_the_room,
    receipts_come_with_a_room_that_comes_whole,
    a_private_receipt_is_told_to_nobody_else,
    receipts_never_move_backwards,
    receipts_for_threads_stand_beside_each_other,
    typing_wakes_those_in_the_room_and_is_told_once,
    typing_ends_by_itself_and_by_leaving,
    typing_is_shown_to_who_enters,
    filters_choose_among_ephemeral_events,
    presence_is_told_to_those_who_share_a_room,
    who_enters_a_room_is_told_who_is_there,
    the_ignored_neither_type_nor_read,
);

async fn a_receipt_wakes_those_in_the_room(server: &TestServer) {
    let (alice, bob, room) = couple(server).await;
    for round in 0..4 {
        let event = alice.send(&room, &round.to_string()).await;
        let since = settled(&alice).await;
        let waiting = next(&alice, &since, &room, "m.receipt");
        let reading = receipt(&bob, &room, ("m.read", &event), json!({}));
        let ((told, _), answer) = tokio::join!(waiting, reading);
        answer.ok();
        let now_ms = server.now_ms();
        assert_eq!(
            told["content"],
            json!({&event: {"m.read": {&bob.id: {"ts": now_ms}}}})
        );
    }
}

async fn receipts_come_with_a_room_that_comes_whole(server: &TestServer) {
    let (alice, bob, room) = couple(server).await;
    let first = alice.send(&room, "first").await;
    let second = alice.send(&room, "second").await;
    for (user, kind, event) in [
        (&alice, "m.read", &first),
        (&bob, "m.read", &second),
        (&alice, "m.read.private", &second),
        (&bob, "m.read.private", &first),
    ] {
        receipt(user, &room, (kind, event), json!({})).await.ok();
    }
    let now_ms = server.now_ms();
    let wanted = json!({
        &first: {"m.read": {&alice.id: {"ts": now_ms}}},
        &second: {
            "m.read": {&bob.id: {"ts": now_ms}},
            "m.read.private": {&alice.id: {"ts": now_ms}},
        },
    });
    let sync = alice.sync(None).await;
    assert_eq!(receipts(&sync, &room), [wanted]);
    let carol = server.user("carol").await;
    let since = settled(&carol).await;
    carol.join(&room).await.ok();
    let wanted = json!({
        &first: {"m.read": {&alice.id: {"ts": now_ms}}},
        &second: {"m.read": {&bob.id: {"ts": now_ms}}},
    });
    assert_eq!(receipts(&carol.sync(Some(&since)).await, &room), [wanted]);
}

async fn a_private_receipt_is_told_to_nobody_else(server: &TestServer) {
    let (alice, bob, room) = couple(server).await;
    let event = alice.send(&room, "hello").await;
    let (since_alice, since_bob) = (settled(&alice).await, settled(&bob).await);
    receipt(&bob, &room, ("m.read.private", &event), json!({}))
        .await
        .ok();
    let sync = alice.sync(Some(&since_alice)).await;
    assert!(sync["rooms"]["join"].get(&room).is_none(), "{sync}");
    assert!(
        !alice
            .sync(None)
            .await
            .to_string()
            .contains("m.read.private")
    );
    let sync = bob.sync(Some(&since_bob)).await;
    let told = &receipts(&sync, &room)[0];
    assert!(told[&event]["m.read.private"][&bob.id]["ts"].is_u64());
}

async fn receipts_never_move_backwards(server: &TestServer) {
    let (alice, bob, room) = couple(server).await;
    let first = alice.send(&room, "first").await;
    let second = alice.send(&room, "second").await;
    receipt(&bob, &room, ("m.read", &second), json!({}))
        .await
        .ok();
    let since = settled(&alice).await;
    for event in [&first, &second] {
        receipt(&bob, &room, ("m.read", event), json!({}))
            .await
            .ok();
    }
    let sync = alice.sync(Some(&since)).await;
    assert!(sync["rooms"]["join"].get(&room).is_none(), "{sync}");
    let told = &receipts(&alice.sync(None).await, &room)[0];
    assert!(told.get(&first).is_none() && told.get(&second).is_some());
}

async fn receipts_for_threads_stand_beside_each_other(server: &TestServer) {
    let (alice, bob, room) = couple(server).await;
    let root = alice.send(&room, "root").await;
    let reply = related(&alice, &room, ("m.thread", &root)).await;
    let since = settled(&alice).await;
    for (event, body) in [
        (&root, json!({})),
        (&root, json!({"thread_id": "main"})),
        (&reply, json!({"thread_id": root})),
    ] {
        receipt(&bob, &room, ("m.read", event), body).await.ok();
    }
    for since in [None, Some(since.as_str())] {
        let sync = alice.sync(since).await;
        let mut found: Vec<(String, Option<String>)> = Vec::new();
        for told in receipts(&sync, &room) {
            for (event, kinds) in told.as_object().unwrap() {
                let thread = kinds["m.read"][&bob.id].get("thread_id");
                let thread = thread.map(|thread| thread.as_str().unwrap().to_owned());
                found.push((event.clone(), thread));
            }
        }
        for wanted in [
            (root.clone(), None),
            (root.clone(), Some("main".to_owned())),
            (reply.clone(), Some(root.clone())),
        ] {
            assert!(found.contains(&wanted), "{wanted:?} in {sync}");
        }
        assert_eq!(found.len(), 3, "{sync}");
    }
}

async fn typing_wakes_those_in_the_room_and_is_told_once(server: &TestServer) {
    let (alice, bob, room) = couple(server).await;
    let mut since = settled(&alice).await;
    for _ in 0..3 {
        for (is_typing, users) in [(true, json!([bob.id])), (false, json!([]))] {
            let waiting = next(&alice, &since, &room, "m.typing");
            let body = json!({"typing": is_typing, "timeout": 30_000});
            let ((told, then), answer) = tokio::join!(waiting, typing(&bob, &room, &bob, body));
            answer.ok();
            assert_eq!(told["content"]["user_ids"], users);
            since = then;
            for _ in 0..2 {
                let sync = alice.sync(Some(&since)).await;
                assert!(sync["rooms"]["join"].get(&room).is_none(), "{sync}");
            }
        }
    }
    let elsewhere = server.user("carol").await;
    let sync = elsewhere.sync(None).await;
    assert!(!sync.to_string().contains("m.typing"), "{sync}");
}

async fn typing_ends_by_itself_and_by_leaving(server: &TestServer) {
    let (alice, bob, room) = couple(server).await;
    let carol = server.user("carol").await;
    carol.join(&room).await.ok();
    let mut since = settled(&alice).await;
    for (user, timeout) in [(&bob, 10_000), (&carol, 100_000)] {
        let body = json!({"typing": true, "timeout": timeout});
        typing(user, &room, user, body).await.ok();
        let told;
        (told, since) = next(&alice, &since, &room, "m.typing").await;
        let users = told["content"]["user_ids"].as_array().unwrap().clone();
        assert!(users.contains(&json!(user.id)), "{told}");
    }
    server.clock().advance(Duration::from_secs(11));
    let told;
    (told, since) = next(&alice, &since, &room, "m.typing").await;
    assert_eq!(told["content"]["user_ids"], json!([carol.id]));
    carol.leave(&room).await.ok();
    let (told, _) = next(&alice, &since, &room, "m.typing").await;
    assert_eq!(told["content"]["user_ids"], json!([]));
}

async fn typing_is_shown_to_who_enters(server: &TestServer) {
    let (alice, bob, room) = couple(server).await;
    let since = settled(&alice).await;
    let carol = server.user("carol").await;
    let since_carol = settled(&carol).await;
    let body = json!({"typing": true, "timeout": 60_000});
    typing(&bob, &room, &bob, body).await.ok();
    for _ in 0..2 {
        // Each node has heard of it.
        next(&alice, &since, &room, "m.typing").await;
    }
    carol.join(&room).await.ok();
    let (told, since_carol) = next(&carol, &since_carol, &room, "m.typing").await;
    assert_eq!(told["content"]["user_ids"], json!([bob.id]));
    typing(&bob, &room, &bob, json!({"typing": false}))
        .await
        .ok();
    let (told, _) = next(&carol, &since_carol, &room, "m.typing").await;
    assert_eq!(told["content"]["user_ids"], json!([]));
}

async fn filters_choose_among_ephemeral_events(server: &TestServer) {
    let (alice, bob, room) = couple(server).await;
    let event = alice.send(&room, "hello").await;
    let since = settled(&alice).await;
    let body = json!({"typing": true, "timeout": 60_000});
    typing(&bob, &room, &bob, body).await.ok();
    for _ in 0..2 {
        next(&alice, &since, &room, "m.typing").await;
    }
    receipt(&bob, &room, ("m.read", &event), json!({}))
        .await
        .ok();
    for (filter, wanted) in [
        (json!({}), vec!["m.typing", "m.receipt"]),
        (json!({"types": ["m.receipt"]}), vec!["m.receipt"]),
        (json!({"not_types": ["m.receipt"]}), vec!["m.typing"]),
        (json!({"types": []}), vec![]),
        (json!({"not_types": ["*"]}), vec![]),
        (json!({"rooms": ["!other:localhost"]}), vec![]),
        (json!({"not_rooms": [room]}), vec![]),
    ] {
        let filter = json!({"room": {"ephemeral": filter}}).to_string();
        for since in [String::new(), format!("&since={since}")] {
            let path = format!("/sync?timeout=0&filter={}{since}", encode(&filter));
            let sync = alice.get(&path).await.ok();
            let told = ephemeral(&sync, &room);
            let types: Vec<&str> = told.iter().map(|e| e["type"].as_str().unwrap()).collect();
            assert_eq!(types, wanted, "{filter}: {sync}");
        }
    }
}

async fn presence_is_told_to_those_who_share_a_room(server: &TestServer) {
    let (alice, bob, _) = couple(server).await;
    let stranger = server.user("carol").await;
    let mut since = settled(&alice).await;
    let since_stranger = settled(&stranger).await;
    for (state, status_msg) in [("unavailable", "at lunch"), ("online", "back")] {
        let body = json!({"presence": state, "status_msg": status_msg});
        set(&bob, &bob, body).await.ok();
        let told;
        (told, since) = presence_of(&alice, &bob, &since).await;
        assert_eq!(told["type"], "m.presence");
        assert_eq!(told["content"]["presence"], state);
        assert_eq!(told["content"]["status_msg"], status_msg);
        assert_eq!(told["content"]["currently_active"], state == "online");
    }
    wait_until("everybody is told who is there", async || {
        presence(&alice.sync(None).await, &bob).is_some()
    })
    .await;
    for since in [None, Some(since_stranger.as_str())] {
        let sync = stranger.sync(since).await;
        assert!(presence(&sync, &bob).is_none(), "{sync}");
    }
    let filter = encode(&json!({"presence": {"not_senders": [bob.id]}}).to_string());
    let path = format!("/sync?timeout=0&filter={filter}");
    let sync = alice.get(&path).await.ok();
    assert!(presence(&sync, &bob).is_none(), "{sync}");
}

async fn who_enters_a_room_is_told_who_is_there(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let body = json!({"presence": "unavailable", "status_msg": "at lunch"});
    set(&alice, &alice, body).await.ok();
    wait_until("both nodes know", async || {
        let first = presence(&alice.sync(None).await, &alice).is_some();
        first && presence(&alice.sync(None).await, &alice).is_some()
    })
    .await;
    let since = settled(&bob).await;
    bob.join(&room).await.ok();
    let sync = bob.sync(Some(&since)).await;
    let told = presence(&sync, &alice).unwrap();
    assert_eq!(told["content"]["status_msg"], "at lunch");
}

async fn the_ignored_neither_type_nor_read(server: &TestServer) {
    let (alice, bob, room) = couple(server).await;
    let event = alice.send(&room, "hello").await;
    let path = format!(
        "/user/{}/account_data/m.ignored_user_list",
        encode(&alice.id)
    );
    let ignored = json!({"ignored_users": {&bob.id: {}}});
    alice.put(&path, ignored).await.ok();
    receipt(&bob, &room, ("m.read", &event), json!({}))
        .await
        .ok();
    let since = settled(&bob).await;
    let body = json!({"typing": true, "timeout": 60_000});
    typing(&bob, &room, &bob, body).await.ok();
    next(&bob, &since, &room, "m.typing").await;
    let sync = alice.sync(None).await;
    let told = json!(ephemeral(&sync, &room)).to_string();
    assert!(!told.contains(&bob.id), "{sync}");
}

/// Two users in a room.
async fn couple(server: &TestServer) -> (User, User, String) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    (alice, bob, room)
}

/// A token of a user who knows everything.
async fn settled(user: &User) -> String {
    text(&user.sync(None).await, "next_batch")
}

/// Polls until a room has an ephemeral event of this type; the event, and where to go on.
async fn next(user: &User, since: &str, room: &str, kind: &str) -> (Value, String) {
    let mut since = since.to_owned();
    for _ in 0..20 {
        let sync = user.sync_waiting(&since, 10_000).await;
        since = text(&sync, "next_batch");
        let mut told = ephemeral(&sync, room).into_iter();
        if let Some(found) = told.find(|event| event["type"] == kind) {
            return (found, since);
        }
    }
    panic!("no {kind} for {}", user.id);
}

fn ephemeral(sync: &Value, room: &str) -> Vec<Value> {
    let events = &sync["rooms"]["join"][room]["ephemeral"]["events"];
    events.as_array().cloned().unwrap_or_default()
}

fn receipts(sync: &Value, room: &str) -> Vec<Value> {
    let told = ephemeral(sync, room).into_iter();
    told.filter(|event| event["type"] == "m.receipt")
        .map(|event| event["content"].clone())
        .collect()
}

fn presence(sync: &Value, of: &User) -> Option<Value> {
    let mut events = sync["presence"]["events"].as_array()?.iter();
    events.find(|event| event["sender"] == of.id).cloned()
}

/// Polls until a user's presence is told; the event, and where to go on.
async fn presence_of(user: &User, of: &User, since: &str) -> (Value, String) {
    let mut since = since.to_owned();
    for _ in 0..1_000 {
        let sync = user.sync(Some(&since)).await;
        since = text(&sync, "next_batch");
        if let Some(found) = presence(&sync, of) {
            return (found, since);
        }
        tokio::task::yield_now().await;
    }
    panic!("nothing of {}", of.id);
}
