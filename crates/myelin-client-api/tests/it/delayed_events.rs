//! Delayed events (MSC4140): scheduling them, and what becomes of them when their time has come.

mod kills;
mod managing;

use std::time::Duration;

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes, wait_until};
use serde_json::{Value, json};

use crate::{accounts::change_account, covers};

three_modes!(
    an_event_is_sent_when_its_time_has_come,
    a_state_event_is_sent_when_its_time_has_come,
    a_repeated_transaction_schedules_once,
    members_alone_may_schedule,
    whether_it_may_be_sent_is_decided_when_it_is,
    whoever_has_left_sends_nothing,
    whoever_may_not_speak_any_more_sends_nothing,
    who_is_logged_out_has_still_said_it,
    whoever_is_gone_for_good_sends_nothing,
    a_message_redacts_itself,
    odd_delays_are_refused,
    odd_events_are_refused,
    only_so_many_wait_at_a_time,
    what_is_there_already_is_sent_as_it_is,
    events_of_a_room_are_sent_in_the_order_of_their_times,
    a_restart_of_the_server_changes_nothing,
    the_limits_are_told,
);

covers! {
    "PUT /_matrix/client/v3/rooms/{roomId}/delayed_event/{eventType}/{txnId}":
        works = a_state_event_is_sent_when_its_time_has_come,
        outsider = members_alone_may_schedule;
    "PUT /_matrix/client/unstable/org.matrix.msc4140/rooms/{roomId}/delayed_event/{eventType}/{txnId}":
        works = a_state_event_is_sent_when_its_time_has_come,
        outsider = members_alone_may_schedule;
}

pub(crate) const STABLE: &str = "/_matrix/client/v1/delayed_events";
pub(crate) const UNSTABLE: &str = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";
const KIND: &str = "org.example.n";
const SECOND: Duration = Duration::from_secs(1);

/// Schedules an event as clients do.
async fn try_delay(user: &User, room: &str, delay: &str, content: Value) -> Answer {
    let (room, txn) = (encode(room), user.new_txn_id());
    let path = format!("/rooms/{room}/send/{KIND}/{txn}?org.matrix.msc4140.delay={delay}");
    user.put(&path, content).await
}

/// The same, of an event with a number, which waits so many seconds; its delay id.
pub(crate) async fn delay(user: &User, room: &str, seconds: u64, number: usize) -> String {
    let delay = (seconds * 1_000).to_string();
    let answer = try_delay(user, room, &delay, json!({"n": number})).await;
    text(&answer.ok(), "delay_id")
}

/// Schedules a topic, which waits so many seconds.
async fn delay_topic(user: &User, room: &str, seconds: u64, topic: &str) -> String {
    let (room, delay) = (encode(room), seconds * 1_000);
    let path = format!("/rooms/{room}/state/m.room.topic?org.matrix.msc4140.delay={delay}");
    let answer = user.put(&path, json!({"topic": topic})).await;
    text(&answer.ok(), "delay_id")
}

/// The numbers of the delayed events that have been sent, in their order.
pub(crate) async fn sent(user: &User, room: &str) -> Vec<u64> {
    let page = user.messages(room, "dir=f&limit=1000").await.ok();
    let events = page["chunk"].as_array().unwrap().iter();
    let ours = events.filter(|event| event["type"] == KIND);
    ours.map(|event| event["content"]["n"].as_u64().unwrap())
        .collect()
}

/// A delayed event as its sender is told of it.
pub(crate) async fn look(user: &User, id: &str) -> Value {
    user.get(&format!("{STABLE}/{id}")).await.ok()
}

/// Lets time pass until a delayed event has ended; how it has.
pub(crate) async fn ended(server: &TestServer, user: &User, id: &str) -> Value {
    wait_until("it has ended", async || {
        server.clock().advance(SECOND);
        look(user, id).await.get("finalised_ts").is_some()
    })
    .await;
    look(user, id).await
}

async fn an_event_is_sent_when_its_time_has_come(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let id = delay(&alice, &room, 10, 1).await;
    let scheduled_at = server.now_ms();
    let waiting = json!({
        "delay_id": id,
        "room_id": room,
        "type": KIND,
        "content": {"n": 1},
        "delay_ms": 10_000,
        "delay": 10_000,
        "scheduled_at": scheduled_at,
        "running_since": scheduled_at,
    });
    for path in [STABLE, UNSTABLE] {
        let all = alice.get(path).await.ok();
        assert_eq!(all, json!({"delayed_events": [waiting]}));
        let one = alice.get(&format!("{path}/{id}")).await.ok();
        assert_eq!(one, waiting);
    }
    server.clock().advance(Duration::from_millis(9_999));
    assert!(sent(&alice, &room).await.is_empty());
    assert!(look(&alice, &id).await.get("finalised_ts").is_none());

    server.clock().advance(Duration::from_millis(1));
    wait_until("it is sent", async || sent(&alice, &room).await == [1]).await;
    for user in [&alice, &bob] {
        let page = user.messages(&room, "dir=b&limit=1").await.ok();
        let event = &page["chunk"][0];
        assert_eq!(event["sender"], alice.id);
        assert_eq!(event["origin_server_ts"], scheduled_at + 10_000);
        let told = ["delay_id", "org.matrix.msc4140.delay_id"];
        let told = told.map(|key| event["unsigned"].get(key).cloned());
        let expected = (user.id == alice.id).then(|| json!(id));
        assert_eq!(told, [expected.clone(), expected], "{event}");
        let synced = user.sync(None).await;
        let timeline = &synced["rooms"]["join"][&room]["timeline"]["events"];
        let last = timeline.as_array().unwrap().last().unwrap();
        assert_eq!(
            last["unsigned"].get("delay_id"),
            event["unsigned"].get("delay_id")
        );
        let (event_id, at) = (&event["event_id"], scheduled_at + 10_000);
        let one = look(&alice, &id).await;
        assert_eq!(
            (&one["event_id"], &one["finalised_ts"]),
            (event_id, &json!(at))
        );
        assert!(one.get("error").is_none());
    }
    let all = alice.get(STABLE).await.ok();
    assert_eq!(all, json!({"delayed_events": []}));
}

async fn a_state_event_is_sent_when_its_time_has_come(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let topic = async || alice.state(&room, "m.room.topic", "").await.body["topic"].clone();
    let id = delay_topic(&alice, &room, 10, "by query").await;
    assert_eq!(look(&alice, &id).await["state_key"], "");
    ended(server, &alice, &id).await;
    assert_eq!(topic().await, "by query");

    for (number, start) in [
        "/_matrix/client/v3/rooms",
        "/_matrix/client/unstable/org.matrix.msc4140/rooms",
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!(
            "{start}/{}/delayed_event/m.room.topic/{number}",
            encode(&room)
        );
        let body = json!({"delay_ms": 5_000, "state_key": "", "content": {"topic": start}});
        let id = text(&alice.put(&path, body).await.ok(), "delay_id");
        let one = ended(server, &alice, &id).await;
        assert_eq!(topic().await, start);
        assert_eq!(
            (&one["delay_ms"], &one["state_key"]),
            (&json!(5_000), &json!(""))
        );
        let state = alice
            .get(&format!("/rooms/{}/state", encode(&room)))
            .await
            .ok();
        let events = state.as_array().unwrap();
        assert!(
            events
                .iter()
                .any(|event| event["event_id"] == one["event_id"])
        );
    }
}

async fn a_repeated_transaction_schedules_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let room_path = encode(&room);
    let query = format!("/rooms/{room_path}/send/{KIND}/same?org.matrix.msc4140.delay=1000");
    let body = format!("/rooms/{room_path}/delayed_event/{KIND}/other");
    let first = text(&alice.put(&query, json!({"n": 1})).await.ok(), "delay_id");
    let request = json!({"delay_ms": 1_000, "content": {"n": 2}});
    let second = text(&alice.put(&body, request.clone()).await.ok(), "delay_id");
    assert_ne!(first, second);
    ended(server, &alice, &first).await;
    ended(server, &alice, &second).await;
    for _ in 0..2 {
        let again = text(&alice.put(&query, json!({"n": 1})).await.ok(), "delay_id");
        assert_eq!(again, first);
        let again = text(&alice.put(&body, request.clone()).await.ok(), "delay_id");
        assert_eq!(again, second);
    }
    assert_eq!(alice.get(STABLE).await.ok()["delayed_events"], json!([]));
    let mut numbers = sent(&alice, &room).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

async fn members_alone_may_schedule(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let content = json!({"n": 1});
    let refused = try_delay(&bob, &room, "1000", content.clone()).await;
    let message = refused.refused(403, "M_FORBIDDEN");
    let unknown = try_delay(&bob, "!nowhere:localhost", "1000", content).await;
    let unknown = unknown.refused(403, "M_FORBIDDEN");
    assert_eq!(
        message.replace(&room, ""),
        unknown.replace("!nowhere:localhost", "")
    );
    for start in [
        "/rooms",
        "/_matrix/client/unstable/org.matrix.msc4140/rooms",
    ] {
        let path = format!("{start}/{}/delayed_event/{KIND}/1", encode(&room));
        let body = json!({"delay_ms": 1_000, "content": {}});
        bob.put(&path, body).await.refused(403, "M_FORBIDDEN");
    }
    let path = format!(
        "/rooms/{}/state/m.room.topic?org.matrix.msc4140.delay=1",
        encode(&room)
    );
    bob.put(&path, json!({})).await.refused(403, "M_FORBIDDEN");
}

async fn whether_it_may_be_sent_is_decided_when_it_is(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let refused = delay_topic(&bob, &room, 10, "too early").await;
    let one = ended(server, &bob, &refused).await;
    assert_eq!(one["error"]["errcode"], "M_FORBIDDEN", "{one}");
    assert!(one["error"]["error"].is_string() && one.get("event_id").is_none());

    let id = delay_topic(&bob, &room, 10, "late enough").await;
    let send = format!("{STABLE}/{id}/send");
    bob.post(&send, json!({})).await.refused(403, "M_FORBIDDEN");
    let one = look(&bob, &id).await;
    assert!(
        one.get("finalised_ts").is_none(),
        "it goes on waiting: {one}"
    );
    let mut levels = alice.state(&room, "m.room.power_levels", "").await.ok();
    levels["events"]["m.room.topic"] = json!(0);
    alice
        .set_state(&room, "m.room.power_levels", "", levels)
        .await
        .ok();
    let one = ended(server, &bob, &id).await;
    assert!(one["event_id"].is_string(), "{one}");
    let topic = alice.state(&room, "m.room.topic", "").await.ok();
    assert_eq!(topic["topic"], "late enough");
}

async fn whoever_has_left_sends_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let id = delay(&bob, &room, 10, 1).await;
    bob.leave(&room).await.ok();
    let one = ended(server, &bob, &id).await;
    assert_eq!(one["error"]["errcode"], "M_FORBIDDEN");
    assert!(sent(&alice, &room).await.is_empty());
}

async fn whoever_may_not_speak_any_more_sends_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let id = delay(&bob, &room, 10, 1).await;
    change_account(server, &bob.id, |account| account.suspended = true).await;
    try_delay(&bob, &room, "1000", json!({}))
        .await
        .refused(403, "M_USER_SUSPENDED");
    let path = format!("/rooms/{}/delayed_event/{KIND}/1", encode(&room));
    bob.put(&path, json!({}))
        .await
        .refused(403, "M_USER_SUSPENDED");
    let send = format!("{STABLE}/{id}/send");
    bob.post(&send, json!({}))
        .await
        .refused(403, "M_USER_SUSPENDED");
    let one = ended(server, &bob, &id).await;
    assert_eq!(one["error"]["errcode"], "M_USER_SUSPENDED");

    change_account(server, &bob.id, |account| account.suspended = false).await;
    let id = delay(&bob, &room, 10, 2).await;
    change_account(server, &bob.id, |account| account.locked = true).await;
    let later = delay(&alice, &room, 20, 3).await;
    ended(server, &alice, &later).await;
    change_account(server, &bob.id, |account| account.locked = false).await;
    let one = look(&bob, &id).await;
    assert_eq!(one["error"]["errcode"], "M_USER_LOCKED");
    assert_eq!(sent(&alice, &room).await, [3]);
}

async fn who_is_logged_out_has_still_said_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    delay(&bob, &room, 10, 1).await;
    bob.post("/logout", json!({})).await.ok();
    server.clock().advance(10 * SECOND);
    wait_until("it is sent", async || sent(&alice, &room).await == [1]).await;
}

async fn whoever_is_gone_for_good_sends_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    delay(&bob, &room, 10, 1).await;
    change_account(server, &bob.id, |account| {
        account.deactivated_ms = Some(1);
    })
    .await;
    let later = delay(&alice, &room, 10, 2).await;
    ended(server, &alice, &later).await;
    assert_eq!(sent(&alice, &room).await, [2]);
}

/// The proposal's first example: the redaction is what is sent later.
async fn a_message_redacts_itself(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event_id = alice.send(&room, "for your eyes only").await;
    let path = format!("/rooms/{}/delayed_event/m.room.redaction/1", encode(&room));
    let body = json!({"delay_ms": 10_000, "content": {"redacts": event_id, "reason": "burnt"}});
    let id = text(&alice.put(&path, body).await.ok(), "delay_id");
    let path = format!("/rooms/{}/event/{}", encode(&room), encode(&event_id));
    let before = alice.get(&path).await.ok();
    assert_eq!(before["content"]["body"], "for your eyes only");
    let one = ended(server, &alice, &id).await;
    let event = alice.get(&path).await.ok();
    assert_eq!(event["content"], json!({}));
    let because = &event["unsigned"]["redacted_because"];
    assert_eq!(because["event_id"], one["event_id"]);
    assert_eq!(because["content"]["reason"], "burnt");
}

async fn odd_delays_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let month_ms = 30_u64 * 24 * 60 * 60 * 1_000;
    for delay in ["", "-1", "1.5", "soon", "0", "99999999999999999999"] {
        let answer = try_delay(&alice, &room, delay, json!({})).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
    let too_long = (month_ms + 1).to_string();
    let answer = try_delay(&alice, &room, &too_long, json!({})).await;
    answer.refused(403, "M_FORBIDDEN");
    let path = format!("/rooms/{}/delayed_event/{KIND}/", encode(&room));
    for (txn, delay, code) in [
        (1, json!(0), (400, "M_INVALID_PARAM")),
        (2, json!(-1), (400, "M_BAD_JSON")),
        (3, json!("1000"), (400, "M_BAD_JSON")),
        (4, json!(month_ms + 1), (403, "M_FORBIDDEN")),
        (5, json!(null), (400, "M_MISSING_PARAM")),
    ] {
        let body = json!({"delay_ms": delay, "content": {}});
        let answer = alice.put(&format!("{path}{txn}"), body).await;
        assert_eq!(answer.code(), code, "{answer:?}");
    }
    assert_eq!(alice.get(STABLE).await.ok()["delayed_events"], json!([]));
    let answer = try_delay(&alice, &room, &month_ms.to_string(), json!({})).await;
    answer.ok();
}

async fn odd_events_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = |kind: &str| format!("/rooms/{}/delayed_event/{kind}/1", encode(&room));
    let long = "x".repeat(256);
    for (kind, body, code) in [
        (KIND, json!({"delay_ms": 1}), (400, "M_MISSING_PARAM")),
        (
            KIND,
            json!({"delay_ms": 1, "content": []}),
            (400, "M_BAD_JSON"),
        ),
        (
            KIND,
            json!({"delay_ms": 1, "content": {"a": 1.5}}),
            (400, "M_BAD_JSON"),
        ),
        (
            KIND,
            json!({"delay_ms": 1, "content": {}, "state_key": 1}),
            (400, "M_BAD_JSON"),
        ),
        (
            KIND,
            json!({"delay_ms": 1, "content": {}, "state_key": long}),
            (400, "M_BAD_JSON"),
        ),
        (
            &long,
            json!({"delay_ms": 1, "content": {}}),
            (400, "M_BAD_JSON"),
        ),
        (
            KIND,
            json!({"delay_ms": 1, "content": {"a": "x".repeat(65_536)}}),
            (413, "M_TOO_LARGE"),
        ),
    ] {
        let answer = alice.put(&path(kind), body).await;
        assert_eq!(answer.code(), code, "{answer:?}");
    }
    // What only the whole event is too large for shows when it is sent.
    let body = json!({"delay_ms": 1, "content": {"a": "x".repeat(65_500)}});
    let id = text(&alice.put(&path(KIND), body).await.ok(), "delay_id");
    let one = ended(server, &alice, &id).await;
    assert_eq!(one["error"]["errcode"], "M_TOO_LARGE");
}

async fn only_so_many_wait_at_a_time(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let first = delay(&alice, &room, 60, 0).await;
    for number in 1..100 {
        delay(&alice, &room, 1_000, number).await;
    }
    let answer = try_delay(&alice, &room, "1000", json!({})).await;
    assert_eq!(answer.body["retry_after_ms"], 60_000);
    assert_eq!(answer.headers["retry-after"], "60");
    answer.refused(429, "M_LIMIT_EXCEEDED");
    let bob = server.user("bob").await;
    bob.create_room().await;
    alice
        .post(&format!("{STABLE}/{first}/cancel"), json!({}))
        .await
        .ok();
    delay(&alice, &room, 1, 100).await;
    let all = alice.get(STABLE).await.ok();
    let all = all["delayed_events"].as_array().unwrap().clone();
    assert_eq!(all.len(), 100);
    assert_eq!(all[0]["content"]["n"], 100, "the next one comes first");
}

async fn what_is_there_already_is_sent_as_it_is(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let set = alice
        .set_state(&room, "m.room.topic", "", json!({"topic": "same"}))
        .await;
    let event_id = text(&set.ok(), "event_id");
    let id = delay_topic(&alice, &room, 10, "same").await;
    let one = ended(server, &alice, &id).await;
    assert_eq!(one["event_id"], event_id);
}

async fn events_of_a_room_are_sent_in_the_order_of_their_times(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let mut last = String::new();
    for seconds in [40, 10, 30, 50, 20] {
        let number = usize::try_from(seconds).unwrap();
        let id = delay(&alice, &room, seconds, number).await;
        if seconds == 50 {
            last = id;
        }
    }
    server.clock().advance(60 * SECOND);
    ended(server, &alice, &last).await;
    assert_eq!(sent(&alice, &room).await, [10, 20, 30, 40, 50]);
}

async fn a_restart_of_the_server_changes_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let early = delay(&alice, &room, 10, 1).await;
    let late = delay(&alice, &room, 100_000, 2).await;
    let before = alice.get(STABLE).await.ok();
    server.restart().await;
    assert_eq!(alice.get(STABLE).await.ok(), before);
    ended(server, &alice, &early).await;
    assert_eq!(sent(&alice, &room).await, [1]);
    server.restart().await;
    ended(server, &alice, &early).await;
    assert!(look(&alice, &late).await.get("finalised_ts").is_none());
    assert_eq!(sent(&alice, &room).await, [1]);
}

async fn the_limits_are_told(server: &TestServer) {
    let alice = server.user("alice").await;
    let answer = alice.get("/capabilities").await.ok();
    let limits = json!({"max_delay_ms": 2_592_000_000_u64, "max_scheduled": 100});
    for name in ["m.delayed_events", "org.matrix.msc4140.delayed_events"] {
        assert_eq!(answer["capabilities"][name], limits);
    }
    let versions = server.get("/_matrix/client/versions").await.ok();
    for name in ["org.matrix.msc4140", "org.matrix.msc4140.stable"] {
        assert_eq!(versions["unstable_features"][name], true);
    }
}
