//! `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`.

use myelin_testkit::{TestServer, covers, encode, three_modes};
use serde_json::json;

use super::{BOB, Scene};

three_modes!(
    makes_a_template,
    speaks_for_its_own_users_only,
    unknown_rooms_are_not_found,
    the_room_version_must_be_known,
    whom_the_room_refuses_gets_no_template,
    restricted_joins_name_who_lets_in,
    what_restricted_rooms_answer_who_may_not_join,
);

covers! {
    "GET /_matrix/federation/v1/make_join/{roomId}/{userId}":
        works = makes_a_template,
        400 = the_room_version_must_be_known,
        403 = whom_the_room_refuses_gets_no_template,
        404 = unknown_rooms_are_not_found,
        outsider = speaks_for_its_own_users_only;
}

async fn makes_a_template(server: &TestServer) {
    for version in 1..=12 {
        let version = version.to_string();
        let body = json!({"preset": "public_chat", "room_version": version});
        let name = format!("alice{version}");
        let alice = server.user(&name).await;
        let room_id = alice.create_room_with(body).await;
        let peer = myelin_testkit::Peer::start(server.network(), "peer.example");
        let scene = Scene {
            alice,
            peer,
            room_id,
        };
        let made = scene.make(server, "join", BOB).await.ok();
        assert_eq!(made["room_version"], version);
        let event = &made["event"];
        assert_eq!(event["type"], "m.room.member");
        assert_eq!(event["room_id"], scene.room_id);
        assert_eq!(event["sender"], BOB);
        assert_eq!(event["state_key"], BOB);
        assert_eq!(event["content"], json!({"membership": "join"}));
        assert!(
            event["prev_events"]
                .as_array()
                .is_some_and(|ids| ids.len() == 1)
        );
        assert!(event["depth"].as_u64() > Some(1));
        for key in ["signatures", "hashes", "event_id"] {
            assert!(event.get(key).is_none(), "{event}");
        }
        // Nothing has happened by it.
        assert_eq!(scene.membership_of_bob().await, "nothing");
    }
}

async fn speaks_for_its_own_users_only(server: &TestServer) {
    let scene = Scene::public(server).await;
    for user in ["@alice:localhost", "@bob:other.example"] {
        scene
            .make(server, "join", user)
            .await
            .refused(403, "M_FORBIDDEN");
    }
}

async fn unknown_rooms_are_not_found(server: &TestServer) {
    let mut scene = Scene::public(server).await;
    let room_id = std::mem::replace(&mut scene.room_id, "!unheard:localhost".to_owned());
    scene
        .make(server, "join", BOB)
        .await
        .refused(404, "M_NOT_FOUND");
    // Nor is a room that everybody here has left.
    scene.room_id = room_id;
    scene.alice.leave(&scene.room_id).await.ok();
    scene
        .make(server, "join", BOB)
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn the_room_version_must_be_known(server: &TestServer) {
    let scene = Scene::public(server).await;
    let path = format!(
        "/_matrix/federation/v1/make_join/{}/{}",
        encode(&scene.room_id),
        encode(BOB)
    );
    for query in ["", "?ver=1&ver=11", "?ver=nonsense"] {
        let answer = scene.peer.get(server, &format!("{path}{query}")).await;
        assert_eq!(answer.code(), (400, "M_INCOMPATIBLE_ROOM_VERSION"));
        assert_eq!(answer.body["room_version"], "12");
    }
}

async fn whom_the_room_refuses_gets_no_template(server: &TestServer) {
    let scene = Scene::new(server, json!({})).await;
    scene
        .make(server, "join", BOB)
        .await
        .refused(403, "M_FORBIDDEN");
    let public = scene.alice.create_public_room().await;
    let ban = format!("/rooms/{}/ban", encode(&public));
    scene.alice.post(&ban, json!({"user_id": BOB})).await.ok();
    let scene = Scene {
        room_id: public,
        ..scene
    };
    scene
        .make(server, "join", BOB)
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn restricted_joins_name_who_lets_in(server: &TestServer) {
    let club = Scene::public(server).await;
    let join = club.member("join").await;
    club.send(server, "v2/send_join", &join).await.ok();
    let scene = restricted(&club, &club.room_id, json!({})).await;
    let made = scene.make(server, "join", BOB).await.ok();
    let via = &made["event"]["content"]["join_authorised_via_users_server"];
    assert_eq!(via, "@alice:localhost");
}

async fn what_restricted_rooms_answer_who_may_not_join(server: &TestServer) {
    let club = Scene::public(server).await;
    let room = restricted(&club, &club.room_id, json!({})).await;
    room.make(server, "join", BOB)
        .await
        .refused(403, "M_FORBIDDEN");
    // Nobody here knows who is in a room of others.
    let room = restricted(&club, "!elsewhere:other.example", json!({})).await;
    room.make(server, "join", BOB)
        .await
        .refused(400, "M_UNABLE_TO_AUTHORISE_JOIN");
    // Nobody here has the power to let others in.
    let join = club.member("join").await;
    club.send(server, "v2/send_join", &join).await.ok();
    let levels = json!({"invite": 101, "users": {"@alice:localhost": 100}});
    let room = restricted(&club, &club.room_id, levels).await;
    room.make(server, "join", BOB)
        .await
        .refused(400, "M_UNABLE_TO_GRANT_JOIN");
}

/// A room of alice's that lets in who is in the other.
async fn restricted(club: &Scene, allowed: &str, levels: serde_json::Value) -> Scene {
    let allow = json!([{"type": "m.room_membership", "room_id": allowed}]);
    let rules = json!({"join_rule": "restricted", "allow": allow});
    let rules = json!({"type": "m.room.join_rules", "state_key": "", "content": rules});
    let body = json!({
        "room_version": "11",
        "initial_state": [rules],
        "power_level_content_override": levels,
    });
    Scene {
        room_id: club.alice.create_room_with(body).await,
        alice: club.alice.clone(),
        peer: club.peer.clone(),
    }
}
