//! `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}`

use http::Method;
use myelin_store::{events, redacted_originals};
use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    takes_the_content_away,
    answers_a_repetition_as_the_first_time,
    works_in_every_room_version,
    one_redacts_the_own_events_and_those_of_others_with_power,
    strangers_redact_nothing,
    refuses_what_the_room_does_not_have,
    refuses_what_must_stay,
    refuses_bad_bodies,
    a_redaction_can_be_sent_like_any_event,
    redacted_state_counts_as_what_is_left_of_it,
    a_second_redaction_changes_nothing,
    originals_are_deleted_after_a_week,
);

covers! {
    "PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}":
        works = takes_the_content_away,
        403 = one_redacts_the_own_events_and_those_of_others_with_power,
        404 = refuses_what_the_room_does_not_have,
        outsider = strangers_redact_nothing;
}

async fn takes_the_content_away(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "a secret").await;
    let since = text(&alice.sync(None).await, "next_batch");
    let answer = redact(&alice, &room, &event, "1", json!({"reason": "a slip"})).await;
    let redaction = text(&answer.ok(), "event_id");

    let synced = alice.sync(Some(&since)).await;
    let seen = &synced["rooms"]["join"][&room]["timeline"]["events"][0];
    assert_eq!(seen["event_id"], redaction, "{synced}");
    assert_eq!(seen["redacts"], event);
    let content = json!({"redacts": event, "reason": "a slip"});
    assert_eq!(seen["content"], content);
    assert_eq!(seen["unsigned"]["transaction_id"], "1");

    let whole = alice.sync(None).await;
    let timeline = &whole["rooms"]["join"][&room]["timeline"]["events"];
    for page in [timeline, &newest(&alice, &room, 2).await] {
        let found = page.as_array().unwrap().iter();
        let pruned = found.clone().find(|found| found["event_id"] == event);
        let pruned = pruned.unwrap();
        assert_eq!(pruned["content"], json!({}), "{page}");
        assert_eq!(pruned["type"], "m.room.message");
        let because = &pruned["unsigned"]["redacted_because"];
        assert_eq!(because["event_id"], redaction, "{pruned}");
        assert_eq!(because["content"], content);
        assert_eq!(because["sender"], alice.id);
        assert!(pruned["unsigned"]["age"].is_u64(), "{pruned}");
    }
    assert!(!whole.to_string().contains("a secret"));
}

async fn answers_a_repetition_as_the_first_time(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let one = alice.send(&room, "one").await;
    let other = alice.send(&room, "other").await;
    let first = redact(&alice, &room, &one, "1", json!({})).await.ok();
    for _ in 0..3 {
        let again = redact(&alice, &room, &one, "1", json!({})).await;
        assert_eq!(again.ok(), first);
    }
    // The same id on another event names another request.
    let second = redact(&alice, &room, &other, "1", json!({})).await.ok();
    assert_ne!(second, first);
    let page = newest(&alice, &room, 4).await;
    let kinds: Vec<_> = kinds(&page);
    assert_eq!(
        kinds,
        [
            "m.room.redaction",
            "m.room.redaction",
            "m.room.message",
            "m.room.message"
        ]
    );
}

async fn works_in_every_room_version(server: &TestServer) {
    let alice = server.user("alice").await;
    for version in 1..=12 {
        let request = json!({"room_version": version.to_string()});
        let room = alice.create_room_with(request).await;
        let event = alice.send(&room, "a secret").await;
        let answer = redact(&alice, &room, &event, "1", json!({"reason": "why"})).await;
        let redaction = text(&answer.ok(), "event_id");
        let page = newest(&alice, &room, 2).await;
        // Clients of every age find the target, in whichever place they look.
        assert_eq!(page[0]["redacts"], event, "version {version}: {page}");
        assert_eq!(page[0]["content"]["redacts"], event, "version {version}");
        assert_eq!(page[0]["content"]["reason"], "why");
        assert_eq!(page[1]["content"], json!({}), "version {version}: {page}");
        assert_eq!(
            page[1]["unsigned"]["redacted_because"]["event_id"],
            redaction
        );
    }
}

async fn one_redacts_the_own_events_and_those_of_others_with_power(server: &TestServer) {
    for version in ["2", "3", "12"] {
        let [alice, bob, carol] = users(server, version).await;
        let request = json!({"preset": "public_chat", "room_version": version});
        let room = alice.create_room_with(request).await;
        for user in [&bob, &carol] {
            user.join(&room).await.ok();
        }
        let event = bob.send(&room, "mine").await;
        redact(&bob, &room, &event, "1", json!({})).await.ok();
        let event = bob.send(&room, "mine, too").await;
        // Before version 3 the server of an event may redact it, and these two share theirs.
        redact(&carol, &room, &event, "1", json!({}))
            .await
            .refused(403, "M_FORBIDDEN");
        redact(&alice, &room, &event, "1", json!({})).await.ok();

        let mut levels = alice.state(&room, "m.room.power_levels", "").await.ok();
        levels["redact"] = json!(10);
        levels["events"]["m.room.redaction"] = json!(10);
        levels["users"][&carol.id] = json!(10);
        let set = alice.set_state(&room, "m.room.power_levels", "", levels);
        set.await.ok();
        let event = bob.send(&room, "again").await;
        redact(&carol, &room, &event, "2", json!({})).await.ok();
        let event = bob.send(&room, "and again").await;
        redact(&bob, &room, &event, "2", json!({}))
            .await
            .refused(403, "M_FORBIDDEN");
    }
}

async fn strangers_redact_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let event = alice.send(&room, "hello").await;
    redact(&bob, &room, &event, "1", json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    redact(&bob, "!nowhere:localhost", &event, "1", json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    bob.join(&room).await.ok();
    let own = bob.send(&room, "hello").await;
    bob.leave(&room).await.ok();
    redact(&bob, &room, &own, "1", json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn refuses_what_the_room_does_not_have(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let other = alice.create_room().await;
    let elsewhere = alice.send(&other, "hello").await;
    for event in ["$unheard-of", &elsewhere] {
        redact(&alice, &room, event, "1", json!({}))
            .await
            .refused(404, "M_NOT_FOUND");
    }
    let page = newest(&alice, &other, 1).await;
    assert_eq!(page[0]["content"]["body"], "hello");
    redact(&alice, &room, "no event", "1", json!({}))
        .await
        .refused(400, "M_INVALID_PARAM");
}

async fn refuses_what_must_stay(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let acl = json!({"allow": ["*"]});
    let acl = alice.set_state(&room, "m.room.server_acl", "", acl).await;
    let create = state_event(&alice, &room, "m.room.create").await;
    for event in [text(&create, "event_id"), text(&acl.ok(), "event_id")] {
        redact(&alice, &room, &event, "1", json!({}))
            .await
            .refused(403, "M_FORBIDDEN");
    }
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "hello").await;
    let path = path(&room, &event, "1");
    for (body, errcode) in [
        ("{", "M_NOT_JSON"),
        ("[]", "M_BAD_JSON"),
        ("{\"reason\":5}", "M_BAD_JSON"),
    ] {
        let answer = alice.request(Method::PUT, &path, body.to_owned()).await;
        answer.refused(400, errcode);
    }
    let long = json!({"reason": "a".repeat(70_000)});
    alice.put(&path, long).await.refused(413, "M_TOO_LARGE");
    assert_eq!(
        newest(&alice, &room, 1).await[0]["content"]["body"],
        "hello"
    );
}

async fn a_redaction_can_be_sent_like_any_event(server: &TestServer) {
    let alice = server.user("alice").await;
    for version in ["10", "11", "12"] {
        let room = alice
            .create_room_with(json!({"room_version": version}))
            .await;
        let event = alice.send(&room, "a secret").await;
        let content = json!({"redacts": event, "reason": "why"});
        let sent = alice
            .send_event(&room, "m.room.redaction", version, content.clone())
            .await
            .ok();
        let page = newest(&alice, &room, 2).await;
        assert_eq!(page[0]["event_id"], sent["event_id"]);
        assert_eq!(page[0]["content"], content, "version {version}");
        assert_eq!(page[1]["content"], json!({}), "version {version}");
        let event = alice.send(&room, "another").await;
        let content = json!({"redacts": event});
        alice
            .set_state(&room, "m.room.redaction", "x", content)
            .await
            .ok();
        let page = newest(&alice, &room, 2).await;
        assert_eq!(page[1]["content"], json!({}), "version {version}");
        for content in [json!({}), json!({"redacts": 5}), json!({"redacts": "x"})] {
            alice
                .send_event(&room, "m.room.redaction", "bad", content)
                .await
                .refused(400, "M_BAD_JSON");
        }
    }
}

async fn redacted_state_counts_as_what_is_left_of_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let request = json!({"preset": "public_chat", "room_version": "10", "name": "Kitchen"});
    let room = alice.create_room_with(request).await;
    bob.join(&room).await.ok();

    let name = state_event(&alice, &room, "m.room.name").await;
    redact(&alice, &room, &text(&name, "event_id"), "1", json!({}))
        .await
        .ok();
    let name = alice.state(&room, "m.room.name", "").await;
    assert_eq!(name.ok(), json!({}));

    // Before version 11 a redaction takes `invite` from the power levels: its default is 0.
    let mut levels = alice.state(&room, "m.room.power_levels", "").await.ok();
    levels["invite"] = json!(100);
    let set = alice.set_state(&room, "m.room.power_levels", "", levels);
    let levels = text(&set.await.ok(), "event_id");
    let carol = server.user("carol").await;
    bob.invite(&room, &carol).await.refused(403, "M_FORBIDDEN");
    redact(&alice, &room, &levels, "2", json!({})).await.ok();
    bob.invite(&room, &carol).await.ok();

    // A redacted join is a join, and redacted join rules let in whom they let in.
    let member = newest_of(&alice, &room, &bob.id).await;
    redact(&alice, &room, &member, "3", json!({})).await.ok();
    bob.send(&room, "still here").await;
    let rules = state_event(&alice, &room, "m.room.join_rules").await;
    redact(&alice, &room, &text(&rules, "event_id"), "4", json!({}))
        .await
        .ok();
    server.user("dave").await.join(&room).await.ok();
}

async fn a_second_redaction_changes_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "a secret").await;
    let (one, other) = tokio::join!(
        redact(&alice, &room, &event, "1", json!({})),
        redact(&alice, &room, &event, "2", json!({})),
    );
    let redactions = [one, other].map(|answer| text(&answer.ok(), "event_id"));
    redact(&alice, &room, &event, "3", json!({})).await.ok();
    let page = newest(&alice, &room, 4).await;
    assert_eq!(page[3]["content"], json!({}), "{page}");
    let because = text(&page[3]["unsigned"]["redacted_because"], "event_id");
    assert!(redactions.contains(&because), "{page}");
    assert_eq!(page[2]["event_id"], because, "the first one counts: {page}");
}

async fn originals_are_deleted_after_a_week(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "a secret").await;
    redact(&alice, &room, &event, "1", json!({})).await.ok();
    let store = &server.stores()[0];
    let number = events::find_number(&mut store.read(), &event)
        .await
        .unwrap();
    let number = number.unwrap();
    let kept = async || {
        let mut read = store.read();
        redacted_originals::find(&mut read, number).await.unwrap()
    };
    assert!(kept().await.unwrap().contains("a secret"));
    let day = std::time::Duration::from_hours(24);
    server.clock().advance(6 * day);
    server.rooms().delete_expired_originals().await.unwrap();
    assert!(kept().await.is_some());
    server.clock().advance(day);
    server.rooms().delete_expired_originals().await.unwrap();
    assert!(kept().await.is_none());
}

fn path(room: &str, event: &str, txn: &str) -> String {
    let (room, event, txn) = (encode(room), encode(event), encode(txn));
    format!("/rooms/{room}/redact/{event}/{txn}")
}

async fn redact(user: &User, room: &str, event: &str, txn: &str, body: Value) -> Answer {
    user.put(&path(room, event, txn), body).await
}

/// The newest events of a room, the newest first.
async fn newest(user: &User, room: &str, limit: usize) -> Value {
    let page = user.messages(room, &format!("dir=b&limit={limit}")).await;
    page.ok()["chunk"].take()
}

fn kinds(page: &Value) -> Vec<String> {
    let events = page.as_array().unwrap().iter();
    events.map(|event| text(event, "type")).collect()
}

/// The whole state event with an empty key.
async fn state_event(user: &User, room: &str, kind: &str) -> Value {
    let list = user
        .get(&format!("/rooms/{}/state", encode(room)))
        .await
        .ok();
    let found = list.as_array().unwrap().iter();
    let mut found = found.filter(|event| event["type"] == kind);
    found.next().unwrap().clone()
}

/// The id of a user's member event.
async fn newest_of(viewer: &User, room: &str, user_id: &str) -> String {
    let list = viewer
        .get(&format!("/rooms/{}/state", encode(room)))
        .await
        .ok();
    let found = list.as_array().unwrap().iter();
    let mut found = found.filter(|event| event["state_key"] == user_id);
    text(found.next().unwrap(), "event_id")
}

async fn users(server: &TestServer, suffix: &str) -> [User; 3] {
    [
        server.user(&format!("alice{suffix}")).await,
        server.user(&format!("bob{suffix}")).await,
        server.user(&format!("carol{suffix}")).await,
    ]
}
