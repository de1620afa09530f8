//! What the sender of a delayed event does about it.

use std::time::Duration;

use http::Method;
use myelin_accounts::RegistrationSettings;
use myelin_store::{
    WriteSet,
    delayed_events::{self, DelayId},
};
use myelin_testkit::{Answer, Mode, TestServer, User, encode, least_cost, three_modes};
use serde_json::json;

use super::{KIND, SECOND, STABLE, UNSTABLE, delay, ended, look, sent};
use crate::{
    accounts::{Accounts, access_token},
    covers,
};

three_modes!(
    a_cancelled_event_is_never_sent,
    a_restarted_event_waits_for_its_whole_delay,
    an_event_can_be_sent_at_once,
    the_action_may_stand_in_the_body,
    others_neither_see_nor_touch_it,
    what_does_not_exist_is_not_found,
    a_heartbeat_costs_one_row,
    what_became_of_it_is_forgotten_in_the_end,
    no_more_than_a_thousand_are_remembered,
    guests_may_have_delayed_events,
);

covers! {
    "GET /_matrix/client/v1/delayed_events":
        works = others_neither_see_nor_touch_it;
    "GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events":
        works = others_neither_see_nor_touch_it;
    "GET /_matrix/client/v1/delayed_events/{delayId}":
        works = a_cancelled_event_is_never_sent,
        404 = what_does_not_exist_is_not_found;
    "GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}":
        works = a_cancelled_event_is_never_sent,
        404 = what_does_not_exist_is_not_found;
    "POST /_matrix/client/v1/delayed_events/{delayId}/send":
        works = an_event_can_be_sent_at_once,
        404 = what_does_not_exist_is_not_found;
    "POST /_matrix/client/v1/delayed_events/{delayId}/cancel":
        works = a_cancelled_event_is_never_sent,
        404 = what_does_not_exist_is_not_found;
    "POST /_matrix/client/v1/delayed_events/{delayId}/restart":
        works = a_restarted_event_waits_for_its_whole_delay,
        404 = what_does_not_exist_is_not_found;
    "POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/send":
        works = an_event_can_be_sent_at_once,
        404 = what_does_not_exist_is_not_found;
    "POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/cancel":
        works = a_cancelled_event_is_never_sent,
        404 = what_does_not_exist_is_not_found;
    "POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/restart":
        works = a_restarted_event_waits_for_its_whole_delay,
        404 = what_does_not_exist_is_not_found;
    "POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}":
        works = the_action_may_stand_in_the_body,
        404 = what_does_not_exist_is_not_found;
}

const ACTIONS: [&str; 3] = ["send", "cancel", "restart"];

async fn act(user: &User, (start, id): (&str, &str), action: &str) -> Answer {
    user.post(&format!("{start}/{id}/{action}"), json!({}))
        .await
}

async fn a_cancelled_event_is_never_sent(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for start in [STABLE, UNSTABLE] {
        let id = delay(&alice, &room, 10, 1).await;
        let at = (start, &*id);
        assert_eq!(act(&alice, at, "cancel").await.ok(), json!({}));
        let one = alice.get(&format!("{start}/{id}")).await.ok();
        assert_eq!(one["finalised_ts"], server.now_ms());
        assert!(
            one.get("event_id").is_none() && one.get("error").is_none(),
            "{one}"
        );
        assert_eq!(alice.get(start).await.ok()["delayed_events"], json!([]));
        act(&alice, at, "cancel").await.ok();
        act(&alice, at, "send").await.refused(409, "M_UNKNOWN");
        act(&alice, at, "restart").await.refused(409, "M_UNKNOWN");
    }
    let later = delay(&alice, &room, 20, 2).await;
    ended(server, &alice, &later).await;
    assert_eq!(sent(&alice, &room).await, [2]);
}

async fn a_restarted_event_waits_for_its_whole_delay(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let id = delay(&alice, &room, 10, 1).await;
    for start in [STABLE, UNSTABLE] {
        server.clock().advance(Duration::from_millis(9_900));
        assert_eq!(act(&alice, (start, &id), "restart").await.ok(), json!({}));
        let one = look(&alice, &id).await;
        assert_eq!(one["scheduled_at"], server.now_ms());
        assert!(one.get("finalised_ts").is_none());
    }
    let other = delay(&alice, &room, 9, 2).await;
    let one = ended(server, &alice, &id).await;
    assert!(one["event_id"].is_string());
    ended(server, &alice, &other).await;
    assert_eq!(
        sent(&alice, &room).await,
        [2, 1],
        "the other one comes before it by now"
    );
    // Clients schedule another one when they are told that there is none.
    act(&alice, (STABLE, &id), "restart")
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn an_event_can_be_sent_at_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for (number, start) in [STABLE, UNSTABLE].into_iter().enumerate() {
        let id = delay(&alice, &room, 10, number).await;
        let at = (start, &*id);
        for _ in 0..2 {
            assert_eq!(act(&alice, at, "send").await.ok(), json!({}));
        }
        act(&alice, at, "cancel").await.refused(409, "M_UNKNOWN");
        let one = look(&alice, &id).await;
        assert_eq!(one["finalised_ts"], server.now_ms());
        assert!(one["event_id"].is_string());
    }
    let later = delay(&alice, &room, 20, 2).await;
    ended(server, &alice, &later).await;
    assert_eq!(sent(&alice, &room).await, [0, 1, 2]);
}

async fn the_action_may_stand_in_the_body(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let ids = [
        delay(&alice, &room, 10, 0).await,
        delay(&alice, &room, 10, 1).await,
        delay(&alice, &room, 10, 2).await,
    ];
    let act = async |id: &str, body| alice.post(&format!("{UNSTABLE}/{id}"), body).await;
    server.clock().advance(SECOND);
    for (id, action) in ids.iter().zip(ACTIONS) {
        let body = json!({"action": action});
        assert_eq!(act(id, body).await.ok(), json!({}));
    }
    assert_eq!(sent(&alice, &room).await, [0]);
    let waiting = alice.get(STABLE).await.ok();
    assert_eq!(waiting["delayed_events"][0]["delay_id"], ids[2]);
    assert_eq!(
        waiting["delayed_events"][0]["scheduled_at"],
        server.now_ms()
    );
    act(&ids[2], json!({"action": "stop"}))
        .await
        .refused(400, "M_INVALID_PARAM");
    act(&ids[2], json!({"action": 1}))
        .await
        .refused(400, "M_BAD_JSON");
    act(&ids[2], json!({}))
        .await
        .refused(400, "M_MISSING_PARAM");
}

async fn others_neither_see_nor_touch_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let id = delay(&alice, &room, 10, 1).await;
    for start in [STABLE, UNSTABLE] {
        assert_eq!(bob.get(start).await.ok(), json!({"delayed_events": []}));
        bob.get(&format!("{start}/{id}"))
            .await
            .refused(404, "M_NOT_FOUND");
        for action in ACTIONS {
            act(&bob, (start, &id), action)
                .await
                .refused(404, "M_NOT_FOUND");
        }
        let all = alice.get(start).await.ok();
        assert_eq!(all["delayed_events"][0]["delay_id"], id);
    }
    assert!(sent(&alice, &room).await.is_empty());
}

async fn what_does_not_exist_is_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    for id in ["0123456789abcdef", "1", "%00", "0123456789ABCDEF"] {
        for start in [STABLE, UNSTABLE] {
            alice
                .get(&format!("{start}/{id}"))
                .await
                .refused(404, "M_NOT_FOUND");
            for action in ACTIONS {
                act(&alice, (start, id), action)
                    .await
                    .refused(404, "M_NOT_FOUND");
            }
            act(&alice, (start, id), "stop")
                .await
                .refused(404, "M_UNRECOGNIZED");
        }
        let body = json!({"action": "send"});
        let answer = alice.post(&format!("{UNSTABLE}/{id}"), body).await;
        answer.refused(404, "M_NOT_FOUND");
    }
}

async fn a_heartbeat_costs_one_row(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let id = delay(&alice, &room, 3_600, 1).await;
    let cost = least_cost(server, async || {
        act(&alice, (STABLE, &id), "restart").await.ok();
        act(&alice, (STABLE, &id), "restart").await.ok();
    })
    .await;
    // Of two nodes that take turns, one is counted.
    let heartbeats = if server.mode() == Mode::TwoNodes {
        1
    } else {
        2
    };
    assert_eq!(cost.rows_written, heartbeats, "{cost:?}");
}

async fn what_became_of_it_is_forgotten_in_the_end(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let old = delay(&alice, &room, 1, 1).await;
    ended(server, &alice, &old).await;
    server.clock().advance(Duration::from_hours(7 * 24));
    let new = delay(&alice, &room, 1, 2).await;
    ended(server, &alice, &new).await;
    let waiting = delay(&alice, &room, 1_000, 3).await;
    server.rooms().delete_old_delayed_events().await.unwrap();
    alice
        .get(&format!("{STABLE}/{old}"))
        .await
        .refused(404, "M_NOT_FOUND");
    look(&alice, &new).await;
    look(&alice, &waiting).await;
    assert_eq!(
        sent(&alice, &room).await,
        [1, 2],
        "the events themselves stay"
    );
}

/// What is one too many is forgotten when the next one is scheduled, the oldest first.
async fn no_more_than_a_thousand_are_remembered(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let oldest = delay(&alice, &room, 1, 1).await;
    ended(server, &alice, &oldest).await;
    let store = &server.stores()[0];
    let found = delayed_events::find(&mut store.read(), oldest.parse().unwrap()).await;
    let found = found.unwrap().unwrap();
    let mut writes = WriteSet::new();
    let mut later = Vec::new();
    for number in 1..=1_000 {
        let mut copy = found.clone();
        copy.id = DelayId::new(number);
        copy.end.as_mut().unwrap().at_ms += number;
        delayed_events::insert(&mut writes, &copy);
        later.push(copy.id.to_string());
    }
    store.commit(writes).await.unwrap();
    look(&alice, &oldest).await;
    delay(&alice, &room, 1_000, 2).await;
    alice
        .get(&format!("{STABLE}/{oldest}"))
        .await
        .refused(404, "M_NOT_FOUND");
    look(&alice, &later[0]).await;
}

async fn guests_may_have_delayed_events(beside: &TestServer) {
    let registration = RegistrationSettings {
        open: true,
        guests: true,
        ..RegistrationSettings::default()
    };
    let server = TestServer::start_registering(beside.mode(), registration).await;
    let Some(server) = server else {
        return;
    };
    let alice = server.user("alice").await;
    let body = json!({
        "preset": "public_chat",
        "initial_state": [{
            "type": "m.room.guest_access",
            "content": {"guest_access": "can_join"},
        }],
    });
    let room = alice.create_room_with(body).await;
    let api = Accounts { server: &server };
    let register = "/_matrix/client/v3/register?kind=guest";
    let token = access_token(&server.post(register, json!({})).await);
    let call = async |method: Method, path: &str, body| api.call(method, path, &token, body).await;
    let room_path = encode(&room);
    let join = format!("/_matrix/client/v3/rooms/{room_path}/join");
    call(Method::POST, &join, json!({})).await.ok();
    let path = format!("/_matrix/client/v3/rooms/{room_path}/delayed_event/{KIND}/1");
    let body = json!({"delay_ms": 1_000, "content": {"n": 1}});
    let id = call(Method::PUT, &path, body).await.ok()["delay_id"].clone();
    let id = id.as_str().unwrap();
    for start in [STABLE, UNSTABLE] {
        api.get(start, &token).await.ok();
        api.get(&format!("{start}/{id}"), &token).await.ok();
        for action in ["restart", "send"] {
            let path = format!("{start}/{id}/{action}");
            let answer = call(Method::POST, &path, json!({})).await;
            assert_ne!(answer.body["errcode"], "M_GUEST_ACCESS_FORBIDDEN", "{path}");
        }
    }
    assert_eq!(sent(&alice, &room).await, [1]);
    server.stop().await;
}
