//! `GET /_matrix/client/api/v1/rooms/{roomId}/state` and
//! `GET` and `PUT /_matrix/client/api/v1/rooms/{roomId}/state/{eventType}/{stateKey}`

use http::Method;
use myelin_testkit::{TestServer, User, text, three_modes};
use serde_json::{Value, json};

use super::{call, get, post, put, room_path, with_token};

three_modes!(
    lists_the_state_in_the_order_of_2014,
    reads_contents_as_they_were,
    sets_what_has_no_meaning_to_the_server,
    a_write_of_levels_keeps_what_it_does_not_name,
    the_same_levels_again_are_no_event,
    levels_in_today_s_form_are_taken_as_they_are,
    writes_to_levels_at_the_same_time_both_count,
    refuses_levels_that_are_none,
    creators_keep_their_level,
    a_membership_is_the_act_of_its_name,
    nobody_creates_a_room_twice,
    strangers_neither_read_nor_write,
);

async fn guide_room(server: &TestServer, user: &User) -> String {
    let answer = post(server, user, "/createRoom", json!({})).await;
    text(&answer.ok(), "room_id")
}

async fn lists_the_state_in_the_order_of_2014(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    let state = get(server, &alice, &room_path(&room, "state")).await.ok();
    let kinds: Vec<&str> = state.as_array().unwrap().iter().map(kind).collect();
    let wanted = [
        "m.room.create",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.add_state_level",
        "m.room.send_event_level",
        "m.room.ops_levels",
        "m.room.member",
    ];
    assert_eq!(kinds, wanted);
    for event in state.as_array().unwrap() {
        assert_eq!(event["user_id"], alice.id);
        assert!(
            event["ts"].is_u64() && event["event_id"].is_string(),
            "{event}"
        );
    }
}

async fn reads_contents_as_they_were(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    let member = format!("state/m.room.member/{}", alice.id);
    for (path, wanted) in [
        ("state/m.room.join_rules", json!({"join_rule": "public"})),
        (
            "state/m.room.power_levels",
            json!({&alice.id: 10, "default": 0}),
        ),
        (
            "state/m.room.power_levels/",
            json!({&alice.id: 10, "default": 0}),
        ),
        ("state/m.room.add_state_level", json!({"level": 10})),
        ("state/m.room.send_event_level", json!({"level": 0})),
        (
            "state/m.room.ops_levels",
            json!({"ban_level": 5, "kick_level": 5, "redact_level": 5}),
        ),
        (
            &member,
            json!({"membership": "join", "displayname": null, "avatar_url": null}),
        ),
    ] {
        let content = get(server, &alice, &room_path(&room, path)).await.ok();
        assert_eq!(content, wanted, "{path}");
    }
    for path in ["state/m.room.topic", "state/m.room.ops_levels/x"] {
        let answer = get(server, &alice, &room_path(&room, path)).await;
        answer.refused(404, "M_NOT_FOUND");
    }
}

async fn sets_what_has_no_meaning_to_the_server(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    for path in ["state/m.room.topic", "state/org.example.lamp/kitchen"] {
        let path = room_path(&room, path);
        let body = json!({"topic": "Dinner", "hsob_ts": 1});
        let sent = put(server, &alice, &path, body).await.ok();
        let content = get(server, &alice, &path).await.ok();
        assert_eq!(content, json!({"topic": "Dinner"}));
        let newest = alice.messages(&room, "dir=b&limit=1").await.ok();
        assert_eq!(newest["chunk"][0]["event_id"], sent["event_id"]);
    }
    // State is set by PUT, and a message is no state.
    let answer = post(
        server,
        &alice,
        &room_path(&room, "state/m.room.topic"),
        json!({}),
    )
    .await;
    answer.refused(405, "M_UNRECOGNIZED");
    let path = with_token(&alice, &room_path(&room, "state/m.room.topic"));
    for body in ["", "[]", "{"] {
        call(server, Method::PUT, &path, body)
            .await
            .refused(400, "M_NOT_JSON");
    }
}

async fn a_write_of_levels_keeps_what_it_does_not_name(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    let mut expected = levels(&alice, &room).await;
    let body = json!({&alice.id: 10, "@bob:localhost": "5", "default": 0, "hsob_ts": 1});
    set_levels(server, &alice, &room, ("m.room.power_levels", body)).await;
    expected["users"] = json!({&alice.id: 10, "@bob:localhost": 5});
    assert_eq!(levels(&alice, &room).await, expected);
    let body = json!({"ban_level": 10, "kick_level": 5});
    set_levels(server, &alice, &room, ("m.room.ops_levels", body)).await;
    expected["ban"] = 10.into();
    assert_eq!(levels(&alice, &room).await, expected);
    set_levels(
        server,
        &alice,
        &room,
        ("m.room.add_state_level", json!({"level": 7})),
    )
    .await;
    expected["state_default"] = 7.into();
    set_levels(
        server,
        &alice,
        &room,
        ("m.room.send_event_level", json!({"level": 2})),
    )
    .await;
    expected["events_default"] = 2.into();
    assert_eq!(levels(&alice, &room).await, expected);
    // Who is not named any more has no level of their own.
    let body = json!({&alice.id: 10, "default": 1});
    set_levels(server, &alice, &room, ("m.room.power_levels", body)).await;
    expected["users"] = json!({&alice.id: 10});
    expected["users_default"] = 1.into();
    assert_eq!(levels(&alice, &room).await, expected);
}

async fn the_same_levels_again_are_no_event(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    let newest = async || alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"].clone();
    let before = newest().await;
    for kind in [
        "m.room.power_levels",
        "m.room.add_state_level",
        "m.room.send_event_level",
        "m.room.ops_levels",
    ] {
        let path = room_path(&room, &format!("state/{kind}"));
        let shown = get(server, &alice, &path).await.ok();
        assert_eq!(put(server, &alice, &path, shown).await.ok(), json!({}));
    }
    assert_eq!(newest().await, before);
}

async fn levels_in_today_s_form_are_taken_as_they_are(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    let mut today = levels(&alice, &room).await;
    today["kick"] = 9.into();
    let kind = "m.room.power_levels";
    set_levels(server, &alice, &room, (kind, today.clone())).await;
    assert_eq!(levels(&alice, &room).await, today);
}

async fn writes_to_levels_at_the_same_time_both_count(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    let state = json!({"level": 8});
    let send = json!({"level": 3});
    let ops = json!({"redact_level": 6});
    tokio::join!(
        set_levels(server, &alice, &room, ("m.room.add_state_level", state)),
        set_levels(server, &alice, &room, ("m.room.send_event_level", send)),
        set_levels(server, &alice, &room, ("m.room.ops_levels", ops)),
    );
    let levels = levels(&alice, &room).await;
    assert_eq!(levels["state_default"], 8);
    assert_eq!(levels["events_default"], 3);
    assert_eq!(levels["redact"], 6);
}

async fn refuses_levels_that_are_none(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    for (kind, body) in [
        ("m.room.power_levels", json!({"bob": 5})),
        ("m.room.power_levels", json!({"@bob:localhost": "much"})),
        ("m.room.power_levels", json!({"default": null})),
        ("m.room.add_state_level", json!({"level": [1]})),
        ("m.room.add_state_level", json!({})),
        ("m.room.ops_levels", json!({"ban": 5})),
    ] {
        let path = room_path(&room, &format!("state/{kind}"));
        let answer = put(server, &alice, &path, body).await;
        answer.refused(400, "M_BAD_JSON");
    }
    let path = room_path(&room, "state/m.room.ops_levels/x");
    put(server, &alice, &path, json!({"ban_level": 5}))
        .await
        .refused(400, "M_INVALID_PARAM");
    let body = json!({&alice.id: 11, "default": 0});
    put(
        server,
        &alice,
        &room_path(&room, "state/m.room.power_levels"),
        body,
    )
    .await
    .refused(403, "M_FORBIDDEN");
}

async fn creators_keep_their_level(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room_with(json!({"room_version": "12"})).await;
    let path = room_path(&room, "state/m.room.power_levels");
    let mut shown = get(server, &alice, &path).await.ok();
    assert_eq!(
        shown[&alice.id], 150,
        "as much as the greatest level in use"
    );
    shown["@bob:localhost"] = 50.into();
    put(server, &alice, &path, shown.clone()).await.ok();
    assert_eq!(
        levels(&alice, &room).await["users"],
        json!({"@bob:localhost": 50})
    );
    shown[&alice.id] = 99.into();
    put(server, &alice, &path, shown)
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn a_membership_is_the_act_of_its_name(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let body = json!({"visibility": "private"});
    let answer = post(server, &alice, "/createRoom", body).await.ok();
    let room = text(&answer, "room_id");
    let path = room_path(&room, &format!("state/m.room.member/{}", bob.id));
    let member = |membership: &str| json!({"membership": membership, "prev": "x", "hsob_ts": 1});
    put(server, &bob, &path, member("join"))
        .await
        .refused(403, "M_FORBIDDEN");
    for (user, membership) in [
        (&alice, "invite"),
        (&bob, "join"),
        (&bob, "leave"),
        (&alice, "invite"),
        (&bob, "join"),
        (&alice, "leave"),
        (&alice, "ban"),
        (&alice, "leave"),
    ] {
        put(server, user, &path, member(membership)).await.ok();
        let content = alice.state(&room, "m.room.member", &bob.id).await.ok();
        assert_eq!(content["membership"], membership);
        assert!(content.get("prev").is_none(), "{content}");
    }
    // Repeatedly joining does nothing, by this way too.
    let own = room_path(&room, &format!("state/m.room.member/{}", alice.id));
    let answer = put(server, &alice, &own, member("join")).await.ok();
    assert_eq!(answer, json!({}));
    for body in [json!({}), json!({"membership": 5})] {
        put(server, &alice, &own, body)
            .await
            .refused(400, "M_BAD_JSON");
    }
    let path = room_path(&room, "state/m.room.member/bob");
    put(server, &alice, &path, member("invite"))
        .await
        .refused(400, "M_INVALID_PARAM");
}

async fn nobody_creates_a_room_twice(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = guide_room(server, &alice).await;
    let path = room_path(&room, "state/m.room.create");
    put(server, &alice, &path, json!({"creator": alice.id}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn strangers_neither_read_nor_write(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = guide_room(server, &alice).await;
    for path in [
        "state",
        "state/m.room.power_levels",
        "state/m.room.ops_levels",
    ] {
        let path = room_path(&room, path);
        get(server, &bob, &path).await.refused(403, "M_FORBIDDEN");
    }
    for path in ["state/m.room.topic", "state/m.room.ops_levels"] {
        let body = json!({"topic": "Dinner", "ban_level": 0});
        put(server, &bob, &room_path(&room, path), body)
            .await
            .refused(403, "M_FORBIDDEN");
    }
}

async fn set_levels(server: &TestServer, user: &User, room: &str, (kind, body): (&str, Value)) {
    let path = room_path(room, &format!("state/{kind}"));
    let answer = put(server, user, &path, body).await.ok();
    assert!(answer["event_id"].is_string(), "{answer}");
}

/// As they are stored.
async fn levels(user: &User, room: &str) -> Value {
    user.state(room, "m.room.power_levels", "").await.ok()
}

fn kind(event: &Value) -> &str {
    event["type"].as_str().unwrap()
}
