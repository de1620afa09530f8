//! `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`

use http::Method;
use myelin_testkit::{TestServer, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    everybody_in_the_room_gets_it,
    keeps_the_content_to_the_letter,
    a_repeated_transaction_sends_once,
    a_transaction_belongs_to_one_session,
    members_alone_may_send,
    power_decides_what_may_be_sent,
    many_senders_lose_nothing,
    refuses_what_is_no_canonical_json,
    refuses_events_that_are_too_large,
    refuses_identifiers_that_are_none,
);

covers! {
    "PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}":
        works = everybody_in_the_room_gets_it,
        400 = refuses_what_is_no_canonical_json,
        403 = power_decides_what_may_be_sent,
        outsider = members_alone_may_send;
}

async fn everybody_in_the_room_gets_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let sent = alice.send(&room, "hello").await;
    assert!(sent.starts_with('$'), "{sent}");
    for user in [&alice, &bob] {
        let page = user.messages(&room, "dir=b&limit=1").await.ok();
        let event = &page["chunk"][0];
        assert_eq!(event["event_id"], sent);
        assert_eq!(event["type"], "m.room.message");
        assert_eq!(event["sender"], alice.id);
        assert_eq!(event["room_id"], room);
        assert_eq!(
            event["content"],
            json!({"msgtype": "m.text", "body": "hello"})
        );
        assert_eq!(event["origin_server_ts"], server.now_ms());
        for key in [
            "auth_events",
            "prev_events",
            "hashes",
            "signatures",
            "depth",
            "state_key",
        ] {
            assert!(
                event.get(key).is_none(),
                "{key} is not for clients: {event}"
            );
        }
        let txn = event["unsigned"].get("transaction_id");
        assert_eq!(txn.is_some(), user.id == alice.id, "{event}");
    }
}

async fn keeps_the_content_to_the_letter(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let contents = [
        json!({}),
        json!({"": "", "b": null, "a": [true, false, [], {}]}),
        json!({"text": "nul \u{0}, quote \", backslash \\, \u{1f600}, line\nend"}),
        json!({"numbers": [0, -0, 9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64]}),
        json!({"b": {"z": 1, "a": 2}, "\u{e4}": 1, "\u{10000}": 2}),
    ];
    for (number, content) in contents.into_iter().enumerate() {
        let txn = number.to_string();
        let answer = alice
            .send_event(&room, "org.example.x", &txn, content.clone())
            .await;
        let sent = text(&answer.ok(), "event_id");
        let event = alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"][0].clone();
        assert_eq!(event["event_id"], sent);
        assert_eq!(event["content"], content);
    }
}

async fn a_repeated_transaction_sends_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let content = json!({"msgtype": "m.text", "body": "once"});
    let mut sent = Vec::new();
    for _ in 0..4 {
        let answer = alice
            .send_event(&room, "m.room.message", "txn/1 \u{e4}", content.clone())
            .await;
        sent.push(text(&answer.ok(), "event_id"));
    }
    sent.dedup();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        bodies(&alice.messages(&room, "dir=b&limit=100").await.ok()),
        ["once"]
    );
}

async fn a_transaction_belongs_to_one_session(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    for user in [&alice, &bob] {
        let content = json!({"msgtype": "m.text", "body": user.id});
        user.send_event(&room, "m.room.message", "1", content)
            .await
            .ok();
    }
    let page = alice.messages(&room, "dir=b&limit=100").await.ok();
    assert_eq!(bodies(&page), [bob.id, alice.id]);
}

async fn members_alone_may_send(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let try_to_send = async |txn| {
        bob.send_event(&room, "m.room.message", txn, json!({"body": "x"}))
            .await
    };
    try_to_send("1").await.refused(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await.ok();
    try_to_send("2").await.refused(403, "M_FORBIDDEN");
    bob.join(&room).await.ok();
    try_to_send("3").await.ok();
    bob.leave(&room).await.ok();
    try_to_send("4").await.refused(403, "M_FORBIDDEN");
}

async fn power_decides_what_may_be_sent(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let request = json!({
        "preset": "public_chat",
        "power_level_content_override": {"events": {"org.example.loud": 50}},
    });
    let room = alice.create_room_with(request).await;
    bob.join(&room).await.ok();
    bob.send_event(&room, "org.example.loud", "1", json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    bob.send_event(&room, "org.example.low", "2", json!({}))
        .await
        .ok();
    alice
        .send_event(&room, "org.example.loud", "3", json!({}))
        .await
        .ok();
}

async fn many_senders_lose_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let mut tasks = tokio::task::JoinSet::new();
    for name in 0..6 {
        let user = server.user(&format!("user{name}")).await;
        user.join(&room).await.ok();
        let room = room.clone();
        tasks.spawn(async move {
            let mut sent = Vec::new();
            for number in 0..5 {
                sent.push(user.send(&room, &format!("{name} {number}")).await);
            }
            sent
        });
    }
    let mut sent: Vec<String> = tasks.join_all().await.concat();
    let page = alice.messages(&room, "dir=b&limit=100").await.ok();
    let messages = page["chunk"].as_array().unwrap().iter();
    let mut found: Vec<String> = messages
        .filter(|event| event["type"] == "m.room.message")
        .map(|event| text(event, "event_id"))
        .collect();
    sent.sort();
    found.sort();
    assert_eq!(found, sent);
}

async fn refuses_what_is_no_canonical_json(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = format!("/rooms/{}/send/org.example.x/1", encode(&room));
    let put = async |body: &str| alice.request(Method::PUT, &path, body.to_owned()).await;
    for body in [
        "{",
        "{\"a\":}",
        "{\"a\":1}x",
        "{\"a\":\"\\ud800\"}",
        "{'a':1}",
    ] {
        put(body).await.refused(400, "M_NOT_JSON");
    }
    for body in [
        "[]",
        "null",
        "{\"a\":1.5}",
        "{\"a\":1e3}",
        "{\"a\":9007199254740992}",
        "{\"a\":-9007199254740992}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":{\"b\":1,\"b\":1}}",
    ] {
        put(body).await.refused(400, "M_BAD_JSON");
    }
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let answer = put(&deep).await;
    assert!([400, 413].contains(&answer.status), "{}", answer.text);
    // Nothing of this used up the transaction.
    put("{}").await.ok();
}

async fn refuses_events_that_are_too_large(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let content = |length| json!({"body": "a".repeat(length)});
    alice
        .send_event(&room, "m.room.message", "1", content(60_000))
        .await
        .ok();
    let answer = alice
        .send_event(&room, "m.room.message", "2", content(65_536))
        .await;
    answer.refused(413, "M_TOO_LARGE");
    let long_type = "a".repeat(256);
    let answer = alice.send_event(&room, &long_type, "3", json!({})).await;
    assert!([400, 413].contains(&answer.status), "{}", answer.text);
}

async fn refuses_identifiers_that_are_none(server: &TestServer) {
    let alice = server.user("alice").await;
    for room in ["nonsense", "#alias:localhost", "@alice:localhost"] {
        let answer = alice
            .send_event(room, "m.room.message", "1", json!({}))
            .await;
        answer.refused(400, "M_INVALID_PARAM");
    }
    let answer = alice
        .send_event("!nowhere:localhost", "m.room.message", "1", json!({}))
        .await;
    answer.refused(403, "M_FORBIDDEN");
}

fn bodies(page: &Value) -> Vec<&str> {
    let events = page["chunk"].as_array().unwrap().iter();
    events
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}
