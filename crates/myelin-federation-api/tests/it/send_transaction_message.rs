//! `PUT /_matrix/federation/v1/send/{txnId}`.

use std::{sync::Arc, time::Duration};

use http::{Method, Response};
use myelin_testkit::{
    Peer, PeerEvent, PeerRoom, TestServer, User, covers, encode, pdu, silent_after, three_modes,
    wait_until,
};
use ruma::OwnedUserId;
use serde_json::{Value, json};

three_modes!(
    events_enter_their_rooms,
    a_transaction_is_worked_off_once,
    too_many_pdus_or_edus_are_refused,
    what_is_no_transaction_is_refused,
    a_bad_pdu_harms_no_other,
    what_another_server_signed_is_dropped,
    the_server_of_an_event_id_must_have_signed,
    changed_content_is_cut_off,
    numbers_out_of_range_are_refused,
    rooms_that_nobody_is_in_take_nothing,
    the_list_of_servers_holds_for_each_pdu,
    the_list_of_servers_holds_for_edus,
    missing_events_are_fetched,
    events_wait_for_what_cannot_be_had,
    across_a_gap_the_state_is_asked_for,
    a_server_without_keys_holds_up_nobody,
    events_out_of_order_all_arrive,
    banned_users_who_send_from_the_past_are_not_heard,
    the_inbox_outlives_a_restart,
    what_was_being_helped_outlives_a_kill,
    transactions_of_one_moment_keep_their_order
);

covers! {
    "PUT /_matrix/federation/v1/send/{txnId}":
        works = events_enter_their_rooms,
        400 = too_many_pdus_or_edus_are_refused;
}

/// A public room of Alice's, with Bob of the peer in it.
struct Setting {
    alice: User,
    room_id: String,
    room: PeerRoom,
    bob: OwnedUserId,
}

async fn setting(server: &TestServer, version: &str) -> Setting {
    let alice = server.user("alice").await;
    let body = json!({"preset": "public_chat", "room_version": version});
    let room_id = alice.create_room_with(body).await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
    let bob = room.user("bob");
    Setting {
        alice,
        room_id,
        room,
        bob,
    }
}

impl Setting {
    /// What was said in the room, the oldest first.
    async fn said(&self) -> Vec<String> {
        let history = self.alice.messages(&self.room_id, "dir=b&limit=50").await;
        let chunk = history.ok()["chunk"].clone();
        let events = chunk.as_array().unwrap().iter().rev();
        let body = |event: &Value| event["content"]["body"].as_str().map(ToOwned::to_owned);
        events.filter_map(body).collect()
    }

    async fn wait_for(&self, wanted: &[&str]) {
        wait_until("everything has arrived", async || {
            self.said().await == wanted
        })
        .await;
    }

    async fn wait_in_time(&self, server: &TestServer, wanted: &[&str]) {
        let found = async || self.said().await == wanted;
        server
            .wait_while_time_passes("everything has arrived", found)
            .await;
    }
}

async fn events_enter_their_rooms(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let since = setting.alice.sync(None).await["next_batch"].clone();
    let (bob, room) = (setting.bob.clone(), &mut setting.room);
    let events = [room.message(&bob, "one"), room.message(&bob, "two")];
    let answer = room.send(server, &[&events[0], &events[1]]).await.ok();
    for event in &events {
        assert_eq!(answer["pdus"][event.event_id.as_str()], json!({}));
    }
    setting.wait_for(&["one", "two"]).await;
    let news = setting.alice.sync(since.as_str()).await;
    let timeline = &news["rooms"]["join"][&setting.room_id]["timeline"]["events"];
    assert_eq!(timeline[1]["event_id"], events[1].event_id.as_str());
}

async fn a_transaction_is_worked_off_once(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let bob = setting.bob.clone();
    let event = setting.room.message(&bob, "once");
    let body = json!({
        "origin": "peer.example",
        "origin_server_ts": 1,
        "pdus": [pdu(&event), {"room_id": setting.room_id, "event_id": "$bad", "type": 1}],
    });
    let path = "/_matrix/federation/v1/send/again";
    let peer = setting.room.peer.clone();
    let first = peer.put(server, path, body).await.ok();
    assert!(first["pdus"]["$bad"]["error"].is_string(), "{first}");
    let other = json!({"origin": "peer.example", "origin_server_ts": 1, "pdus": []});
    for _ in 0..2 {
        assert_eq!(peer.put(server, path, other.clone()).await.ok(), first);
    }
    setting.wait_for(&["once"]).await;
    // Another server's transaction of this id is another one.
    let second = Peer::start(server.network(), "second.example");
    let answer = second.put(server, path, other).await.ok();
    assert_eq!(answer, json!({"pdus": {}}));
}

async fn too_many_pdus_or_edus_are_refused(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    for (pdus, edus) in [(51, 0), (0, 101)] {
        let answer = peer.transaction(server, vec![json!({}); pdus], vec![json!({}); edus]);
        answer.await.refused(400, "M_BAD_JSON");
    }
    let answer = peer.transaction(server, vec![json!({}); 50], vec![json!({}); 100]);
    assert_eq!(answer.await.ok(), json!({"pdus": {}}));
}

async fn what_is_no_transaction_is_refused(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let put = |txn: String, body: Value| {
        let path = format!("/_matrix/federation/v1/send/{txn}");
        let peer = peer.clone();
        async move { peer.call(server, Method::PUT, &path, Some(body)).await }
    };
    put("a".to_owned(), json!({"pdus": {}}))
        .await
        .refused(400, "M_BAD_JSON");
    let long = "a".repeat(256);
    put(long, json!({"pdus": []}))
        .await
        .refused(400, "M_INVALID_PARAM");
}

/// Synapse 1.15.2 and later: a malformed event drops alone.
async fn a_bad_pdu_harms_no_other(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let bob = setting.bob.clone();
    let event = setting.room.message(&bob, "good");
    let mut unsigned = pdu(&event);
    unsigned["content"]["body"] = json!("forged");
    unsigned["signatures"] = json!({});
    let mut huge = pdu(&event);
    huge["content"]["body"] = json!("a".repeat(70_000));
    let pdus = vec![
        json!(1),
        json!({}),
        json!({"room_id": setting.room_id}),
        json!({"room_id": "!elsewhere:x.org", "event_id": "$a"}),
        unsigned,
        huge,
        pdu(&event),
    ];
    let peer = setting.room.peer.clone();
    let answer = peer.transaction(server, pdus, vec![json!(1), json!({"edu_type": 7})]);
    let answer = answer.await.ok();
    assert_eq!(answer["pdus"][event.event_id.as_str()], json!({}));
    setting.wait_for(&["good"]).await;
}

/// Synapse #3641: events that nobody had signed were taken.
async fn what_another_server_signed_is_dropped(server: &TestServer) {
    let mut setting = setting(server, "10").await;
    let bob = setting.bob.clone();
    let other = Peer::start(server.network(), "other.example");
    let mut forger = setting.room.clone();
    forger.peer = other;
    let forged = forger.message(&bob, "forged");
    let good = setting.room.message(&bob, "good");
    setting.room.send(server, &[&forged, &good]).await.ok();
    setting.wait_for(&["good"]).await;
    // It was not even kept as refused: the true event of that id may still come.
    let path = format!(
        "/rooms/{}/event/{}",
        encode(&setting.room_id),
        encode(forged.event_id.as_str())
    );
    setting.alice.get(&path).await.refused(404, "M_NOT_FOUND");
}

/// In room versions 1 and 2 the id of an event is a claim, which its server has to sign.
async fn the_server_of_an_event_id_must_have_signed(server: &TestServer) {
    let mut setting = setting(server, "1").await;
    let bob = setting.bob.clone();
    let honest = setting.room.make(PeerEvent::text(&bob, "honest"));
    let mut object: ruma::CanonicalJsonObject = serde_json::from_str(&honest.json).unwrap();
    object.insert("event_id".to_owned(), "$stolen:other.example".into());
    object.remove("signatures");
    object.remove("hashes");
    let rules = ruma::RoomVersionId::V1.rules().unwrap();
    let key = &setting.room.peer.server.key;
    ruma::signatures::hash_and_sign_event("peer.example", key, &mut object, &rules.redaction)
        .unwrap();
    let stolen = serde_json::to_value(object).unwrap();
    let good = setting.room.message(&bob, "good");
    let peer = setting.room.peer.clone();
    peer.transaction(server, vec![stolen, pdu(&good)], Vec::new())
        .await
        .ok();
    setting.wait_for(&["good"]).await;
}

async fn changed_content_is_cut_off(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    for version in ["1", "6", "11", "12"] {
        let alice = server.user(&format!("alice{version}")).await;
        let body = json!({"preset": "public_chat", "room_version": version});
        let room_id = alice.create_room_with(body).await;
        let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
        let event = room.message(&room.user("bob"), "true");
        let mut changed = pdu(&event);
        changed["content"]["body"] = json!("false");
        peer.transaction(server, vec![changed], Vec::new())
            .await
            .ok();
        let path = format!(
            "/rooms/{}/event/{}",
            encode(&room_id),
            encode(event.event_id.as_str())
        );
        let seen = async || {
            let answer = alice.get(&path).await;
            answer.status == 200 && answer.ok()["content"] == json!({})
        };
        wait_until("what is left of the event is there", seen).await;
    }
}

/// CVE-2025-30355: an event whose depth is out of range makes later transactions unreadable.
async fn numbers_out_of_range_are_refused(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let bob = setting.bob.clone();
    let good = setting.room.message(&bob, "good");
    let mut pdus = vec![pdu(&good)];
    for bad in [json!(-1), json!("1"), json!(null), json!({})] {
        for key in ["depth", "origin_server_ts"] {
            let mut changed = pdu(&good);
            changed[key] = bad.clone();
            pdus.push(changed);
        }
    }
    let peer = setting.room.peer.clone();
    let answer = peer.transaction(server, pdus, Vec::new()).await.ok();
    assert_eq!(answer["pdus"].as_object().unwrap().len(), 1, "{answer}");
    setting.wait_for(&["good"]).await;
}

async fn rooms_that_nobody_is_in_take_nothing(server: &TestServer) {
    let mut setting = setting(server, "1").await;
    setting.alice.leave(&setting.room_id).await.ok();
    let event = setting.room.message(&setting.bob, "alone");
    let answer = setting.room.send(server, &[&event]).await.ok();
    let error = &answer["pdus"][event.event_id.as_str()]["error"];
    assert_eq!(error, "this server is not in the room");
}

async fn the_list_of_servers_holds_for_each_pdu(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let other_id = setting.alice.create_public_room().await;
    let peer = setting.room.peer.clone();
    let mut other = PeerRoom::joined(&peer, server, (&setting.alice, &other_id), "bob").await;
    let acl = json!({"allow": ["*"], "deny": ["PEER.*"]});
    setting
        .alice
        .set_state(&setting.room_id, "m.room.server_acl", "", acl)
        .await
        .ok();
    let bob = setting.bob.clone();
    let (kept_out, let_in) = (setting.room.message(&bob, "no"), other.message(&bob, "yes"));
    let pdus = vec![pdu(&kept_out), pdu(&let_in)];
    let answer = peer.transaction(server, pdus, Vec::new()).await.ok();
    assert!(
        answer["pdus"][kept_out.event_id.as_str()]["error"].is_string(),
        "{answer}"
    );
    assert_eq!(answer["pdus"][let_in.event_id.as_str()], json!({}));
    setting.room_id = other_id;
    setting.wait_for(&["yes"]).await;
}

/// Synapse #3796: EDUs name rooms, too.
async fn the_list_of_servers_holds_for_edus(server: &TestServer) {
    let setting = setting(server, "12").await;
    let acl = json!({"allow": ["localhost"]});
    setting
        .alice
        .set_state(&setting.room_id, "m.room.server_acl", "", acl)
        .await
        .ok();
    let event = setting.alice.send(&setting.room_id, "read me").await;
    let since = setting.alice.sync(None).await["next_batch"].clone();
    let receipt = json!({"m.read": {&*setting.bob: {"data": {"ts": 1}, "event_ids": [event]}}});
    let edus = vec![
        json!({"edu_type": "m.typing", "content": {
            "room_id": setting.room_id, "user_id": setting.bob, "typing": true,
        }}),
        json!({"edu_type": "m.receipt", "content": {&setting.room_id: receipt}}),
    ];
    let peer = setting.room.peer.clone();
    peer.transaction(server, Vec::new(), edus).await.ok();
    let news = setting.alice.sync(since.as_str()).await;
    assert!(news["rooms"]["join"][&setting.room_id].is_null(), "{news}");
}

async fn missing_events_are_fetched(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let (bob, room) = (setting.bob.clone(), &mut setting.room);
    let mut events = Vec::new();
    for body in ["one", "two", "three"] {
        events.push(room.message(&bob, body));
    }
    let missing = json!({"events": [pdu(&events[1]), pdu(&events[0])]});
    let path = "/_matrix/federation/v1/get_missing_events/";
    room.peer
        .answer(Method::POST, path, move |_| (200, missing.clone()));
    room.send(server, &[&events[2]]).await.ok();
    setting.wait_for(&["one", "two", "three"]).await;
    let asked = setting.room.peer.received();
    let asked = asked
        .iter()
        .find(|request| request.path.starts_with(path))
        .unwrap();
    assert_eq!(asked.body["latest_events"], json!([events[2].event_id]));
    assert_eq!(asked.body["earliest_events"], json!(events[0].prev_events));
}

async fn across_a_gap_the_state_is_asked_for(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let peer = setting.room.peer.clone();
    let bob = setting.bob.clone();
    let ids: Vec<_> = setting.room.state.values().cloned().collect();
    setting.room.message(&bob, "never given to anybody");
    let late = setting.room.message(&bob, "late");
    let of_ids = json!({"pdu_ids": ids, "auth_chain_ids": []});
    let path = "/_matrix/federation/v1/state_ids/";
    peer.answer(Method::GET, path, move |_| (200, of_ids.clone()));
    setting.room.send(server, &[&late]).await.ok();
    setting.wait_for(&["late"]).await;
    // The room goes on behind the gap.
    let next = setting.room.message(&bob, "next");
    setting.room.send(server, &[&next]).await.ok();
    setting.wait_for(&["late", "next"]).await;
    let own = setting.alice.send(&setting.room_id, "own").await;
    let path = format!("/_matrix/federation/v1/event/{}", encode(&own));
    let own = peer.get(server, &path).await.ok();
    let prev = own["pdus"][0]["prev_events"].to_string();
    assert!(prev.contains(next.event_id.as_str()), "{prev}");
}

async fn events_wait_for_what_cannot_be_had(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let bob = setting.bob.clone();
    let mut fork = setting.room.clone();
    let missing = setting.room.message(&bob, "missing");
    let after = setting.room.message(&bob, "after");
    let beside = fork.message(&bob, "beside");
    setting.room.send(server, &[&after, &beside]).await.ok();
    // What does not depend on it is not held up.
    setting.wait_for(&["beside"]).await;
    // Once it is there, the next attempt succeeds.
    let path = "/_matrix/federation/v1/get_missing_events/";
    let answer = json!({"events": [pdu(&missing)]});
    setting
        .room
        .peer
        .answer(Method::POST, path, move |_| (200, answer.clone()));
    setting
        .wait_in_time(server, &["beside", "missing", "after"])
        .await;
}

async fn a_server_without_keys_holds_up_nobody(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let silent = Peer::start(server.network(), "silent.example");
    let mut theirs =
        PeerRoom::joined(&silent, server, (&setting.alice, &setting.room_id), "eve").await;
    silent.answer(Method::GET, "/_matrix/key/v2/server", |_| (500, json!({})));
    let silent_id = theirs.message(&theirs.user("eve"), "silent");
    let eves = setting.room.clone();
    setting.room = PeerRoom::of(&eves.peer, &setting.alice, &setting.room_id).await;
    let bob = setting.bob.clone();
    let good = setting.room.message(&bob, "good");
    setting.room.send(server, &[&silent_id, &good]).await.ok();
    setting.wait_for(&["good"]).await;
}

async fn events_out_of_order_all_arrive(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let (bob, room) = (setting.bob.clone(), &mut setting.room);
    let mut events = Vec::new();
    for body in ["one", "two", "three", "four"] {
        events.push(room.message(&bob, body));
    }
    room.send(server, &[&events[3], &events[1], &events[2], &events[0]])
        .await
        .ok();
    setting.wait_for(&["one", "two", "three", "four"]).await;
}

/// Spec, "Soft failure": its own example.
async fn banned_users_who_send_from_the_past_are_not_heard(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let bob = setting.bob.clone();
    let path = format!("/rooms/{}/ban", encode(&setting.room_id));
    setting
        .alice
        .post(&path, json!({"user_id": bob}))
        .await
        .ok();
    let since = setting.alice.sync(None).await["next_batch"].clone();
    // Bob's server says that it has not heard of the ban.
    let late = setting.room.message(&bob, "still here");
    setting.room.send(server, &[&late]).await.ok();
    let waiting = format!(
        "/_matrix/federation/v1/event/{}",
        encode(late.event_id.as_str())
    );
    let second = Peer::start(server.network(), "second.example");
    PeerRoom::joined(&second, server, (&setting.alice, &setting.room_id), "carol").await;
    // It is kept, and given to servers that ask for it, but clients do not see it.
    wait_until("it is stored", async || {
        second.get(server, &waiting).await.status == 200
    })
    .await;
    assert_eq!(setting.said().await, [""; 0]);
    let news = setting.alice.sync(since.as_str()).await.to_string();
    assert!(!news.contains("still here"), "{news}");
    // Nothing is built on it.
    let own = setting.alice.send(&setting.room_id, "gone").await;
    let path = format!("/_matrix/federation/v1/event/{}", encode(&own));
    let own = second.get(server, &path).await.ok();
    let prev = &own["pdus"][0]["prev_events"];
    assert!(!prev.to_string().contains(late.event_id.as_str()), "{prev}");
}

async fn the_inbox_outlives_a_restart(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let bob = setting.bob.clone();
    let missing = setting.room.message(&bob, "missing");
    let after = setting.room.message(&bob, "after");
    setting.room.send(server, &[&after]).await.ok();
    server.restart().await;
    let path = "/_matrix/federation/v1/get_missing_events/";
    let answer = json!({"events": [pdu(&missing)]});
    setting
        .room
        .peer
        .answer(Method::POST, path, move |_| (200, answer.clone()));
    setting.wait_in_time(server, &["missing", "after"]).await;
}

async fn what_was_being_helped_outlives_a_kill(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let bob = setting.bob.clone();
    let missing = setting.room.message(&bob, "missing");
    let after = setting.room.message(&bob, "after");
    let path = "/_matrix/federation/v1/get_missing_events/";
    let peer = Arc::clone(&setting.room.peer);
    // The question is open when the node ends.
    peer.answer_with(Method::POST, path, |_| Response::new(silent_after("{")));
    setting.room.send(server, &[&after]).await.ok();
    wait_until("help is sought", async || {
        let received = peer.received();
        received.iter().any(|asked| asked.path.starts_with(path))
    })
    .await;
    server.kill().await;
    let answer = json!({"events": [pdu(&missing)]});
    peer.answer(Method::POST, path, move |_| (200, answer.clone()));
    // Whatever the node had written down before it ended, and whatever lease it had.
    server.clock().advance(Duration::from_mins(1));
    server.start_again().await;
    setting.wait_for(&["missing", "after"]).await;
}

/// The clock stands still: time alone does not tell which of them came first. Between two nodes it
/// has to.
async fn transactions_of_one_moment_keep_their_order(server: &TestServer) {
    let mut setting = setting(server, "12").await;
    let bob = setting.bob.clone();
    for _ in 0..10 {
        let mut message = |n| setting.room.message(&bob, &format!("message {n}"));
        let events: Vec<_> = (0..50).map(&mut message).collect();
        let events: Vec<_> = events.iter().collect();
        setting.room.send(server, &events).await.ok();
        if server.stores().len() > 1 {
            server.clock().advance(Duration::from_millis(1));
        }
    }
    let last = setting.room.message(&bob, "the last");
    setting.room.send(server, &[&last]).await.ok();
    wait_until("all of them are there", async || {
        let newest = setting.alice.messages(&setting.room_id, "dir=b&limit=1");
        newest.await.ok()["chunk"][0]["content"]["body"] == "the last"
    })
    .await;
    let asked = setting.room.peer.received();
    let path = "/_matrix/federation/v1/get_missing_events/";
    assert!(!asked.iter().any(|asked| asked.path.starts_with(path)));
}
