//! What comes before an event that has come, and where a room ends once it is there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Method;
use myelin_core::event::Event;
use myelin_rooms::Outcome;
use myelin_testkit::{Peer, PeerRoom, TestServer, User, encode, pdu, three_modes, wait_until};
use ruma::OwnedUserId;
use serde_json::{Value, json};

three_modes!(
    much_that_is_missing_is_asked_for_several_times,
    who_cannot_answer_now_is_asked_again,
    a_gap_lies_before_what_is_told,
    what_comes_late_is_no_end,
    what_is_not_in_the_room_leaves_no_end_behind,
);

const MISSING: &str = "/_matrix/federation/v1/get_missing_events/";

/// A public room of Alice's, with Bob and Carol of the peer in it.
struct Setting {
    alice: User,
    room_id: String,
    peer: Arc<Peer>,
    room: PeerRoom,
    bob: OwnedUserId,
    carol: OwnedUserId,
}

impl Setting {
    async fn new(server: &TestServer) -> Self {
        let alice = server.user("alice").await;
        let room_id = alice.create_public_room().await;
        let peer = Peer::start(server.network(), "peer.example");
        let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "bob").await;
        let (bob, carol) = (room.user("bob"), room.user("carol"));
        let content = json!({"membership": "join"});
        let join = room.set(&carol, "m.room.member", carol.as_str(), content);
        room.receive(server, &join).await;
        Self {
            alice,
            room_id,
            peer,
            room,
            bob,
            carol,
        }
    }

    async fn wait_for(&self, wanted: &str) {
        wait_until("the event has arrived", async || {
            let history = self.alice.messages(&self.room_id, "dir=b&limit=1").await;
            history.ok()["chunk"][0]["content"]["body"] == wanted
        })
        .await;
    }

    fn was_asked_for_states(&self) -> bool {
        let received = self.peer.received();
        received.iter().any(|it| it.path.contains("/state"))
    }

    /// What Alice's next event comes after.
    async fn ends(&self, server: &TestServer) -> Vec<String> {
        let own = self.alice.send(&self.room_id, "own").await;
        let path = format!("/_matrix/federation/v1/event/{}", encode(&own));
        let own = self.peer.get(server, &path).await.ok();
        let ends = own["pdus"][0]["prev_events"].as_array().unwrap().clone();
        let mut ends: Vec<String> = ends
            .iter()
            .filter_map(Value::as_str)
            .map(Into::into)
            .collect();
        ends.sort();
        ends
    }
}

fn ids(events: &[&Event]) -> Vec<String> {
    let mut ids: Vec<String> = events.iter().map(|it| it.event_id.to_string()).collect();
    ids.sort();
    ids
}

async fn much_that_is_missing_is_asked_for_several_times(server: &TestServer) {
    let mut setting = Setting::new(server).await;
    let (bob, room) = (setting.bob.clone(), &mut setting.room);
    let events: Vec<Event> = (0..130)
        .map(|number| room.message(&bob, &number.to_string()))
        .collect();
    let told = events.clone();
    setting.peer.answer(Method::POST, MISSING, move |request| {
        let asked: Value = serde_json::from_slice(request.body()).unwrap();
        let latest = asked["latest_events"][0].as_str().unwrap();
        let before = told
            .iter()
            .position(|event| event.event_id == *latest)
            .unwrap();
        let first = before.saturating_sub(50);
        let pdus: Vec<Value> = told[first..before].iter().map(pdu).collect();
        (200, json!({"events": pdus}))
    });
    let last = events.last().unwrap();
    setting.room.send(server, &[last]).await.ok();
    setting.wait_for("129").await;
    let page = setting.alice.messages(&setting.room_id, "dir=b&limit=200");
    let page = page.await.ok();
    let texts = page["chunk"].as_array().unwrap().iter();
    let texts = texts.filter(|event| event["type"] == "m.room.message");
    assert_eq!(texts.count(), 130);
    assert!(!setting.was_asked_for_states());
}

async fn who_cannot_answer_now_is_asked_again(server: &TestServer) {
    let mut setting = Setting::new(server).await;
    let bob = setting.bob.clone();
    let ids: Vec<_> = setting.room.state.values().cloned().collect();
    let missing = setting.room.message(&bob, "missing");
    let after = setting.room.message(&bob, "after");
    let peer = setting.peer.clone();
    let state = json!({"pdu_ids": ids, "auth_chain_ids": []});
    let path = "/_matrix/federation/v1/state_ids/";
    peer.answer(Method::GET, path, move |_| (200, state.clone()));
    let is_well = Arc::new(AtomicBool::new(false));
    let (answer, heals) = (json!({"events": [pdu(&missing)]}), is_well.clone());
    peer.answer(Method::POST, MISSING, move |_| {
        if heals.load(Ordering::Relaxed) {
            (200, answer.clone())
        } else {
            (503, json!({}))
        }
    });
    setting.room.send(server, &[&after]).await.ok();
    wait_until("it was asked", async || {
        peer.received()
            .iter()
            .any(|it| it.path.starts_with(MISSING))
    })
    .await;
    is_well.store(true, Ordering::Relaxed);
    wait_until("both have arrived", async || {
        server.clock().advance(Duration::from_secs(2));
        let history = setting.alice.messages(&setting.room_id, "dir=b&limit=2");
        let history = history.await.ok();
        let said = |index: usize| history["chunk"][index]["content"]["body"].clone();
        said(0) == "after" && said(1) == "missing"
    })
    .await;
    assert!(!setting.was_asked_for_states());
}

async fn a_gap_lies_before_what_is_told(server: &TestServer) {
    let mut setting = Setting::new(server).await;
    let (bob, room) = (setting.bob.clone(), &mut setting.room);
    let state: Vec<_> = room.state.values().cloned().collect();
    let events = ["lost", "first", "second", "third"].map(|body| room.message(&bob, body));
    let told = json!({"events": [pdu(&events[1]), pdu(&events[2])]});
    let peer = setting.peer.clone();
    peer.answer(Method::POST, MISSING, move |_| (200, told.clone()));
    let state = json!({"pdu_ids": state, "auth_chain_ids": []});
    let path = "/_matrix/federation/v1/state_ids/";
    peer.answer(Method::GET, path, move |_| (200, state.clone()));
    setting.room.send(server, &[&events[3]]).await.ok();
    setting.wait_for("third").await;
    let history = setting.alice.messages(&setting.room_id, "dir=b&limit=3");
    let history = history.await.ok();
    let said = |index: usize| history["chunk"][index]["content"]["body"].clone();
    assert_eq!([said(0), said(1), said(2)], ["third", "second", "first"]);
    let asked = peer.received().into_iter();
    let asked: Vec<String> = asked
        .filter(|it| it.path.contains("/state"))
        .map(|it| it.path)
        .collect();
    let [asked] = &asked[..] else {
        panic!("one state is enough: {asked:?}");
    };
    assert!(
        asked.contains(&encode(events[1].event_id.as_str())),
        "{asked}"
    );
}

async fn what_comes_late_is_no_end(server: &TestServer) {
    let mut setting = Setting::new(server).await;
    let bob = setting.bob.clone();
    let ids_before: Vec<_> = setting.room.state.values().cloned().collect();
    let late = [
        setting.room.message(&bob, "one"),
        setting.room.message(&bob, "two"),
    ];
    let newest = setting.room.message(&bob, "three");
    let state = json!({"pdu_ids": ids_before, "auth_chain_ids": []});
    let path = "/_matrix/federation/v1/state_ids/";
    let peer = setting.peer.clone();
    peer.answer(Method::GET, path, move |_| (200, state.clone()));
    setting.room.send(server, &[&newest]).await.ok();
    setting.wait_for("three").await;
    for event in &late {
        setting.room.receive(server, event).await;
    }
    assert_eq!(setting.ends(server).await, ids(&[&newest]));
}

async fn what_is_not_in_the_room_leaves_no_end_behind(server: &TestServer) {
    let setting = Setting::new(server).await;
    let (bob, carol) = (setting.bob.clone(), setting.carol.clone());
    let mut banned = setting.room.clone();
    // Alice bans Bob while his server says something that comes beside it.
    let path = format!("/rooms/{}/ban", encode(&setting.room_id));
    let body = json!({"user_id": bob});
    setting.alice.post(&path, body).await.ok();
    let newest = setting
        .alice
        .messages(&setting.room_id, "dir=b&limit=1")
        .await;
    let ban = newest.ok()["chunk"][0]["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let beside = banned.message(&carol, "beside the ban");
    banned.receive(server, &beside).await;
    let unheard = banned.message(&bob, "after the ban");
    let outcome = server.rooms().receive_event(unheard).await.unwrap();
    assert!(matches!(outcome, Outcome::SoftFailed { .. }), "{outcome:?}");
    let heard = banned.message(&carol, "heard");
    banned.receive(server, &heard).await;
    // Not what was beside the ban: Carol has spoken since.
    let mut expected = vec![ban, heard.event_id.to_string()];
    expected.sort();
    assert_eq!(setting.ends(server).await, expected);
}
