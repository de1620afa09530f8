//! `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`.

use std::collections::BTreeSet;

use myelin_core::event::{self, PublicKeys};
use myelin_testkit::{PeerEvent, TestServer, covers, three_modes};
use ruma::serde::Base64;
use serde_json::{Value, json};

use super::{BOB, Scene, refuses_what_is_something_else};

three_modes!(
    takes_a_join_and_tells_the_state,
    the_auth_chain_is_closed,
    what_is_something_else_is_refused,
    whom_the_room_refuses_does_not_join,
    a_restricted_join_gets_our_signature,
    our_signature_is_not_for_the_asking,
    a_join_is_taken_once,
);

covers! {
    "PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}":
        works = takes_a_join_and_tells_the_state,
        400 = what_is_something_else_is_refused,
        403 = whom_the_room_refuses_does_not_join,
        outsider = whom_the_room_refuses_does_not_join;
}

fn ids(list: &Value, version: &ruma::RoomVersionId) -> BTreeSet<String> {
    let list = list.as_array().unwrap();
    let id = |pdu: &Value| {
        let event = event::parse(pdu.to_string().as_bytes(), version).unwrap();
        event.event_id.to_string()
    };
    list.iter().map(id).collect()
}

async fn takes_a_join_and_tells_the_state(server: &TestServer) {
    let scene = Scene::public(server).await;
    let room = scene.room().await;
    let join = scene.member("join").await;
    let since = scene.alice.sync(None).await["next_batch"].clone();
    let answer = scene.send(server, "v2/send_join", &join).await.ok();
    let expected: BTreeSet<String> = room.state.values().map(ToString::to_string).collect();
    assert_eq!(ids(&answer["state"], &room.version), expected);
    assert_eq!(answer["event"], myelin_testkit::pdu(&join));
    assert_eq!(answer["members_omitted"], false);
    assert_eq!(scene.membership_of_bob().await, "join");
    let news = scene.alice.sync(since.as_str()).await;
    let timeline = &news["rooms"]["join"][&scene.room_id]["timeline"]["events"];
    assert_eq!(timeline[0]["event_id"], join.event_id.as_str());
}

async fn the_auth_chain_is_closed(server: &TestServer) {
    let scene = Scene::public(server).await;
    for level in [10, 20, 30] {
        let levels = json!({"users": {}, "events_default": 0, "ban": level});
        let set = scene
            .alice
            .set_state(&scene.room_id, "m.room.power_levels", "", levels);
        set.await.ok();
    }
    let room = scene.room().await;
    let join = scene.member("join").await;
    let answer = scene.send(server, "v2/send_join", &join).await.ok();
    let told = ids(&answer["auth_chain"], &room.version);
    let state = ids(&answer["state"], &room.version);
    let all = answer["auth_chain"].as_array().unwrap().iter();
    for pdu in all.chain(answer["state"].as_array().unwrap()) {
        for id in pdu["auth_events"].as_array().unwrap() {
            assert!(told.contains(id.as_str().unwrap()), "{id} of {pdu}");
        }
    }
    for id in &join.auth_events {
        assert!(told.contains(id.as_str()), "{id}");
    }
    // The older power levels vouch for the newer ones.
    assert!(told.difference(&state).count() >= 3);
}

async fn what_is_something_else_is_refused(server: &TestServer) {
    let scene = Scene::public(server).await;
    refuses_what_is_something_else(server, &scene, ("v2/send_join", "join")).await;
    assert_eq!(scene.membership_of_bob().await, "join");
}

async fn whom_the_room_refuses_does_not_join(server: &TestServer) {
    let scene = Scene::new(server, json!({})).await;
    let join = scene.member("join").await;
    scene
        .send(server, "v2/send_join", &join)
        .await
        .refused(403, "M_FORBIDDEN");
    assert_eq!(scene.membership_of_bob().await, "nothing");
    // Not even in another room.
    let answer = scene.send(server, "v2/send_join", &join).await;
    answer.refused(403, "M_FORBIDDEN");
}

/// A room of alice's that lets in who is in another, in which bob is or is not.
async fn restricted(server: &TestServer, bob_is_in_club: bool) -> Scene {
    let club = Scene::public(server).await;
    if bob_is_in_club {
        let join = club.member("join").await;
        club.send(server, "v2/send_join", &join).await.ok();
    }
    let allow = json!([{"type": "m.room_membership", "room_id": club.room_id}]);
    let rules = json!({"join_rule": "restricted", "allow": allow});
    let rules = json!({"type": "m.room.join_rules", "state_key": "", "content": rules});
    let body = json!({"room_version": "11", "initial_state": [rules]});
    Scene {
        room_id: club.alice.create_room_with(body).await,
        alice: club.alice,
        peer: club.peer,
    }
}

async fn let_in_by_alice(scene: &Scene) -> event::Event {
    let room = scene.room().await;
    let bob = room.user("bob");
    let content = json!({
        "membership": "join",
        "join_authorised_via_users_server": "@alice:localhost",
    });
    room.make(PeerEvent {
        state_key: Some(bob.to_string()),
        ..PeerEvent::new(&bob, "m.room.member", content)
    })
}

async fn a_restricted_join_gets_our_signature(server: &TestServer) {
    let scene = restricted(server, true).await;
    let join = let_in_by_alice(&scene).await;
    let answer = scene.send(server, "v2/send_join", &join).await.ok();
    let version = scene.room().await.version;
    let signed = event::parse(answer["event"].to_string().as_bytes(), &version).unwrap();
    assert_eq!(signed.event_id, join.event_id);
    let told = server.get("/_matrix/key/v2/server").await.ok();
    let (id, key) = told["verify_keys"]
        .as_object()
        .unwrap()
        .iter()
        .next()
        .unwrap();
    let key = Base64::parse(key["key"].as_str().unwrap()).unwrap();
    let own = [(id.clone(), key)].into_iter().collect();
    let peer = &scene.peer.server;
    let theirs = Base64::new(peer.key.public_key().to_vec());
    let theirs = [(peer.key.key_id().to_owned(), theirs)]
        .into_iter()
        .collect();
    let keys = PublicKeys::from([
        (server.name().to_owned(), own),
        (peer.name.to_string(), theirs),
    ]);
    event::verify(&signed, &version, &keys).unwrap();
    assert_eq!(scene.membership_of_bob().await, "join");
}

async fn our_signature_is_not_for_the_asking(server: &TestServer) {
    let scene = restricted(server, false).await;
    let join = let_in_by_alice(&scene).await;
    let refused = scene.send(server, "v2/send_join", &join).await;
    assert!(!refused.text.contains("localhost\":{"), "{}", refused.text);
    refused.refused(403, "M_FORBIDDEN");
    assert_eq!(scene.membership_of_bob().await, "nothing");
}

async fn a_join_is_taken_once(server: &TestServer) {
    let scene = Scene::public(server).await;
    let join = scene.member("join").await;
    let first = scene.send(server, "v2/send_join", &join).await.ok();
    let again = scene.send(server, "v2/send_join", &join).await.ok();
    assert_eq!(first["state"], again["state"]);
    let members = format!("/rooms/{}/members", myelin_testkit::encode(&scene.room_id));
    let members = scene.alice.get(&members).await.ok();
    let chunk = members["chunk"].as_array().unwrap();
    assert_eq!(
        chunk
            .iter()
            .filter(|event| event["state_key"] == BOB)
            .count(),
        1
    );
}
