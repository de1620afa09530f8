//! What is not said at once in rooms that use a policy server: delayed events, what a redaction takes
//! along, and what is sticky.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Method, Response};
use myelin_testkit::{
    Peer, PeerRoom, TestServer, encode, held_until, text, three_modes, wait_until,
};
use serde_json::{Value, json};

use super::{SIGN, Scene, is_signed, key, signature};

three_modes!(
    a_delayed_event_is_signed_when_it_is_sent,
    a_delayed_state_event_is_signed,
    a_delayed_event_that_is_refused_is_not_sent,
    a_delayed_event_is_cancelled_while_its_signature_is_awaited,
    what_a_redaction_takes_along_is_signed,
    what_is_refused_is_not_taken_along,
    a_sticky_event_that_was_signed_reaches_who_comes_later,
    a_sticky_event_that_is_refused_is_not_sticky,
);

const DELAYED_EVENTS: &str = "/_matrix/client/v1/delayed_events";

impl Scene {
    /// Lets Alice say something in ten seconds; the delay id.
    async fn say_later(&self, body: &str) -> String {
        let path = format!(
            "/rooms/{}/send/m.room.message/{}?org.matrix.msc4140.delay=10000",
            encode(&self.room_id),
            self.alice.new_txn_id()
        );
        let content = json!({"msgtype": "m.text", "body": body});
        text(&self.alice.put(&path, content).await.ok(), "delay_id")
    }

    async fn delayed(&self, id: &str) -> Value {
        self.alice.get(&format!("{DELAYED_EVENTS}/{id}")).await.ok()
    }

    async fn act(&self, id: &str, action: &str) -> myelin_testkit::Answer {
        let path = format!("{DELAYED_EVENTS}/{id}/{action}");
        self.alice.post(&path, json!({})).await
    }

    /// Lets time pass until a delayed event has ended; how it has.
    async fn ended(&self, server: &TestServer, id: &str) -> Value {
        server
            .wait_while_time_passes("it has ended", async || {
                self.delayed(id).await.get("finalised_ts").is_some()
            })
            .await;
        self.delayed(id).await
    }

    /// From now on the policy server refuses what this says.
    fn refuse(&self, is_bad: impl Fn(&Value) -> bool + Send + Sync + 'static) {
        self.policy.answer(Method::POST, SIGN, move |request| {
            let pdu: Value = serde_json::from_slice(request.body()).unwrap();
            if is_bad(&pdu) {
                (400, json!({"errcode": "M_FORBIDDEN", "error": "spam"}))
            } else {
                (200, signature(request, &key()))
            }
        });
    }

    async fn event(&self, event_id: &str) -> Value {
        let path = format!(
            "/rooms/{}/event/{}",
            encode(&self.room_id),
            encode(event_id)
        );
        self.alice.get(&path).await.ok()
    }

    async fn relate(&self, event_id: &str) -> String {
        let relation = json!({"rel_type": "m.reference", "event_id": event_id});
        let content = json!({"m.relates_to": relation, "msgtype": "m.text"});
        let txn = self.alice.new_txn_id();
        let sent = self
            .alice
            .send_event(&self.room_id, "m.room.message", &txn, content);
        text(&sent.await.ok(), "event_id")
    }

    /// Redacts an event and all that relates to it.
    async fn redact_all(&self, event_id: &str) {
        let path = format!(
            "/rooms/{}/redact/{}/1",
            encode(&self.room_id),
            encode(event_id)
        );
        let body = json!({"with_rel_types": ["*"]});
        self.alice.put(&path, body).await.ok();
    }

    async fn is_redacted(&self, event_id: &str) -> bool {
        let event = self.event(event_id).await;
        event["unsigned"].get("redacted_because").is_some()
    }

    /// Lets Alice send a sticky event.
    async fn stick(&self, body: &str) -> myelin_testkit::Answer {
        let path = format!(
            "/rooms/{}/send/m.room.message/{body}?org.matrix.msc4354.sticky_duration_ms=3600000",
            encode(&self.room_id)
        );
        let content = json!({"msgtype": "m.text", "body": body});
        self.alice.put(&path, content).await
    }
}

async fn a_delayed_event_is_signed_when_it_is_sent(server: &TestServer) {
    let scene = Scene::new(server).await;
    let by_time = scene.say_later("in time").await;
    let by_hand = scene.say_later("at once").await;
    assert!(scene.asked().is_empty(), "nothing is said yet");
    scene.act(&by_hand, "send").await.ok();
    scene.act(&by_hand, "send").await.ok();
    assert_eq!(scene.asked().len(), 1, "it is sent once");
    let hand = scene.delayed(&by_hand).await;
    let time = scene.ended(server, &by_time).await;
    assert_eq!(scene.said().await, ["at once", "in time"]);
    for one in [hand, time] {
        let event_id = text(&one, "event_id");
        let pdu = scene.pdu(server, &event_id).await;
        assert!(is_signed(&pdu, "localhost"), "{pdu}");
        let event = scene.event(&event_id).await;
        assert_eq!(event["unsigned"]["delay_id"], one["delay_id"]);
    }
    assert_eq!(scene.asked().len(), 2);
}

async fn a_delayed_state_event_is_signed(server: &TestServer) {
    let scene = Scene::new(server).await;
    let path = format!(
        "/rooms/{}/delayed_event/m.room.topic/1",
        encode(&scene.room_id)
    );
    let body = json!({"delay_ms": 10_000, "state_key": "", "content": {"topic": "later"}});
    let id = text(&scene.alice.put(&path, body).await.ok(), "delay_id");
    let one = scene.ended(server, &id).await;
    let topic = scene.alice.state(&scene.room_id, "m.room.topic", "").await;
    assert_eq!(topic.ok()["topic"], "later");
    let pdu = scene.pdu(server, &text(&one, "event_id")).await;
    assert!(is_signed(&pdu, "localhost"), "{pdu}");
    assert_eq!(scene.asked().len(), 1);
}

async fn a_delayed_event_that_is_refused_is_not_sent(server: &TestServer) {
    let scene = Scene::new(server).await;
    let id = scene.say_later("spam").await;
    scene.refuse(|pdu| pdu["content"]["body"] == "spam");
    let refused = scene.act(&id, "send").await;
    assert_eq!(refused.refused(400, "M_FORBIDDEN"), "spam");
    let one = scene.delayed(&id).await;
    assert!(one.get("finalised_ts").is_none(), "it goes on waiting");
    let one = scene.ended(server, &id).await;
    assert_eq!(
        one["error"],
        json!({"errcode": "M_FORBIDDEN", "error": "spam"})
    );
    assert!(one.get("event_id").is_none());
    // What stands behind it is sent.
    let id = scene.say_later("decent").await;
    scene.ended(server, &id).await;
    assert_eq!(scene.said().await, ["decent"]);
}

/// Nobody holds the room or the delayed event while the policy server is asked.
async fn a_delayed_event_is_cancelled_while_its_signature_is_awaited(server: &TestServer) {
    let scene = Scene::new(server).await;
    let id = scene.say_later("too late").await;
    let let_go = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&let_go);
    scene
        .policy
        .answer_with(Method::POST, SIGN, move |request| {
            let signed = signature(request, &key()).to_string();
            Response::new(held_until(Arc::clone(&held), signed))
        });
    let cancel = async {
        wait_until("it is asked about", async || !scene.asked().is_empty()).await;
        scene.act(&id, "cancel").await.ok();
        let_go.store(true, Ordering::SeqCst);
    };
    let (sent, ()) = tokio::join!(scene.act(&id, "send"), cancel);
    sent.refused(409, "M_UNKNOWN");
    let one = scene.delayed(&id).await;
    assert!(one["finalised_ts"].is_u64(), "{one}");
    assert!(one.get("event_id").is_none() && one.get("error").is_none());
    scene.alice.send(&scene.room_id, "hello").await;
    assert_eq!(scene.said().await, ["hello"]);
}

async fn what_a_redaction_takes_along_is_signed(server: &TestServer) {
    let scene = Scene::new(server).await;
    let root = scene.alice.send(&scene.room_id, "root").await;
    let children = [scene.relate(&root).await, scene.relate(&root).await];
    let before = scene.asked().len();
    scene.redact_all(&root).await;
    for child in &children {
        wait_until("it is redacted", async || scene.is_redacted(child).await).await;
        let because = scene.event(child).await["unsigned"]["redacted_because"].clone();
        let pdu = scene.pdu(server, &text(&because, "event_id")).await;
        assert!(is_signed(&pdu, "localhost"), "{pdu}");
    }
    assert!(scene.is_redacted(&root).await);
    assert_eq!(scene.asked().len(), before + 3, "each is asked about once");
}

async fn what_is_refused_is_not_taken_along(server: &TestServer) {
    let scene = Scene::new(server).await;
    let root = scene.alice.send(&scene.room_id, "root").await;
    let first = scene.relate(&root).await;
    let second = scene.relate(&root).await;
    let last = scene.relate(&root).await;
    let kept = second.clone();
    scene.refuse(move |pdu| pdu["content"]["redacts"] == *kept);
    scene.redact_all(&root).await;
    for child in [&first, &last] {
        wait_until("it is redacted", async || scene.is_redacted(child).await).await;
    }
    assert!(!scene.is_redacted(&second).await);
    assert!(scene.is_redacted(&root).await);
}

async fn a_sticky_event_that_was_signed_reaches_who_comes_later(server: &TestServer) {
    let scene = Scene::new(server).await;
    let id = text(&scene.stick("sticky").await.ok(), "event_id");
    let late = Peer::start(server.network(), "late.example");
    PeerRoom::joined(&late, server, (&scene.alice, &scene.room_id), "carol").await;
    server
        .wait_while_time_passes("it has reached who came", async || {
            let pdus = late.pdus();
            let found = pdus.iter().find(|pdu| pdu["content"]["body"] == "sticky");
            found.is_some_and(|pdu| is_signed(pdu, "localhost"))
        })
        .await;
    assert_eq!(scene.said().await, ["sticky"]);
    let event = scene.event(&id).await;
    let left = &event["unsigned"]["msc4354_sticky_duration_ttl_ms"];
    assert!(left.is_u64(), "{event}");
}

async fn a_sticky_event_that_is_refused_is_not_sticky(server: &TestServer) {
    let mut scene = Scene::new(server).await;
    scene.room = PeerRoom::of(&scene.policy, &scene.alice, &scene.room_id).await;
    let bot = scene.room.user("bot");
    scene.refuse(|pdu| pdu["content"]["body"] == "spam");
    assert_eq!(
        scene.stick("spam").await.refused(400, "M_FORBIDDEN"),
        "spam"
    );
    let spam = scene.room.append(myelin_testkit::PeerEvent {
        sticky_ms: Some(3_600_000),
        ..myelin_testkit::PeerEvent::text(&bot, "spam")
    });
    let received = server.rooms().receive_event(spam).await.unwrap();
    let refused = matches!(received, myelin_rooms::Outcome::SoftFailed { .. });
    assert!(refused, "{received:?}");
    // What waits is judged anew when the room moves, and lacks the signature still.
    let filter = encode(&json!({"room": {"timeline": {"types": []}}}).to_string());
    let path = format!("/sync?timeout=0&filter={filter}");
    for number in 0..5 {
        scene.stick(&format!("decent-{number}")).await.ok();
        server.clock().advance(Duration::from_secs(2));
    }
    let answer = scene.alice.get(&path).await.ok();
    let sticky = &answer["rooms"]["join"][&scene.room_id]["msc4354_sticky"]["events"];
    let bodies: Vec<&Value> = sticky
        .as_array()
        .into_iter()
        .flatten()
        .map(|event| &event["content"]["body"])
        .collect();
    assert_eq!(bodies.len(), 5, "{bodies:?}");
    assert!(!bodies.contains(&&json!("spam")), "{bodies:?}");
}
