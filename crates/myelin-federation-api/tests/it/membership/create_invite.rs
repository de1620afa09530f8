//! `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`, and v1.

use myelin_core::event::{self, Event};
use myelin_testkit::{
    Answer, Peer, PeerEvent, PeerRoom, TestServer, User, covers, pdu, three_modes,
};
use serde_json::{Value, json};

use super::put;

three_modes!(
    signs_an_invitation_and_shows_it,
    signs_an_invitation_of_the_first_form,
    what_is_something_else_is_refused,
    room_versions_that_are_not_known_are_refused,
    what_is_told_of_the_room_must_be_true,
    what_a_dead_server_has_set_is_not_shown,
    bad_state_does_not_break_the_sync,
    too_much_state_is_cut,
    who_wants_no_invitations_gets_none,
    only_users_are_invited,
    only_who_has_invited_takes_it_back,
);

covers! {
    "PUT /_matrix/federation/v2/invite/{roomId}/{eventId}":
        works = signs_an_invitation_and_shows_it,
        400 = what_is_something_else_is_refused,
        403 = who_wants_no_invitations_gets_none,
        outsider = only_users_are_invited;
    "PUT /_matrix/federation/v1/invite/{roomId}/{eventId}":
        works = signs_an_invitation_of_the_first_form,
        400 = what_is_something_else_is_refused,
        403 = who_wants_no_invitations_gets_none,
        outsider = only_users_are_invited;
}

/// An invitation by `@mallory:peer.example` to a room that this server is not in.
fn invitation(room: &PeerRoom, user: &str) -> Event {
    let mallory = room.user("mallory");
    room.make(PeerEvent {
        state_key: Some(user.to_owned()),
        ..PeerEvent::new(&mallory, "m.room.member", json!({"membership": "invite"}))
    })
}

fn body(room: &PeerRoom, invite: &Event) -> Value {
    let told = room.events.iter().filter(|event| event.is_state());
    let told: Vec<Value> = told.map(pdu).collect();
    json!({"room_version": room.version, "event": pdu(invite), "invite_room_state": told})
}

async fn send(server: &TestServer, room: &PeerRoom, invite: &Event, body: Value) -> Answer {
    let names = (room.id.as_str(), invite.event_id.as_str());
    put(&room.peer, server, ("v2/invite", names), body).await
}

fn room(server: &TestServer, version: &str) -> PeerRoom {
    let peer = Peer::start(server.network(), "peer.example");
    let mut room = PeerRoom::create(&peer, version, "mallory");
    let mallory = room.user("mallory");
    room.set(&mallory, "m.room.name", "", json!({"name": "Trap"}));
    room
}

async fn invited(user: &User, room: &PeerRoom) -> Value {
    user.sync(None).await["rooms"]["invite"][room.id.as_str()].clone()
}

async fn signs_an_invitation_and_shows_it(server: &TestServer) {
    let alice = server.user("alice").await;
    for version in 1..=12 {
        let room = room(server, &version.to_string());
        let invite = invitation(&room, &alice.id);
        let answer = send(server, &room, &invite, body(&room, &invite))
            .await
            .ok();
        let signed = event::parse(answer["event"].to_string().as_bytes(), &room.version).unwrap();
        assert_eq!(signed.event_id, invite.event_id);
        let signatures = answer["event"]["signatures"].as_object().unwrap();
        assert_eq!(
            signatures.keys().collect::<Vec<_>>(),
            ["localhost", "peer.example"]
        );
        let told = invited(&alice, &room).await;
        let state = told["invite_state"]["events"].as_array().unwrap();
        let has = |kind: &str| state.iter().any(|event| event["type"] == kind);
        assert!(has("m.room.name") && has("m.room.create"), "{told}");
        assert_eq!(state.last().unwrap()["content"]["membership"], "invite");
    }
}

async fn signs_an_invitation_of_the_first_form(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(server, "1");
    let invite = invitation(&room, &alice.id);
    let mut old = pdu(&invite);
    old["unsigned"] = json!({"invite_room_state": body(&room, &invite)["invite_room_state"]});
    let names = (room.id.as_str(), invite.event_id.as_str());
    let answer = put(&room.peer, server, ("v1/invite", names), old)
        .await
        .ok();
    assert_eq!(answer[0], 200);
    assert!(answer[1]["event"]["signatures"]["localhost"].is_object());
    assert!(invited(&alice, &room).await.is_object());
}

/// CVE-2020-26257, and what the specification demands before anything is signed.
async fn what_is_something_else_is_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(server, "11");
    let good = invitation(&room, &alice.id);
    let mallory = room.user("mallory");
    let wrong = [
        PeerEvent {
            state_key: Some(alice.id.clone()),
            ..PeerEvent::new(&mallory, "m.room.member", json!({"membership": "join"}))
        },
        PeerEvent {
            state_key: Some(alice.id.clone()),
            ..PeerEvent::new(
                &mallory,
                "m.room.power_levels",
                json!({"membership": "invite"}),
            )
        },
        PeerEvent {
            state_key: Some("@bob:other.example".to_owned()),
            ..PeerEvent::new(&mallory, "m.room.member", json!({"membership": "invite"}))
        },
        PeerEvent::new(&mallory, "m.room.member", json!({"membership": "invite"})),
    ];
    for event in wrong {
        let event = room.make(event);
        let refused = send(server, &room, &event, body(&room, &event)).await;
        assert!(!refused.text.contains("signatures"), "{}", refused.text);
        refused.refused(400, "M_INVALID_PARAM");
    }
    for names in [
        ("!other:peer.example", good.event_id.as_str()),
        (room.id.as_str(), "$other"),
    ] {
        put(&room.peer, server, ("v2/invite", names), body(&room, &good))
            .await
            .refused(400, "M_INVALID_PARAM");
        put(&room.peer, server, ("v1/invite", names), pdu(&good))
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    // Mallory is not a user of the server that asks.
    let other = Peer::start(server.network(), "other.example");
    let names = (room.id.as_str(), good.event_id.as_str());
    put(&other, server, ("v2/invite", names), body(&room, &good))
        .await
        .refused(400, "M_INVALID_PARAM");
    let mut forged = body(&room, &good);
    forged["event"]["signatures"]["peer.example"] = json!({"ed25519:peer": "AAAA"});
    send(server, &room, &good, forged)
        .await
        .refused(400, "M_INVALID_PARAM");
    let missing = json!({"room_version": "11"});
    send(server, &room, &good, missing)
        .await
        .refused(400, "M_MISSING_PARAM");
    assert!(invited(&alice, &room).await.is_null());
}

async fn room_versions_that_are_not_known_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(server, "11");
    let invite = invitation(&room, &alice.id);
    let mut future = body(&room, &invite);
    future["room_version"] = json!("org.example.future");
    let answer = send(server, &room, &invite, future).await;
    assert_eq!(answer.code(), (400, "M_INCOMPATIBLE_ROOM_VERSION"));
    assert_eq!(answer.body["room_version"], "org.example.future");
}

async fn what_is_told_of_the_room_must_be_true(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(server, "12");
    let invite = invitation(&room, &alice.id);
    let good = body(&room, &invite);
    let told = good["invite_room_state"].as_array().unwrap().clone();
    let mut forged = told.clone();
    forged.last_mut().unwrap()["content"]["name"] = json!("Not signed");
    forged.last_mut().unwrap()["signatures"]["peer.example"] = json!({"ed25519:peer": "AAAA"});
    let mut stripped = told.clone();
    stripped.push(json!({"type": "m.room.topic", "state_key": "", "sender": "@mallory:peer.example", "content": {}}));
    let mut foreign = told.clone();
    let other = PeerRoom::create(&room.peer, "12", "eve");
    foreign.push(pdu(&other.events[1]));
    for state in [vec![], told[1..].to_vec(), forged, stripped, foreign] {
        let mut lie = good.clone();
        lie["invite_room_state"] = json!(state);
        send(server, &room, &invite, lie)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    assert!(invited(&alice, &room).await.is_null());
    send(server, &room, &invite, good).await.ok();
}

/// CVE-2024-52815: a bad invitation breaks the sync of its victim.
/// Whoever made the room, and gave it its name, is not there any more to tell its keys.
async fn what_a_dead_server_has_set_is_not_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let gone = Peer::start(server.network(), "gone.example");
    let mut room = PeerRoom::create(&gone, "12", "mallory");
    let mallory = room.user("mallory");
    room.set(&mallory, "m.room.name", "", json!({"name": "Old"}));
    room.peer = Peer::start(server.network(), "peer.example");
    let bob = room.user("bob");
    let join = json!({"membership": "join"});
    room.set(&bob, "m.room.member", bob.as_str(), join);
    room.set(&bob, "m.room.topic", "", json!({"topic": "New"}));
    server.network().set_cut_off("gone.example", true);
    let invite = room.make(PeerEvent {
        state_key: Some(alice.id.clone()),
        ..PeerEvent::new(&bob, "m.room.member", json!({"membership": "invite"}))
    });
    send(server, &room, &invite, body(&room, &invite))
        .await
        .ok();
    let told = invited(&alice, &room).await;
    let state = told["invite_state"]["events"].as_array().unwrap();
    let has = |kind: &str| state.iter().any(|event| event["type"] == kind);
    assert!(has("m.room.create") && has("m.room.topic"), "{told}");
    assert!(!has("m.room.name"), "{told}");
}

async fn bad_state_does_not_break_the_sync(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(server, "10");
    let invite = invitation(&room, &alice.id);
    let mut bad = body(&room, &invite);
    bad["invite_room_state"] = json!([
        null, 5, "text", [], {}, {"type": 5},
        {"type": "m.room.name", "state_key": "", "sender": "nobody", "content": {}},
        {"type": "m.room.name", "state_key": null, "sender": "@a:b", "content": {}},
        {"type": "m.room.name", "state_key": "", "sender": "@a:b", "content": []},
        {"type": "m.room.member", "state_key": alice.id, "sender": "@a:b", "content": {}},
        {"type": "m.room.topic", "state_key": "", "sender": "@a:b", "content": {"topic": "\u{0}"}},
    ]);
    send(server, &room, &invite, bad).await.ok();
    let told = invited(&alice, &room).await;
    let state = told["invite_state"]["events"].as_array().unwrap();
    assert_eq!(state.len(), 2, "{told}");
    assert_eq!(state[0]["type"], "m.room.topic");
    assert_eq!(state[1]["type"], "m.room.member");
}

/// CVE-2023-32323: state without end.
async fn too_much_state_is_cut(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(server, "10");
    let invite = invitation(&room, &alice.id);
    let mut large = body(&room, &invite);
    let entry = |number: usize, size: usize| {
        let topic = "x".repeat(size);
        json!({"type": format!("m.{number}"), "state_key": "", "sender": "@a:b", "content": {"topic": topic}})
    };
    let state: Vec<Value> = (0..200).map(|number| entry(number, 10_000)).collect();
    large["invite_room_state"] = json!(state);
    send(server, &room, &invite, large).await.ok();
    let told = invited(&alice, &room).await;
    let shown = told["invite_state"]["events"].as_array().unwrap().len();
    assert!((2..=14).contains(&shown), "{shown}");
}

async fn who_wants_no_invitations_gets_none(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(server, "1");
    let invite = invitation(&room, &alice.id);
    let path = format!("/user/{}/account_data/m.invite_permission_config", alice.id);
    let blocked = json!({"blocked_servers": ["peer.example"]});
    alice.put(&path, blocked).await.ok();
    send(server, &room, &invite, body(&room, &invite))
        .await
        .refused(403, "M_INVITE_BLOCKED");
    let names = (room.id.as_str(), invite.event_id.as_str());
    put(&room.peer, server, ("v1/invite", names), pdu(&invite))
        .await
        .refused(403, "M_INVITE_BLOCKED");
    assert!(invited(&alice, &room).await.is_null());
}

async fn only_users_are_invited(server: &TestServer) {
    let room = room(server, "1");
    let invite = invitation(&room, "@nobody:localhost");
    send(server, &room, &invite, body(&room, &invite))
        .await
        .refused(403, "M_FORBIDDEN");
    let names = (room.id.as_str(), invite.event_id.as_str());
    put(&room.peer, server, ("v1/invite", names), pdu(&invite))
        .await
        .refused(403, "M_FORBIDDEN");
}

/// Sends that a user has no place in the room any more, as an event that refers to `auth_events`;
/// the answer is whether it was taken.
async fn take_back(
    server: &TestServer,
    room: &PeerRoom,
    (sender, user): (&str, &str),
    auth_events: &[&Event],
) -> bool {
    let sender = room.user(sender);
    let auth_events = auth_events.iter().map(|event| event.event_id.clone());
    let leave = room.make(PeerEvent {
        state_key: Some(user.to_owned()),
        auth_events: Some(auth_events.collect()),
        ..PeerEvent::new(&sender, "m.room.member", json!({"membership": "leave"}))
    });
    let sent = room.send(server, &[&leave]).await.ok();
    let fate = &sent["pdus"][leave.event_id.as_str()];
    fate.is_object() && fate.get("error").is_none()
}

async fn only_who_has_invited_takes_it_back(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    for version in ["1", "11", "12"] {
        let room = PeerRoom::create(&peer, version, "mallory");
        let invite = invitation(&room, &alice.id);
        send(server, &room, &invite, body(&room, &invite))
            .await
            .ok();
        let join = &room.events[1];
        let users = ("mallory", &*alice.id);
        // Another server, and an event from before the invitation.
        let mut elsewhere = room.clone();
        elsewhere.peer = Peer::start(server.network(), &format!("other{version}.example"));
        assert!(!take_back(server, &elsewhere, users, &[join, &invite]).await);
        assert!(!take_back(server, &room, users, &[join]).await);
        // Somebody else's.
        let nobody = ("mallory", "@nobody:localhost");
        assert!(!take_back(server, &room, nobody, &[join, &invite]).await);
        assert!(invited(&alice, &room).await.is_object());
        assert!(take_back(server, &room, users, &[join, &invite]).await);
        assert!(invited(&alice, &room).await.is_null());
        assert!(!take_back(server, &room, users, &[join, &invite]).await);
    }
}
