//! Rooms that were changed on two servers at once: both come to one state.

use myelin_testkit::{
    Mode, Peer, PeerEvent, PeerRoom, TestServer, User, encode, least_cost, run, three_modes,
    wait_until,
};
use ruma::{OwnedEventId, UserId};
use serde_json::{Value, json};

three_modes!(
    concurrent_topics_become_one,
    a_ban_holds_against_what_came_from_elsewhere_meanwhile,
    a_local_change_that_is_undone_sounds_the_alarm,
    a_message_that_is_forbidden_meanwhile_holds_no_fork_open,
    a_join_that_is_forbidden_meanwhile_takes_nobody_along
);

mod a_fork_in_a_large_room_reads_what_differs {
    use super::{Mode, run};

    #[test]
    fn sqlite() {
        run(Mode::Sqlite, &super::a_fork_reads_what_differs);
    }

    #[test]
    fn postgres() {
        run(Mode::Postgres, &super::a_fork_reads_what_differs);
    }
}

/// A room of this version with Alice, who made it, and Bob of the peer, with these levels beside hers.
async fn room(
    server: &TestServer,
    alice: &User,
    version: &str,
    levels: Value,
) -> (PeerRoom, String) {
    let body = json!({
        "preset": "public_chat",
        "room_version": version,
        "power_level_content_override": { "users": levels },
    });
    let room_id = alice.create_room_with(body).await;
    let peer = Peer::start(server.network(), "peer.example");
    let room = PeerRoom::joined(&peer, server, (alice, &room_id), "bob").await;
    (room, room_id)
}

fn set(sender: &UserId, event_type: &str, key: &str, content: Value) -> PeerEvent {
    PeerEvent {
        state_key: Some(key.to_owned()),
        ..PeerEvent::new(sender, event_type, content)
    }
}

async fn concurrent_topics_become_one(server: &TestServer) {
    let alice = server.user("alice").await;
    for version in ["1", "6", "11", "12"] {
        let levels = match version {
            "12" => json!({ "@bob:peer.example": 50 }),
            _ => json!({ "@bob:peer.example": 50, "@alice:localhost": 100 }),
        };
        let (mut room, room_id) = room(server, &alice, version, levels).await;
        let bob = room.user("bob");
        alice
            .set_state(&room_id, "m.room.topic", "", json!({ "topic": "Alice's" }))
            .await
            .ok();
        let topic = set(&bob, "m.room.topic", "", json!({ "topic": "Bob's" }));
        let topic = room.append(PeerEvent {
            origin_server_ts: Some(server.now_ms() + 1_000),
            depth: Some(room.depth + 10),
            ..topic
        });
        room.receive(server, &topic).await;
        // Of version 1 the deeper event stands, of the others the later one.
        let found = alice.state(&room_id, "m.room.topic", "").await.ok();
        assert_eq!(found["topic"], "Bob's", "version {version}");

        // What comes next ties the ends together, and the state stays.
        let tied = alice.send(&room_id, "both seen").await;
        let after: OwnedEventId = tied.try_into().unwrap();
        let text = PeerEvent {
            prev_events: Some(vec![after]),
            ..PeerEvent::text(&bob, "seen, too")
        };
        let text = room.append(text);
        room.receive(server, &text).await;
        let found = alice.state(&room_id, "m.room.topic", "").await.ok();
        assert_eq!(found["topic"], "Bob's", "version {version}");
        assert_eq!(server.rooms().undone_changes(), 0);
    }
}

async fn a_ban_holds_against_what_came_from_elsewhere_meanwhile(server: &TestServer) {
    let alice = server.user("alice").await;
    let levels = json!({ "@bob:peer.example": 50 });
    let (mut room, room_id) = room(server, &alice, "12", levels).await;
    let bob = room.user("bob");
    let path = format!("/rooms/{}/ban", encode(&room_id));
    alice.post(&path, json!({ "user_id": bob })).await.ok();
    // On Bob's server he is still in the room.
    let topic = room.set(&bob, "m.room.topic", "", json!({ "topic": "Bob's" }));
    let outcome = server.rooms().receive_event(topic).await.unwrap();
    assert!(
        matches!(outcome, myelin_rooms::Outcome::SoftFailed { .. }),
        "{outcome:?}"
    );
    alice
        .state(&room_id, "m.room.topic", "")
        .await
        .refused(404, "M_NOT_FOUND");
    let member = alice
        .state(&room_id, "m.room.member", bob.as_str())
        .await
        .ok();
    assert_eq!(member["membership"], "ban");
}

async fn a_local_change_that_is_undone_sounds_the_alarm(server: &TestServer) {
    let alice = server.user("alice").await;
    let levels = json!({ "@bob:peer.example": 60, "@carol:localhost": 50 });
    let (mut room, room_id) = room(server, &alice, "12", levels).await;
    let (carol, dan) = (server.user("carol").await, server.user("dan").await);
    carol.join(&room_id).await.ok();
    dan.join(&room_id).await.ok();
    let seen = alice.send(&room_id, "all are here").await;
    let bob = room.user("bob");
    let member_of = |user: &str| format!("/rooms/{}/state/m.room.member/{user}", encode(&room_id));
    let carols = alice
        .get(&format!("{}?format=event", member_of("@carol:localhost")))
        .await
        .ok();
    let carols: OwnedEventId = carols["event_id"].as_str().unwrap().try_into().unwrap();

    // Carol takes Dan's membership while Bob, who has more power, takes hers.
    let path = format!("/rooms/{}/kick", encode(&room_id));
    carol
        .post(&path, json!({ "user_id": "@dan:localhost" }))
        .await
        .ok();
    let key = ("m.room.member".to_owned(), "@carol:localhost".to_owned());
    room.state.insert(key, carols);
    let ban = set(
        &bob,
        "m.room.member",
        "@carol:localhost",
        json!({ "membership": "ban" }),
    );
    let ban = room.append(PeerEvent {
        prev_events: Some(vec![seen.try_into().unwrap()]),
        ..ban
    });
    room.receive(server, &ban).await;

    let member = alice.get(&member_of("@carol:localhost")).await.ok();
    assert_eq!(member["membership"], "ban");
    let member = alice.get(&member_of("@dan:localhost")).await.ok();
    assert_eq!(member["membership"], "join");
    // The kick was undone; Carol's join was not, for the ban knows of it.
    assert_eq!(server.rooms().undone_changes(), 1);
}

/// What is read for a change on either side, whatever the size of the room: nodes of the state and
/// rows.
async fn a_fork_reads_what_differs(server: &TestServer) {
    let mut reads = Vec::new();
    for members in [3, 120] {
        let alice = server.user(&format!("alice{members}")).await;
        let levels = json!({ "@bob:peer.example": 50 });
        let (mut room, room_id) = room(server, &alice, "12", levels).await;
        for number in 0..members {
            let user = room.user(&format!("user{number}"));
            let join = room.set(
                &user,
                "m.room.member",
                user.as_str(),
                json!({ "membership": "join" }),
            );
            room.receive(server, &join).await;
        }
        let bob = room.user("bob");
        let mut number = 0;
        let fork = async || {
            number += 1;
            let topic = |name: &str| json!({ "topic": format!("{name} {number}") });
            let set = alice.set_state(&room_id, "m.room.topic", "", topic("Alice's"));
            set.await.ok();
            let event = room.set(&bob, "m.room.topic", "", topic("Bob's"));
            room.receive(server, &event).await;
        };
        let cost = least_cost(server, fork).await;
        reads.push((cost.trie_nodes_read, cost.rows_read));
    }
    let [small, large] = reads[..] else {
        panic!("two rooms");
    };
    assert!(
        large.0 <= 50,
        "{large:?} nodes and rows, in a small room {small:?}"
    );
    assert!(
        large.1 <= small.1 + 20,
        "{large:?}, in a small room {small:?}"
    );
}

/// Dave comes in while anybody may, and then nobody else may: on one side of the fork.
async fn let_dave_in_and_close(server: &TestServer, room: &mut PeerRoom, levels: Value) {
    let (bob, dave) = (room.user("bob"), room.user("dave"));
    let join = json!({ "membership": "join" });
    let events = [
        set(&dave, "m.room.member", dave.as_str(), join),
        set(&bob, "m.room.power_levels", "", levels),
        set(
            &bob,
            "m.room.join_rules",
            "",
            json!({ "join_rule": "invite" }),
        ),
    ];
    for (event, seconds) in events.into_iter().zip(1..) {
        // Of what was set twice the later one stands.
        let event = room.append(PeerEvent {
            origin_server_ts: Some(server.now_ms() + seconds * 1_000),
            ..event
        });
        room.receive(server, &event).await;
    }
}

/// Waits until a user is joined or is not, as Alice sees it: one node hears of it from the other.
async fn is_joined(alice: &User, room_id: &str, (user, wanted): (&UserId, bool)) {
    wait_until("the room is as it has to be", async || {
        let member = alice.state(room_id, "m.room.member", user.as_str()).await;
        let is_joined = member.status == 200 && member.body["membership"] == "join";
        is_joined == wanted
    })
    .await;
}

async fn a_message_that_is_forbidden_meanwhile_holds_no_fork_open(server: &TestServer) {
    let alice = server.user("alice").await;
    let carol = server.user("carol").await;
    let levels = json!({ "@bob:peer.example": 100, "@alice:localhost": 100 });
    let (room, room_id) = room(server, &alice, "10", levels.clone()).await;
    carol.join(&room_id).await.ok();
    let mut room = PeerRoom {
        depth: room.depth + 1,
        ..PeerRoom::of(&room.peer, &alice, &room_id).await
    };
    // The peer does not hear of it: whoever does after what comes now soft-fails it.
    carol.send(&room_id, "still allowed").await;
    let levels = json!({ "users": levels, "events_default": 50 });
    let_dave_in_and_close(server, &mut room, levels).await;
    is_joined(&alice, &room_id, (&room.user("dave"), true)).await;
    let history = alice.messages(&room_id, "dir=b&limit=10").await.ok();
    assert!(history.to_string().contains("still allowed"), "{history}");
    // Nobody else is drawn into the fork by what comes next.
    let next = alice.send(&room_id, "only of one side").await;
    assert_eq!(prev_events(server, &room, &next).await, room.extremities);
}

async fn a_join_that_is_forbidden_meanwhile_takes_nobody_along(server: &TestServer) {
    let alice = server.user("alice").await;
    let levels = json!({ "@bob:peer.example": 100, "@alice:localhost": 100 });
    let (mut room, room_id) = room(server, &alice, "10", levels.clone()).await;
    let mut other = room.clone();
    let (dave, erin) = (room.user("dave"), room.user("erin"));
    let join = json!({ "membership": "join" });
    let late = other.set(&erin, "m.room.member", erin.as_str(), join);
    // What has come on top of it goes with it.
    let said = other.message(&erin, "hello");
    other.receive(server, &late).await;
    other.receive(server, &said).await;
    let_dave_in_and_close(server, &mut room, json!({ "users": levels })).await;
    is_joined(&alice, &room_id, (&dave, true)).await;
    is_joined(&alice, &room_id, (&erin, false)).await;
    let next = alice.send(&room_id, "without Erin").await;
    assert_eq!(prev_events(server, &room, &next).await, room.extremities);
}

/// What an event of this server comes after.
async fn prev_events(server: &TestServer, room: &PeerRoom, event_id: &str) -> Vec<OwnedEventId> {
    let path = format!("/_matrix/federation/v1/event/{}", encode(event_id));
    let told = room.peer.get(server, &path).await.ok();
    serde_json::from_value(told["pdus"][0]["prev_events"].clone()).unwrap()
}
