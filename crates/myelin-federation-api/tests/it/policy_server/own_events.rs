//! What users of this server do in rooms that use a policy server.

use std::collections::BTreeSet;

use http::Method;
use myelin_core::signing_key::SigningKey;
use myelin_testkit::{
    Mode, Peer, PeerRoom, TestServer, encode, least_cost, run, three_modes, wait_until,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{SIGN, Scene, is_signed, key, named, signature};

three_modes!(
    events_are_signed_before_they_are_sent,
    a_refusal_is_told_as_it_is,
    a_policy_server_logs_nobody_out,
    an_unreachable_policy_server_stops_what_is_sent,
    the_event_that_names_it_needs_no_signature,
    a_policy_server_that_is_not_in_the_room_is_not_asked,
    a_signature_by_another_key_does_not_do,
    every_kind_of_event_is_signed,
    a_refused_act_changes_nothing,
    the_same_reaction_is_not_asked_about,
    invitations_are_signed_before_they_go_out,
    who_sends_at_once_is_not_kept_waiting,
    the_same_words_at_once_are_said_twice,
    a_repeated_request_is_asked_about_once,
    a_room_is_upgraded_with_signatures
);

async fn events_are_signed_before_they_are_sent(server: &TestServer) {
    let scene = Scene::new(server).await;
    let event_id = scene.alice.send(&scene.room_id, "hello").await;
    let asked = scene.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0]["content"]["body"], "hello");
    assert_eq!(asked[0]["room_id"], *scene.room_id);
    assert!(asked[0]["signatures"]["localhost"].is_object());

    let stored = scene.pdu(server, &event_id).await;
    assert!(is_signed(&stored, "localhost"), "{stored}");
    wait_until("the event was sent", async || {
        let sent = scene.policy.pdus();
        sent.iter()
            .any(|pdu| pdu["content"]["body"] == "hello" && is_signed(pdu, "localhost"))
    })
    .await;
    assert_eq!(scene.said().await, ["hello"]);
}

async fn a_refusal_is_told_as_it_is(server: &TestServer) {
    let scene = Scene::new(server).await;
    let refusals = [
        (
            400,
            "M_FORBIDDEN",
            "The message appears to contain possible spam",
        ),
        (400, "M_BAD_JSON", "no"),
        (
            403,
            "M_FORBIDDEN",
            "Your server is not allowed to request a signature.",
        ),
        (404, "M_NOT_FOUND", "Unknown room"),
        (404, "M_UNRECOGNIZED", "what?"),
        (429, "M_LIMIT_EXCEEDED", "slowly"),
    ];
    for (status, errcode, error) in refusals {
        let body = json!({"errcode": errcode, "error": error, "retry_after_ms": 1234});
        scene.answer(status, &body);
        let content = json!({"msgtype": "m.text", "body": error});
        let sent = scene
            .alice
            .send_event(&scene.room_id, "m.room.message", error, content);
        let answer = sent.await;
        assert_eq!(answer.code(), (status, errcode));
        assert_eq!(answer.error(), error);
        let retry_after_ms = &answer.body["retry_after_ms"];
        assert_eq!(retry_after_ms.as_u64(), (status == 429).then_some(1234));
    }
    assert_eq!(scene.said().await, [""; 0]);
    // What comes next does not build on what was refused.
    scene.policy.answer(Method::POST, SIGN, |request| {
        (200, signature(request, &key()))
    });
    scene.alice.send(&scene.room_id, "decent").await;
    assert_eq!(scene.said().await, ["decent"]);
}

async fn a_policy_server_logs_nobody_out(server: &TestServer) {
    let scene = Scene::new(server).await;
    for (status, errcode) in [
        (401, "M_UNKNOWN_TOKEN"),
        (400, "M_UNKNOWN_TOKEN"),
        (403, "M_USER_DEACTIVATED"),
        (429, "M_FORBIDDEN"),
        (418, ""),
    ] {
        let body = json!({"errcode": errcode, "error": "gone", "soft_logout": true});
        scene.answer(status, &body);
        let txn = format!("{status}{errcode}");
        let content = json!({"msgtype": "m.text", "body": txn});
        let sent = scene
            .alice
            .send_event(&scene.room_id, "m.room.message", &txn, content);
        assert_eq!(sent.await.refused(403, "M_FORBIDDEN"), "gone");
    }
}

async fn an_unreachable_policy_server_stops_what_is_sent(server: &TestServer) {
    let scene = Scene::new(server).await;
    let content = |txn: &str| json!({"msgtype": "m.text", "body": txn});
    let send = async |txn: &str| {
        let send = scene
            .alice
            .send_event(&scene.room_id, "m.room.message", txn, content(txn));
        send.await.refused(502, "M_UNKNOWN")
    };
    server.network().set_cut_off("policy.example", true);
    let message = send("1").await;
    assert!(
        message.contains("policy.example cannot be asked"),
        "{message}"
    );
    server.network().set_cut_off("policy.example", false);
    // A fault of its own is none of the user's.
    scene.answer(500, &json!({"errcode": "M_FORBIDDEN", "error": "x"}));
    send("2").await;
    scene.answer(200, &json!("x"));
    send("3").await;
    scene.answer(200, &json!({"policy.example": {}}));
    send("4").await;
    assert_eq!(scene.said().await, [""; 0]);
    // Once it is back, the next one is sent.
    scene.policy.answer(Method::POST, SIGN, |request| {
        (200, signature(request, &key()))
    });
    scene
        .alice
        .send_event(&scene.room_id, "m.room.message", "2", content("2"))
        .await
        .ok();
    assert_eq!(scene.said().await, ["2"]);
}

async fn the_event_that_names_it_needs_no_signature(server: &TestServer) {
    let scene = Scene::new(server).await;
    assert_eq!(scene.asked().len(), 0);
    server.network().set_cut_off("policy.example", true);
    let with_key = json!({"via": "policy.example", "public_keys": {"ed25519": "x"}});
    let other = scene
        .alice
        .set_state(&scene.room_id, "m.room.policy", "x", with_key);
    other.await.refused(502, "M_UNKNOWN");
    // So a room gets rid of a policy server that is gone.
    scene
        .alice
        .set_state(&scene.room_id, "m.room.policy", "", json!({}))
        .await
        .ok();
    scene.alice.send(&scene.room_id, "free").await;
    assert_eq!(scene.said().await, ["free"]);
    assert_eq!(scene.asked().len(), 0);
}

async fn a_policy_server_that_is_not_in_the_room_is_not_asked(server: &TestServer) {
    let mut scene = Scene::new(server).await;
    let bot = scene.room.user("bot");
    scene.room = PeerRoom::of(&scene.policy, &scene.alice, &scene.room_id).await;
    let leave = json!({"membership": "leave"});
    let leave = scene.room.set(&bot, "m.room.member", bot.as_str(), leave);
    scene.room.receive(server, &leave).await;
    let asked = scene.asked().len();
    scene.alice.send(&scene.room_id, "alone").await;
    assert_eq!(scene.asked().len(), asked);
    assert_eq!(scene.said().await, ["alone"]);
}

async fn a_signature_by_another_key_does_not_do(server: &TestServer) {
    let scene = Scene::new(server).await;
    let other = || SigningKey::from_seed("policy_server", [8; 32]);
    scene.policy.answer(Method::POST, SIGN, move |request| {
        (200, signature(request, &other()))
    });
    let content = json!({"msgtype": "m.text", "body": "x"});
    let sent = scene
        .alice
        .send_event(&scene.room_id, "m.room.message", "1", content.clone());
    let message = sent.await.refused(502, "M_UNKNOWN");
    assert!(message.contains("the key that the room names"), "{message}");
    // The room can name the new key.
    let renewed = named(&other());
    scene
        .alice
        .set_state(&scene.room_id, "m.room.policy", "", renewed)
        .await
        .ok();
    scene
        .alice
        .send_event(&scene.room_id, "m.room.message", "1", content)
        .await
        .ok();
    assert_eq!(scene.said().await, ["x"]);
}

async fn every_kind_of_event_is_signed(server: &TestServer) {
    let scene = Scene::new(server).await;
    let (alice, room_id) = (&scene.alice, &*scene.room_id);
    let bob = server.user("bob").await;
    alice.invite(room_id, &bob).await.ok();
    bob.join(room_id).await.ok();
    let said = bob.send(room_id, "hello").await;
    let redact = format!("/rooms/{}/redact/{}/1", encode(room_id), encode(&said));
    bob.put(&redact, json!({})).await.ok();
    alice
        .set_state(room_id, "m.room.topic", "", json!({"topic": "policies"}))
        .await
        .ok();
    let act = async |act: &str| {
        let path = format!("/rooms/{}/{act}", encode(room_id));
        alice.post(&path, json!({"user_id": bob.id})).await.ok();
    };
    act("kick").await;
    act("ban").await;
    act("unban").await;
    bob.join(room_id).await.ok();
    bob.leave(room_id).await.ok();

    let acts: Vec<String> = scene
        .asked()
        .iter()
        .map(|pdu| {
            let membership = pdu["content"]["membership"].as_str();
            membership.or(pdu["type"].as_str()).unwrap().to_owned()
        })
        .collect();
    let expected = [
        "invite",
        "join",
        "m.room.message",
        "m.room.redaction",
        "m.room.topic",
        "leave",
        "ban",
        "leave",
        "join",
        "leave",
    ];
    assert_eq!(acts, expected);
    let history = alice.messages(room_id, "dir=b&limit=10").await.ok();
    for event in history["chunk"].as_array().unwrap() {
        let pdu = scene.pdu(server, event["event_id"].as_str().unwrap()).await;
        assert!(is_signed(&pdu, "localhost"), "{pdu}");
    }
    let redacted = &history["chunk"][7];
    assert_eq!(redacted["event_id"], said);
    assert_eq!(redacted["content"], json!({}), "the redaction took effect");
    // A name that a user takes is carried into the room, too.
    let path = format!("/profile/{}/displayname", encode(&alice.id));
    alice.put(&path, json!({"displayname": "Alice"})).await.ok();
    wait_until("the name is carried into the room", async || {
        let member = alice.state(room_id, "m.room.member", &alice.id).await.ok();
        member["displayname"] == "Alice"
    })
    .await;
    assert_eq!(
        scene.asked().last().unwrap()["content"]["displayname"],
        "Alice"
    );
}

async fn a_refused_act_changes_nothing(server: &TestServer) {
    let scene = Scene::new(server).await;
    let bob = server.user("bob").await;
    scene.answer(400, &json!({"errcode": "M_FORBIDDEN", "error": "not so"}));
    assert_eq!(
        bob.join(&scene.room_id).await.refused(400, "M_FORBIDDEN"),
        "not so"
    );
    let topic = json!({"topic": "spam"});
    let set = scene
        .alice
        .set_state(&scene.room_id, "m.room.topic", "", topic);
    set.await.refused(400, "M_FORBIDDEN");
    scene
        .alice
        .invite(&scene.room_id, &bob)
        .await
        .refused(400, "M_FORBIDDEN");
    let state = scene.alice.state(&scene.room_id, "m.room.topic", "").await;
    state.refused(404, "M_NOT_FOUND");
    let path = format!("/rooms/{}/joined_members", encode(&scene.room_id));
    let joined = scene.alice.get(&path);
    let joined = joined.await.ok();
    assert_eq!(joined["joined"].as_object().unwrap().len(), 2, "{joined}");
}

async fn the_same_reaction_is_not_asked_about(server: &TestServer) {
    let scene = Scene::new(server).await;
    let said = scene.alice.send(&scene.room_id, "hello").await;
    let react = async |txn: &str| {
        let relation = json!({"rel_type": "m.annotation", "event_id": said, "key": "+"});
        let content = json!({"m.relates_to": relation});
        let react = scene
            .alice
            .send_event(&scene.room_id, "m.reaction", txn, content);
        react.await
    };
    react("1").await.ok();
    react("2").await.refused(400, "M_DUPLICATE_ANNOTATION");
    assert_eq!(scene.asked().len(), 2, "{:?}", scene.asked());
    // Of two at once the second is refused, at the latest when its signature has come.
    let relation = json!({"rel_type": "m.annotation", "event_id": said, "key": "-"});
    let content = json!({"m.relates_to": relation});
    let (one, other) = tokio::join!(
        scene
            .alice
            .send_event(&scene.room_id, "m.reaction", "3", content.clone()),
        scene
            .alice
            .send_event(&scene.room_id, "m.reaction", "4", content),
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

async fn invitations_are_signed_before_they_go_out(server: &TestServer) {
    let scene = Scene::new(server).await;
    let peer = Peer::start(server.network(), "peer.example");
    // The invited user's server keeps no signature but its own.
    let answering = peer.clone();
    peer.answer(
        Method::PUT,
        "/_matrix/federation/v2/invite",
        move |request| {
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let mut event = body["event"].clone();
            assert!(is_signed(&event, "localhost"), "{event}");
            event["signatures"]
                .as_object_mut()
                .unwrap()
                .remove("policy.example");
            let version = "12".try_into().unwrap();
            let event = myelin_core::event::parse(event.to_string().as_bytes(), &version).unwrap();
            let signed = myelin_core::event::add_signature(&event, &version, &answering.server);
            (200, json!({"event": myelin_testkit::pdu(&signed.unwrap())}))
        },
    );
    let path = format!("/rooms/{}/invite", encode(&scene.room_id));
    scene
        .alice
        .post(&path, json!({"user_id": "@carol:peer.example"}))
        .await
        .ok();
    assert_eq!(scene.asked().len(), 1, "{:?}", scene.asked());
    let member = scene
        .alice
        .messages(&scene.room_id, "dir=b&limit=1")
        .await
        .ok();
    let event_id = member["chunk"][0]["event_id"].as_str().unwrap().to_owned();
    let invitation = scene.pdu(server, &event_id).await;
    assert!(
        invitation["signatures"]["peer.example"].is_object(),
        "{invitation}"
    );

    scene.answer(400, &json!({"errcode": "M_FORBIDDEN", "error": "not them"}));
    let refused = scene
        .alice
        .post(&path, json!({"user_id": "@dora:peer.example"}))
        .await;
    assert_eq!(refused.refused(400, "M_FORBIDDEN"), "not them");
    assert_eq!(peer.received().len(), 1, "nobody else was told");
}

async fn who_sends_at_once_is_not_kept_waiting(server: &TestServer) {
    let scene = Scene::new(server).await;
    let mut sending = JoinSet::new();
    let texts: BTreeSet<String> = (0..8).map(|number| format!("text {number}")).collect();
    for text in texts.clone() {
        let (alice, room_id) = (scene.alice.clone(), scene.room_id.clone());
        sending.spawn(async move { alice.send(&room_id, &text).await });
    }
    while let Some(sent) = sending.join_next().await {
        sent.unwrap();
    }
    let said: BTreeSet<String> = scene.said().await.into_iter().collect();
    assert_eq!(said, texts);
    wait_until("all were sent", async || {
        let sent = scene.policy.pdus();
        let sent = sent.iter().filter(|pdu| pdu["content"]["body"].is_string());
        sent.filter(|pdu| is_signed(pdu, "localhost")).count() == texts.len()
    })
    .await;
}

/// By a clock that stands still, the two are one event at first.
async fn the_same_words_at_once_are_said_twice(server: &TestServer) {
    let scene = Scene::new(server).await;
    let (one, other) = tokio::join!(
        scene.alice.send(&scene.room_id, "hello"),
        scene.alice.send(&scene.room_id, "hello"),
    );
    assert_ne!(one, other);
    assert_eq!(scene.said().await, ["hello", "hello"]);
}

async fn a_repeated_request_is_asked_about_once(server: &TestServer) {
    let scene = Scene::new(server).await;
    let content = json!({"msgtype": "m.text", "body": "once"});
    let send = async || {
        let sent = scene
            .alice
            .send_event(&scene.room_id, "m.room.message", "1", content.clone());
        sent.await.ok()["event_id"].clone()
    };
    assert_eq!(send().await, send().await);
    assert_eq!(scene.asked().len(), 1);
    assert_eq!(scene.said().await, ["once"]);
    // The device that has sent it knows it again.
    let history = scene
        .alice
        .messages(&scene.room_id, "dir=b&limit=1")
        .await
        .ok();
    assert_eq!(history["chunk"][0]["unsigned"]["transaction_id"], "1");
}

async fn a_room_is_upgraded_with_signatures(server: &TestServer) {
    let scene = Scene::new(server).await;
    let (alice, room_id) = (&scene.alice, &*scene.room_id);
    let path = format!("/rooms/{}/upgrade", encode(room_id));
    let upgraded = alice.post(&path, json!({"new_version": "11"})).await.ok();
    let tombstone = alice.state(room_id, "m.room.tombstone", "").await.ok();
    assert_eq!(tombstone["replacement_room"], upgraded["replacement_room"]);
    let types: Vec<Value> = scene
        .asked()
        .iter()
        .map(|pdu| pdu["type"].clone())
        .collect();
    assert_eq!(types, ["m.room.tombstone", "m.room.power_levels"]);
    let levels = alice.state(room_id, "m.room.power_levels", "").await.ok();
    assert_eq!(levels["events_default"], 50, "{levels}");
    let event_id = &alice
        .state(
            upgraded["replacement_room"].as_str().unwrap(),
            "m.room.create",
            "",
        )
        .await
        .ok()["predecessor"]["event_id"];
    let pdu = scene.pdu(server, event_id.as_str().unwrap()).await;
    assert!(is_signed(&pdu, "localhost"), "{pdu}");

    let other = Scene::of(server, alice.clone()).await;
    let policy = named(&key());
    alice
        .set_state(&other.room_id, "m.room.policy", "", policy)
        .await
        .ok();
    other.answer(400, &json!({"errcode": "M_FORBIDDEN", "error": "stay"}));
    let path = format!("/rooms/{}/upgrade", encode(&other.room_id));
    let refused = alice.post(&path, json!({"new_version": "11"})).await;
    assert_eq!(refused.refused(400, "M_FORBIDDEN"), "stay");
    let tombstone = alice.state(&other.room_id, "m.room.tombstone", "").await;
    tombstone.refused(404, "M_NOT_FOUND");
}

// Which of two nodes a request costs something is not for the test to say.
mod other_rooms_ask_nobody {
    use super::{Mode, run};

    #[test]
    fn sqlite() {
        run(Mode::Sqlite, &super::other_rooms_ask_nobody);
    }

    #[test]
    fn postgres() {
        run(Mode::Postgres, &super::other_rooms_ask_nobody);
    }
}

/// Only a room that names a policy server costs the look whether it is there.
async fn other_rooms_ask_nobody(server: &TestServer) {
    let scene = Scene::without_policy(server).await;
    let named_room = scene.alice.create_public_room().await;
    let policy = named(&key());
    scene
        .alice
        .set_state(&named_room, "m.room.policy", "", policy)
        .await
        .ok();
    let plain_room = scene.alice.create_public_room().await;
    scene
        .alice
        .set_state(&plain_room, "m.room.other", "", json!({"x": 1}))
        .await
        .ok();
    let send = async |room: &str| {
        let cost = least_cost(server, async || {
            scene.alice.send(room, "hello").await;
        });
        cost.await
    };
    let plain = send(&plain_room).await;
    let named = send(&named_room).await;
    assert_eq!(plain.trie_nodes_read, 0, "{plain:?}");
    assert_eq!(plain.statements + 1, named.statements);
    scene.alice.send(&scene.room_id, "hello").await;
    assert_eq!(scene.asked().len(), 0);
}
