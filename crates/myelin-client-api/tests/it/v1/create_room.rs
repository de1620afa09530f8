//! `POST /_matrix/client/api/v1/createRoom`

use http::Method;
use myelin_testkit::{TestServer, text, three_modes};
use serde_json::json;

use super::{call, get, post, with_token};

three_modes!(
    makes_a_room_as_the_guide_does,
    is_open_to_all_unless_private,
    has_the_levels_of_its_time,
    names_describes_and_invites,
    refuses_an_alias_that_is_taken,
    refuses_strangers_and_bad_bodies,
);

async fn makes_a_room_as_the_guide_does(server: &TestServer) {
    let alice = server.user("alice").await;
    let body = json!({"room_alias_name": "tutorial"});
    let answer = post(server, &alice, "/createRoom", body).await.ok();
    assert_eq!(answer["room_alias"], "#tutorial:localhost");
    let room = text(&answer, "room_id");
    let letters = room
        .strip_prefix('!')
        .and_then(|room| room.strip_suffix(":localhost"))
        .unwrap();
    assert_eq!(letters.len(), 18, "{room}");
    assert!(
        letters.bytes().all(|byte| byte.is_ascii_alphabetic()),
        "{room}"
    );
    let answer = post(server, &alice, "/createRoom", json!({})).await.ok();
    assert!(answer.get("room_alias").is_none(), "{answer}");
}

async fn is_open_to_all_unless_private(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for (body, status) in [
        (json!({}), 200),
        (json!({"visibility": "public"}), 200),
        (json!({"visibility": "private"}), 403),
    ] {
        let room = text(
            &post(server, &alice, "/createRoom", body).await.ok(),
            "room_id",
        );
        assert_eq!(bob.join(&room).await.status, status);
    }
}

async fn has_the_levels_of_its_time(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = text(
        &post(server, &alice, "/createRoom", json!({})).await.ok(),
        "room_id",
    );
    let levels = alice.state(&room, "m.room.power_levels", "").await.ok();
    assert_eq!(levels["users"], json!({&alice.id: 10}));
    for (key, level) in [
        ("users_default", 0),
        ("events_default", 0),
        ("state_default", 10),
        ("ban", 5),
        ("kick", 5),
        ("redact", 5),
        ("invite", 0),
    ] {
        assert_eq!(levels[key], level, "{key} of {levels}");
    }
    let sync = get(server, &alice, "/initialSync").await.ok();
    let state = sync["rooms"][0]["state"].as_array().unwrap();
    let content = |kind: &str| {
        let event = state.iter().find(|event| event["type"] == kind).unwrap();
        assert_eq!(event["required_power_level"], 10, "{event}");
        event["content"].clone()
    };
    assert_eq!(content("m.room.create")["creator"], alice.id);
    assert_eq!(
        content("m.room.power_levels"),
        json!({&alice.id: 10, "default": 0})
    );
    assert_eq!(content("m.room.add_state_level"), json!({"level": 10}));
    assert_eq!(content("m.room.send_event_level"), json!({"level": 0}));
    let ops = content("m.room.ops_levels");
    assert_eq!(
        (&ops["ban_level"], &ops["kick_level"]),
        (&json!(5), &json!(5))
    );
}

async fn names_describes_and_invites(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let body =
        json!({"name": "Kitchen", "topic": "Dinner", "invite": [bob.id], "visibility": "private"});
    let room = text(
        &post(server, &alice, "/createRoom", body).await.ok(),
        "room_id",
    );
    assert_eq!(
        alice.state(&room, "m.room.name", "").await.ok()["name"],
        "Kitchen"
    );
    assert_eq!(
        alice.state(&room, "m.room.topic", "").await.ok()["topic"],
        "Dinner"
    );
    bob.join(&room).await.ok();
}

async fn refuses_an_alias_that_is_taken(server: &TestServer) {
    let alice = server.user("alice").await;
    let body = json!({"room_alias_name": "tutorial"});
    post(server, &alice, "/createRoom", body.clone()).await.ok();
    let bob = server.user("bob").await;
    post(server, &bob, "/createRoom", body)
        .await
        .refused(400, "M_ROOM_IN_USE");
    let sync = get(server, &bob, "/initialSync").await.ok();
    assert_eq!(sync["rooms"], json!([]), "no room is left behind");
}

async fn refuses_strangers_and_bad_bodies(server: &TestServer) {
    let answer = call(server, Method::POST, "/createRoom", "{}").await;
    answer.refused(403, "M_FORBIDDEN");
    let answer = call(
        server,
        Method::POST,
        "/createRoom?access_token=unheard-of",
        "{}",
    )
    .await;
    answer.refused(403, "M_UNKNOWN_TOKEN");
    let alice = server.user("alice").await;
    let path = with_token(&alice, "/createRoom");
    call(server, Method::POST, &path, "{")
        .await
        .refused(400, "M_NOT_JSON");
    for body in [
        json!({"room_alias_name": 5}),
        json!({"invite": "bob"}),
        json!({"visibility": "secret"}),
    ] {
        let answer = post(server, &alice, "/createRoom", body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
}
