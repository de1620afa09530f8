//! `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}` with `with_rel_types` (MSC3912): what
//! relates to the redacted event is redacted as well.

use myelin_store::jobs::{self, Claim};
use myelin_testkit::{
    Answer, Peer, PeerEvent, PeerRoom, TestServer, User, encode, text, three_modes, wait_until,
};
use serde_json::{Value, json};

use crate::{
    notifications::room_of_two,
    relations::{edit, react, relate, relate_with},
    remote::backfill::gaps::{miss, room_with_bob, wait_for},
};

three_modes!(
    takes_along_what_relates_by_these_types,
    a_star_takes_everything_along,
    an_edit_of_an_edit_is_none,
    nothing_is_taken_along_unasked,
    what_the_sender_may_not_redact_stays,
    goes_on_after_a_restart,
    a_repetition_takes_nothing_more,
    who_has_left_redacts_nothing_more,
    what_comes_later_from_another_server_is_taken_along,
    what_is_found_later_in_the_past_is_taken_along,
    what_is_said_here_later_is_taken_along,
    many_who_speak_at_once_later_are_heard_and_taken_along,
    what_is_said_at_the_same_moment_is_taken_along,
    what_can_be_no_relation_is_not_taken_along,
    refuses_bad_lists,
);

/// More than two slices.
const MANY: usize = 40;
/// Who speak at the same moment.
const AT_ONCE: usize = 12;

async fn redact(user: &User, room: &str, event: &str, body: Value) -> Answer {
    let path = format!(
        "/rooms/{}/redact/{}/{}",
        encode(room),
        encode(event),
        user.new_txn_id()
    );
    user.put(&path, body).await
}

/// Makes a request as often as it takes: of many who write to a room at once on several nodes some
/// are told to try again.
async fn put_patiently(user: &User, path: &str, body: Value) -> String {
    loop {
        let answer = user.put(path, body.clone()).await;
        if answer.status != 503 {
            return text(&answer.ok(), "event_id");
        }
    }
}

/// The same, of a message that relates to an event.
async fn relate_patiently(user: &User, room: &str, event: &str) -> String {
    let relates_to = json!({"rel_type": "m.reference", "event_id": event});
    let content = json!({"msgtype": "m.text", "body": "late", "m.relates_to": relates_to});
    let txn = user.new_txn_id();
    let path = format!("/rooms/{}/send/m.room.message/{txn}", encode(room));
    put_patiently(user, &path, content).await
}

async fn shown(user: &User, room: &str, event: &str) -> Value {
    let path = format!("/rooms/{}/event/{}", encode(room), encode(event));
    user.get(&path).await.ok()
}

async fn is_redacted(user: &User, room: &str, event: &str) -> bool {
    let event = shown(user, room, event).await;
    event["unsigned"].get("redacted_because").is_some()
}

/// Waits until there is nothing left to be done.
async fn is_done(server: &TestServer) {
    let store = server.stores().remove(0);
    wait_until("no job is left", async || {
        jobs::claim(&store, 1_000, 0, 0).await.unwrap() == Claim::Nothing
    })
    .await;
}

async fn assert_redacted(user: &User, room: &str, events: &[(&str, bool)]) {
    for (event, wanted) in events {
        let found = is_redacted(user, room, event).await;
        assert_eq!(found, *wanted, "{}", shown(user, room, event).await);
    }
}

async fn takes_along_what_relates_by_these_types(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for key in ["with_rel_types", "org.matrix.msc3912.with_relations"] {
        let event = alice.send(&room, "hello").await;
        let other = alice.send(&room, "other").await;
        let first = edit(&alice, &room, &event, "one").await;
        let second = edit(&alice, &room, &event, "two").await;
        let elsewhere = edit(&alice, &room, &other, "three").await;
        let answer = relate(&alice, &room, &event, "m.thread").await;
        let reference = relate(&alice, &room, &event, "m.reference").await;
        let body = json!({key: ["m.replace", "m.reference"], "reason": "a slip"});
        let redaction = redact(&alice, &room, &event, body).await.ok();
        // The answer tells of the one that was asked for, which is done.
        let because = &shown(&alice, &room, &event).await["unsigned"]["redacted_because"];
        assert_eq!(because["event_id"], redaction["event_id"]);
        is_done(server).await;
        let events = [
            (&*event, true),
            (&first, true),
            (&second, true),
            (&reference, true),
            (&answer, false),
            (&other, false),
            (&elsewhere, false),
        ];
        assert_redacted(&alice, &room, &events).await;
        let because = &shown(&alice, &room, &first).await["unsigned"]["redacted_because"];
        assert_eq!(because["sender"], alice.id);
        let content = json!({"redacts": first, "reason": "a slip"});
        assert_eq!(because["content"], content);
    }
}

async fn a_star_takes_everything_along(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let before = alice.send(&room, "before").await;
    let event = relate(&alice, &room, &before, "m.reference").await;
    let mut related = Vec::new();
    for rel_type in ["m.reference", "org.example.own"] {
        related.push(relate(&alice, &room, &event, rel_type).await);
    }
    related.push(edit(&alice, &room, &event, "edited").await);
    // What relates to what relates is not meant.
    let farther = relate(&alice, &room, &related[0], "m.reference").await;
    let body = json!({"with_rel_types": ["m.thread", "*"]});
    redact(&alice, &room, &event, body).await.ok();
    is_done(server).await;
    for related in &related {
        assert!(is_redacted(&alice, &room, related).await, "{related}");
    }
    let events = [(&*before, false), (&farther, false)];
    assert_redacted(&alice, &room, &events).await;
}

async fn an_edit_of_an_edit_is_none(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let event = bob.send(&room, "hello").await;
    let first = edit(&bob, &room, &event, "one").await;
    let of_edit = edit(&bob, &room, &first, "two").await;
    // Nor is one by somebody else, though alice may redact it, nor one of another type.
    let of_others = edit(&alice, &room, &event, "three").await;
    let content = || json!({"m.new_content": {"body": "four"}});
    let as_sticker = (&*event, ("m.sticker", "m.replace"));
    let as_sticker = relate_with(&bob, &room, as_sticker, content()).await;
    let body = json!({"with_rel_types": ["m.replace"]});
    redact(&alice, &room, &event, body.clone()).await.ok();
    is_done(server).await;
    let events = [
        (&*event, true),
        (&first, true),
        (&of_edit, false),
        (&of_others, false),
        (&as_sticker, false),
    ];
    assert_redacted(&alice, &room, &events).await;
    // Asked for by itself it takes along nothing, not even what it edits.
    let event = bob.send(&room, "hello").await;
    let first = edit(&bob, &room, &event, "one").await;
    let of_edit = edit(&bob, &room, &first, "two").await;
    redact(&alice, &room, &first, body).await.ok();
    is_done(server).await;
    let events = [(&*event, false), (&first, true), (&of_edit, false)];
    assert_redacted(&alice, &room, &events).await;
    // State is not edited.
    let topic = json!({"topic": "x"});
    let topic = alice.set_state(&room, "m.room.topic", "", topic).await.ok();
    let topic = text(&topic, "event_id");
    let of_state = (&*topic, ("m.room.topic", "m.replace"));
    let of_state = relate_with(&alice, &room, of_state, content()).await;
    let body = json!({"with_rel_types": ["m.replace"]});
    redact(&alice, &room, &topic, body).await.ok();
    is_done(server).await;
    assert_redacted(&alice, &room, &[(&topic, true), (&of_state, false)]).await;
}

async fn nothing_is_taken_along_unasked(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for body in [
        json!({}),
        json!({"with_rel_types": []}),
        json!({"with_rel_types": null}),
        json!({"with_rel_types": ["m.thread"]}),
    ] {
        let event = alice.send(&room, "hello").await;
        let edited = edit(&alice, &room, &event, "one").await;
        redact(&alice, &room, &event, body).await.ok();
        is_done(server).await;
        assert!(!is_redacted(&alice, &room, &edited).await);
    }
}

async fn what_the_sender_may_not_redact_stays(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let event = bob.send(&room, "root").await;
    let by_bob = relate(&bob, &room, &event, "m.thread").await;
    let by_alice = relate(&alice, &room, &event, "m.thread").await;
    let last = relate(&bob, &room, &event, "m.thread").await;
    let body = json!({"with_rel_types": ["m.thread"]});
    redact(&bob, &room, &event, body.clone()).await.ok();
    is_done(server).await;
    let events = [(&*by_bob, true), (&by_alice, false), (&last, true)];
    assert_redacted(&alice, &room, &events).await;
    // Who may, does.
    redact(&alice, &room, &event, body).await.ok();
    is_done(server).await;
    assert!(is_redacted(&alice, &room, &by_alice).await);
}

async fn goes_on_after_a_restart(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "root").await;
    let mut related = Vec::new();
    for _ in 0..MANY {
        related.push(relate(&alice, &room, &event, "m.thread").await);
    }
    let body = json!({"with_rel_types": ["m.thread"]});
    redact(&alice, &room, &event, body).await.ok();
    server.restart().await;
    is_done(server).await;
    for related in &related {
        assert!(is_redacted(&alice, &room, related).await, "{related}");
    }
    // Each was redacted once.
    let filter = encode(r#"{"types":["m.room.redaction"]}"#);
    let query = format!("dir=b&limit=100&filter={filter}");
    let page = alice.messages(&room, &query).await.ok();
    assert_eq!(page["chunk"].as_array().unwrap().len(), MANY + 1);
}

async fn a_repetition_takes_nothing_more(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "root").await;
    let path = format!("/rooms/{}/redact/{}/once", encode(&room), encode(&event));
    let body = json!({"with_rel_types": ["m.replace"]});
    let first = alice.put(&path, body).await.ok();
    is_done(server).await;
    let other = relate(&alice, &room, &event, "m.reference").await;
    let body = json!({"with_rel_types": ["*"]});
    assert_eq!(alice.put(&path, body).await.ok(), first);
    is_done(server).await;
    assert!(!is_redacted(&alice, &room, &other).await);
}

async fn who_has_left_redacts_nothing_more(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let bob = server.user("bob").await;
    let room_id = alice.create_public_room().await;
    bob.join(&room_id).await.ok();
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "carol").await;
    let event = bob.send(&room_id, "root").await;
    let body = json!({"with_rel_types": ["*"]});
    redact(&bob, &room_id, &event, body).await.ok();
    is_done(server).await;
    bob.leave(&room_id).await.ok();
    room = PeerRoom {
        events: room.events,
        ..PeerRoom::of(&peer, &alice, &room_id).await
    };
    let late = room.append(related((&room, "carol"), &event, "m.reference"));
    room.receive(server, &late).await;
    is_done(server).await;
    assert!(!is_redacted(&alice, &room_id, late.event_id.as_str()).await);
}

fn related((room, by): (&PeerRoom, &str), event: &str, rel_type: &str) -> PeerEvent {
    let relates_to = json!({"rel_type": rel_type, "event_id": event});
    let content = json!({"msgtype": "m.text", "body": "late", "m.relates_to": relates_to});
    PeerEvent::new(&room.user(by), "m.room.message", content)
}

async fn what_comes_later_from_another_server_is_taken_along(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room_id = alice.create_public_room().await;
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "carol").await;
    let event = alice.send(&room_id, "root").await;
    let other = alice.send(&room_id, "other").await;
    let body = json!({"with_rel_types": ["m.thread", "m.reference"], "reason": "all of it"});
    redact(&alice, &room_id, &event, body).await.ok();
    is_done(server).await;
    for round in 0..2 {
        let newest = PeerRoom::of(&peer, &alice, &room_id).await;
        room.extremities = newest.extremities;
        let mut late = Vec::new();
        for (parent, rel_type) in [
            (&event, "m.thread"),
            (&event, "org.example.own"),
            (&other, "m.thread"),
        ] {
            let said = room.append(related((&room, "carol"), parent, rel_type));
            room.receive(server, &said).await;
            late.push(said.event_id.to_string());
        }
        wait_until("the late answer is redacted", async || {
            is_redacted(&alice, &room_id, &late[0]).await
        })
        .await;
        is_done(server).await;
        let events = [(&*late[1], false), (&late[2], false)];
        assert_redacted(&alice, &room_id, &events).await;
        let because = &shown(&alice, &room_id, &late[0]).await["unsigned"]["redacted_because"];
        assert_eq!(because["sender"], alice.id, "{round}");
        assert_eq!(text(&because["content"], "reason"), "all of it");
    }
}

async fn what_is_found_later_in_the_past_is_taken_along(server: &TestServer) {
    let (alice, room_id, mut room) = room_with_bob(server).await;
    let root = alice.send(&room_id, "root").await;
    room.extremities = PeerRoom::of(&room.peer, &alice, &room_id).await.extremities;
    let mut said = Vec::new();
    for rel_type in ["m.thread", "m.reference", "m.thread"] {
        let event = room.append(related((&room, "bob"), &root, rel_type));
        said.push(event.event_id.to_string());
    }
    miss(server, &mut room, 3).await;
    wait_for(&alice, &room_id, "late").await;
    let body = json!({"with_rel_types": ["m.thread"], "reason": "all of it"});
    redact(&alice, &room_id, &root, body).await.ok();
    is_done(server).await;
    for said in &said {
        let path = format!("/rooms/{}/event/{}", encode(&room_id), encode(said));
        alice.get(&path).await.refused(404, "M_NOT_FOUND");
    }
    // Who reads back lets the server ask for what it has missed.
    let page = alice.messages(&room_id, "dir=b&limit=20").await.ok();
    assert!(page.to_string().contains(&said[0]), "{page}");
    is_done(server).await;
    let events = [(&*said[0], true), (&said[1], false), (&said[2], true)];
    assert_redacted(&alice, &room_id, &events).await;
    let because = &shown(&alice, &room_id, &said[0]).await["unsigned"]["redacted_because"];
    assert_eq!(because["sender"], alice.id);
    assert_eq!(text(&because["content"], "reason"), "all of it");
}

async fn what_is_said_here_later_is_taken_along(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let event = alice.send(&room, "root").await;
    let other = alice.send(&room, "other").await;
    let body = json!({"with_rel_types": ["m.thread"]});
    redact(&alice, &room, &event, body).await.ok();
    is_done(server).await;
    for _ in 0..2 {
        let late = relate(&bob, &room, &event, "m.thread").await;
        let reference = relate(&bob, &room, &event, "m.reference").await;
        let elsewhere = relate(&bob, &room, &other, "m.thread").await;
        is_done(server).await;
        let events = [(&*late, true), (&reference, false), (&elsewhere, false)];
        assert_redacted(&bob, &room, &events).await;
        let because = &shown(&bob, &room, &late).await["unsigned"]["redacted_because"];
        assert_eq!(because["sender"], alice.id);
    }
    // What the redactor may not redact stays.
    let of_bob = bob.send(&room, "bob's").await;
    let body = json!({"with_rel_types": ["m.reference"]});
    redact(&bob, &room, &of_bob, body).await.ok();
    let by_alice = relate(&alice, &room, &of_bob, "m.reference").await;
    let by_bob = relate(&bob, &room, &of_bob, "m.reference").await;
    is_done(server).await;
    let events = [(&*by_alice, false), (&by_bob, true)];
    assert_redacted(&bob, &room, &events).await;
}

async fn many_who_speak_at_once_later_are_heard_and_taken_along(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "root").await;
    let body = json!({"with_rel_types": ["*"]});
    redact(&alice, &room, &event, body).await.ok();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (alice, room, event) = (alice.clone(), room.clone(), event.clone());
        tasks.spawn(async move { relate_patiently(&alice, &room, &event).await });
    }
    let said = tasks.join_all().await;
    is_done(server).await;
    for said in &said {
        assert!(is_redacted(&alice, &room, said).await, "{said}");
    }
}

async fn what_is_said_at_the_same_moment_is_taken_along(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let mut related = Vec::new();
    for _ in 0..8 {
        let event = alice.send(&room, "root").await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..3 {
            let (alice, room, event) = (alice.clone(), room.clone(), event.clone());
            tasks.spawn(async move { relate_patiently(&alice, &room, &event).await });
        }
        let place = format!("{}/redact/{}", encode(&room), encode(&event));
        let path = format!("/rooms/{place}/{}", alice.new_txn_id());
        let body = json!({"with_rel_types": ["m.reference"]});
        let redacted = put_patiently(&alice, &path, body);
        let (said, _) = tokio::join!(tasks.join_all(), redacted);
        related.extend(said);
    }
    is_done(server).await;
    for related in &related {
        assert!(is_redacted(&alice, &room, related).await, "{related}");
    }
}

async fn what_can_be_no_relation_is_not_taken_along(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room_id = alice.create_public_room().await;
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "carol").await;
    let root = alice.send(&room_id, "root").await;
    let event = relate(&alice, &room_id, &root, "m.reference").await;
    let edited = edit(&alice, &room_id, &root, "edited").await;
    let reaction = react(&alice, &room_id, &root, "+1").await.ok();
    let reaction = text(&reaction, "event_id");
    room.extremities = PeerRoom::of(&peer, &alice, &room_id).await.extremities;
    let mut said = Vec::new();
    for (parent, rel_type) in [
        (&event, "m.thread"),
        (&event, "m.annotation"),
        (&edited, "m.annotation"),
        (&edited, "m.reference"),
        (&reaction, "m.annotation"),
    ] {
        let event = room.append(related((&room, "carol"), parent, rel_type));
        room.receive(server, &event).await;
        said.push(event.event_id.to_string());
    }
    for redacted in [&event, &edited, &reaction] {
        let body = json!({"with_rel_types": ["*"]});
        redact(&alice, &room_id, redacted, body).await.ok();
    }
    is_done(server).await;
    // No thread starts from what relates to another event, and neither edits nor reactions are
    // annotated.
    let events = [false, true, false, true, false];
    let events: Vec<_> = said.iter().map(String::as_str).zip(events).collect();
    assert_redacted(&alice, &room_id, &events).await;
}

async fn refuses_bad_lists(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "hello").await;
    for (list, errcode) in [
        (json!("m.replace"), "M_BAD_JSON"),
        (json!([5]), "M_BAD_JSON"),
        (json!(["x".repeat(256)]), "M_INVALID_PARAM"),
        (json!(vec!["x"; 101]), "M_INVALID_PARAM"),
    ] {
        let answer = redact(&alice, &room, &event, json!({"with_rel_types": list})).await;
        answer.refused(400, errcode);
    }
    assert!(!is_redacted(&alice, &room, &event).await);
    let most = json!({"with_rel_types": vec!["x".repeat(255); 100]});
    redact(&alice, &room, &event, most).await.ok();
    is_done(server).await;
}
