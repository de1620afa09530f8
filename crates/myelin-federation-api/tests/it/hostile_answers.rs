//! What servers may answer to who wants to join their rooms, and what comes of it.

use std::sync::{Arc, Mutex};

use http::Method;
use myelin_testkit::{Answer, Peer, PeerRoom, TestServer, User, encode, pdu, three_modes};
use serde_json::{Value, json};

three_modes!(
    an_honest_answer_makes_a_room,
    templates_of_something_else_are_not_signed,
    a_subset_of_the_state_is_refused,
    what_does_not_hold_is_left_out,
    another_event_than_the_one_sent_is_refused,
    the_room_version_must_be_true,
    answers_that_break_off_are_refused,
    left_out_members_are_refused,
    servers_are_asked_one_after_the_other,
    refusals_reach_the_client,
    an_attempt_that_failed_can_be_repeated,
    invitations_must_come_back_signed,
);

type Lie = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// A peer with a public room, and what it does to its answers before it sends them.
pub(crate) struct Liar {
    pub(crate) peer: Arc<Peer>,
    pub(crate) room: PeerRoom,
    template: Arc<Mutex<Option<Lie>>>,
    state: Arc<Mutex<Option<Lie>>>,
}

impl Liar {
    fn new(server: &TestServer, name: &str, version: &str) -> Self {
        let peer = Peer::start(server.network(), name);
        let mut room = PeerRoom::create(&peer, version, "mallory");
        let mallory = room.user("mallory");
        let levels = json!({"users": {}, "events_default": 0});
        if version == "12" {
            room.set(&mallory, "m.room.power_levels", "", levels);
        }
        room.set(&mallory, "m.room.name", "", json!({"name": "Trap"}));
        Self::with_room(peer, room)
    }

    pub(crate) fn with_room(peer: Arc<Peer>, room: PeerRoom) -> Self {
        let liar = Self {
            peer,
            room,
            template: Arc::default(),
            state: Arc::default(),
        };
        liar.serve();
        liar
    }

    fn serve(&self) {
        let (room, lie) = (self.room.clone(), self.template.clone());
        let path = "/_matrix/federation/v1/make_join/";
        self.peer.answer(Method::GET, path, move |request| {
            let user = request.uri().path().rsplit('/').next().unwrap();
            let user = user.replace("%40", "@").replace("%3A", ":");
            let mut room = room.clone();
            let user: ruma::OwnedUserId = user.try_into().unwrap();
            let event = room.set(
                &user,
                "m.room.member",
                user.as_str(),
                json!({"membership": "join"}),
            );
            let mut answer = json!({"room_version": room.version, "event": pdu(&event)});
            if let Some(lie) = &*lie.lock().unwrap() {
                lie(&mut answer);
            }
            (200, answer)
        });
        let (room, lie) = (self.room.clone(), self.state.clone());
        let path = "/_matrix/federation/v2/send_join/";
        self.peer.answer(Method::PUT, path, move |request| {
            let event: Value = serde_json::from_slice(request.body()).unwrap();
            let all: Vec<Value> = room.events.iter().map(pdu).collect();
            let is_current = |event: &&myelin_core::event::Event| {
                room.state.values().any(|id| *id == event.event_id)
            };
            let state: Vec<Value> = room.events.iter().filter(is_current).map(pdu).collect();
            let mut answer = json!({"state": state, "auth_chain": all, "event": event});
            if let Some(lie) = &*lie.lock().unwrap() {
                lie(&mut answer);
            }
            (200, answer)
        });
    }

    fn lie_about_template(&self, lie: impl Fn(&mut Value) + Send + Sync + 'static) {
        *self.template.lock().unwrap() = Some(Arc::new(lie));
    }

    fn lie_about_state(&self, lie: impl Fn(&mut Value) + Send + Sync + 'static) {
        *self.state.lock().unwrap() = Some(Arc::new(lie));
    }

    fn be_honest(&self) {
        *self.template.lock().unwrap() = None;
        *self.state.lock().unwrap() = None;
    }

    pub(crate) async fn join(&self, user: &User) -> Answer {
        join_via(
            user,
            self.room.id.as_str(),
            &[self.peer.server.name.as_str()],
        )
        .await
    }

    pub(crate) async fn is_joined(&self, user: &User) -> bool {
        let rooms = user.get("/joined_rooms").await.ok();
        let rooms = rooms["joined_rooms"].as_array().unwrap().clone();
        rooms.contains(&json!(self.room.id))
    }

    fn sent_joins(&self) -> usize {
        let received = self.peer.received();
        let is_join = |path: &str| path.contains("/send_join/");
        received
            .iter()
            .filter(|request| is_join(&request.path))
            .count()
    }
}

async fn join_via(user: &User, room: &str, via: &[&str]) -> Answer {
    let via: Vec<String> = via.iter().map(|server| format!("via={server}")).collect();
    let path = format!("/join/{}?{}", encode(room), via.join("&"));
    user.post(&path, json!({})).await
}

fn remove(list: &mut Value, kind: &str) {
    let list = list.as_array_mut().unwrap();
    list.retain(|event| event["type"] != kind);
}

async fn an_honest_answer_makes_a_room(server: &TestServer) {
    let alice = server.user("alice").await;
    for version in 1..=12 {
        let liar = Liar::new(server, "peer.example", &version.to_string());
        liar.join(&alice).await.ok();
        assert!(liar.is_joined(&alice).await);
        let name = alice.state(liar.room.id.as_str(), "m.room.name", "");
        assert_eq!(name.await.ok()["name"], "Trap");
        alice.send(liar.room.id.as_str(), "hello").await;
    }
}

/// CVE-2026-24471: a template for power levels, or for another user, must not be signed.
async fn templates_of_something_else_are_not_signed(server: &TestServer) {
    let alice = server.user("alice").await;
    let lies = [
        ("/event/type", json!("m.room.power_levels")),
        ("/event/room_id", json!("!other:peer.example")),
        ("/event/sender", json!("@mallory:peer.example")),
        ("/event/state_key", json!("@mallory:peer.example")),
        ("/event/content/membership", json!("leave")),
        ("/event/auth_events", json!("all")),
        ("/event/depth", json!(-5)),
        ("/room_version", json!("org.example.unheard")),
        ("/event", json!([])),
    ];
    let liar = Liar::new(server, "peer.example", "11");
    for (pointer, value) in lies {
        liar.lie_about_template(move |answer| {
            *answer.pointer_mut(pointer).unwrap() = value.clone();
        });
        liar.join(&alice).await.refused(502, "M_UNKNOWN");
    }
    assert_eq!(liar.sent_joins(), 0);
    // What else a template says is not signed either.
    liar.lie_about_template(|answer| {
        answer["event"]["content"]["displayname"] = json!("Mallory");
        answer["event"]["content"]["is_direct"] = json!(true);
        answer["event"]["redacts"] = json!("$all");
    });
    liar.join(&alice).await.ok();
    let sent = liar.peer.received().pop().unwrap();
    assert_eq!(sent.body["content"]["membership"], "join");
    assert!(sent.body["content"].get("is_direct").is_none());
    assert_ne!(sent.body["content"]["displayname"], "Mallory");
    assert!(sent.body.get("redacts").is_none());
}

/// Synapse 1.15.2: a small subset of the state takes the place of the whole.
async fn a_subset_of_the_state_is_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    for version in ["6", "11", "12"] {
        let liar = Liar::new(server, "peer.example", version);
        for held_back in ["m.room.power_levels", "m.room.join_rules", "m.room.create"] {
            liar.lie_about_state(move |answer| remove(&mut answer["state"], held_back));
            liar.join(&alice).await.refused(502, "M_UNKNOWN");
        }
        liar.lie_about_state(|answer| {
            remove(&mut answer["state"], "m.room.power_levels");
            remove(&mut answer["auth_chain"], "m.room.power_levels");
        });
        liar.join(&alice).await.refused(502, "M_UNKNOWN");
        assert!(!liar.is_joined(&alice).await);
    }
}

async fn what_does_not_hold_is_left_out(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Liar::new(server, "peer.example", "11");
    let other = PeerRoom::create(&liar.peer, "11", "mallory");
    let foreign = pdu(other.events.last().unwrap());
    let forged_by = Peer::start(server.network(), "victim.example");
    let victim = PeerRoom {
        peer: liar.peer.clone(),
        ..liar.room.clone()
    };
    let of_victim: ruma::OwnedUserId = "@victim:victim.example".try_into().unwrap();
    let mut victim = victim;
    let forged = victim.set(
        &of_victim,
        "m.room.member",
        of_victim.as_str(),
        json!({"membership": "join"}),
    );
    let mut unsigned_name = pdu(&forged);
    unsigned_name["signatures"] = json!({});
    let forged = pdu(&forged);
    let extra = [
        json!(null),
        json!({"type": "m.room.topic"}),
        json!("text"),
        foreign,
        forged,
        unsigned_name,
        json!({"depth": 1.5, "type": "m.room.topic", "state_key": ""}),
    ];
    liar.lie_about_state(move |answer| {
        for list in ["state", "auth_chain"] {
            answer[list].as_array_mut().unwrap().extend(extra.clone());
        }
    });
    liar.join(&alice).await.ok();
    let members = format!("/rooms/{}/members", encode(liar.room.id.as_str()));
    let members = alice.get(&members).await.ok();
    let chunk = members["chunk"].as_array().unwrap();
    let mut keys: Vec<&str> = chunk
        .iter()
        .map(|event| event["state_key"].as_str().unwrap())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, ["@alice:localhost", "@mallory:peer.example"]);
    drop(forged_by);
}

async fn another_event_than_the_one_sent_is_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Liar::new(server, "peer.example", "11");
    let name = pdu(liar.room.events.last().unwrap());
    let lies: [Lie; 3] = [
        Arc::new(move |answer: &mut Value| answer["event"] = name.clone()),
        Arc::new(|answer: &mut Value| answer["event"]["content"]["membership"] = json!("ban")),
        Arc::new(|answer: &mut Value| answer["event"] = json!({})),
    ];
    for lie in lies {
        liar.lie_about_state(move |answer| lie(answer));
        liar.join(&alice).await.refused(502, "M_UNKNOWN");
    }
    assert!(!liar.is_joined(&alice).await);
}

async fn the_room_version_must_be_true(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Liar::new(server, "peer.example", "10");
    liar.lie_about_template(|answer| answer["room_version"] = json!("11"));
    liar.join(&alice).await.refused(502, "M_UNKNOWN");
    assert!(!liar.is_joined(&alice).await);
}

async fn answers_that_break_off_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Liar::new(server, "peer.example", "11");
    let lies: [Lie; 4] = [
        Arc::new(|answer: &mut Value| *answer = json!([])),
        Arc::new(|answer: &mut Value| *answer = json!({})),
        Arc::new(|answer: &mut Value| answer["state"] = json!({})),
        Arc::new(|answer: &mut Value| answer["auth_chain"] = json!(null)),
    ];
    for lie in lies {
        liar.lie_about_state(move |answer| lie(answer));
        liar.join(&alice).await.refused(502, "M_UNKNOWN");
    }
    assert!(!liar.is_joined(&alice).await);
}

async fn left_out_members_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Liar::new(server, "peer.example", "11");
    liar.lie_about_state(|answer| answer["members_omitted"] = json!(true));
    liar.join(&alice).await.refused(502, "M_UNKNOWN");
}

async fn servers_are_asked_one_after_the_other(server: &TestServer) {
    let alice = server.user("alice").await;
    let ignorant = Peer::start(server.network(), "ignorant.example");
    let liar = Liar::new(server, "liar.example", "12");
    let honest = Liar::new(server, "peer.example", "12");
    liar.lie_about_template(|answer| answer["event"]["type"] = json!("m.room.power_levels"));
    let via = [
        "localhost",
        "dead.example",
        "ignorant.example",
        "liar.example",
        "peer.example",
    ];
    join_via(&alice, honest.room.id.as_str(), &via).await.ok();
    assert!(honest.is_joined(&alice).await);
    for asked in [&ignorant, &liar.peer] {
        let asked = asked.received();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(asked[0].path.contains("/make_join/"));
    }
    assert_eq!(honest.sent_joins(), 1);
}

async fn refusals_reach_the_client(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let path = "/_matrix/federation/v1/make_join/";
    let table = [
        (
            403,
            json!({"errcode": "M_FORBIDDEN", "error": "No."}),
            403,
            "M_FORBIDDEN",
        ),
        (
            404,
            json!({"errcode": "M_NOT_FOUND", "error": "No."}),
            404,
            "M_NOT_FOUND",
        ),
        (
            400,
            json!({"errcode": "M_UNABLE_TO_AUTHORISE_JOIN", "error": "No."}),
            400,
            "M_UNABLE_TO_AUTHORISE_JOIN",
        ),
        (
            400,
            json!({"errcode": "M_INVALID_PARAM", "error": "No."}),
            502,
            "M_UNKNOWN",
        ),
        (
            500,
            json!({"errcode": "M_UNKNOWN", "error": "No."}),
            502,
            "M_UNKNOWN",
        ),
        (
            400,
            json!({
                "errcode": "M_INCOMPATIBLE_ROOM_VERSION",
                "error": "No.",
                "room_version": "org.example.future",
            }),
            400,
            "M_INCOMPATIBLE_ROOM_VERSION",
        ),
    ];
    for (status, body, shown, errcode) in table {
        peer.answer(Method::GET, path, move |_| (status, body.clone()));
        let refused = join_via(&alice, "!room:peer.example", &[]).await;
        assert_eq!(refused.code(), (shown, errcode), "{}", refused.text);
        if errcode == "M_INCOMPATIBLE_ROOM_VERSION" {
            assert_eq!(refused.body["room_version"], "org.example.future");
        }
    }
}

async fn an_attempt_that_failed_can_be_repeated(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Liar::new(server, "peer.example", "12");
    liar.lie_about_state(|answer| answer["event"] = json!({}));
    liar.join(&alice).await.refused(502, "M_UNKNOWN");
    server.restart().await;
    liar.be_honest();
    liar.join(&alice).await.ok();
    assert!(liar.is_joined(&alice).await);
    // Two users at once make one room.
    let other = Liar::new(server, "second.example", "11");
    let bob = server.user("bob").await;
    let (one, two) = tokio::join!(other.join(&alice), other.join(&bob));
    assert_eq!(
        (one.status, two.status),
        (200, 200),
        "{} {}",
        one.text,
        two.text
    );
    for user in [&alice, &bob] {
        assert!(other.is_joined(user).await);
    }
}

async fn invitations_must_come_back_signed(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let peer = Peer::start(server.network(), "peer.example");
    let invite = format!("/rooms/{}/invite", encode(&room));
    let path = "/_matrix/federation/v2/invite/";
    let lies: [fn(&mut Value); 3] = [
        |_| {},
        |body| body["event"]["content"]["membership"] = json!("join"),
        |body| body["event"]["signatures"] = json!({"peer.example": {"ed25519:peer": "AAAA"}}),
    ];
    for (index, lie) in lies.into_iter().enumerate() {
        peer.answer(Method::PUT, path, move |request| {
            let mut body: Value = serde_json::from_slice(request.body()).unwrap();
            lie(&mut body);
            (200, json!({"event": body["event"]}))
        });
        let user = format!("@bob{index}:peer.example");
        let answer = alice.post(&invite, json!({"user_id": user})).await;
        // An event that comes back as it went is as good as before: ours is the signature that
        // counts.
        let expected = if index == 0 { 200 } else { 502 };
        assert_eq!(answer.status, expected, "{}", answer.text);
    }
    let blocked = json!({"errcode": "M_INVITE_BLOCKED", "error": "No."});
    peer.answer(Method::PUT, path, move |_| (403, blocked.clone()));
    alice
        .post(&invite, json!({"user_id": "@eve:peer.example"}))
        .await
        .refused(403, "M_INVITE_BLOCKED");
    let sent = peer.received().pop().unwrap().body;
    let told = sent["invite_room_state"].as_array().unwrap();
    assert_eq!(told[0]["type"], "m.room.create");
    assert!(told.iter().all(|event| event["signatures"].is_object()));
    assert_eq!(sent["room_version"], "12");
}
