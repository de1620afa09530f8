//! Power levels: one event today, four in 2014.

use myelin_testkit::{TestServer, text, three_modes};
use serde_json::{Value, json};

use super::{get, post, room_path};

three_modes!(
    the_guide_s_room_fits_the_default_window,
    a_limit_cuts_the_virtual_events_first,
    the_stream_brings_what_a_change_changed,
    real_events_of_the_old_types_are_hidden,
    old_types_cannot_be_sent,
);

async fn the_guide_s_room_fits_the_default_window(server: &TestServer) {
    let alice = server.user("alice").await;
    let body = json!({"room_alias_name": "tutorial"});
    let room = text(
        &post(server, &alice, "/createRoom", body).await.ok(),
        "room_id",
    );
    let message = json!({"msgtype": "m.text", "body": "hello"});
    post(
        server,
        &alice,
        &room_path(&room, "send/m.room.message"),
        message,
    )
    .await
    .ok();
    let invite = json!({"user_id": "@myfriend:localhost"});
    post(server, &alice, &room_path(&room, "invite"), invite)
        .await
        .ok();
    let sync = get(server, &alice, "/initialSync").await.ok();
    let wanted = [
        "m.room.create",
        "m.room.member",
        "m.room.power_levels",
        "m.room.add_state_level",
        "m.room.send_event_level",
        "m.room.ops_levels",
        "m.room.canonical_alias",
        "m.room.join_rules",
        "m.room.message",
        "m.room.member",
    ];
    assert_eq!(types(&sync["rooms"][0]["messages"]["chunk"]), wanted);
    let state = types(&sync["rooms"][0]["state"]);
    let first = [
        "m.room.create",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.add_state_level",
        "m.room.send_event_level",
        "m.room.ops_levels",
    ];
    assert_eq!(state[..6], first);
}

async fn a_limit_cuts_the_virtual_events_first(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = text(
        &post(server, &alice, "/createRoom", json!({})).await.ok(),
        "room_id",
    );
    // Behind the levels there are the join rules.
    for (limit, wanted) in [
        (1, vec!["m.room.join_rules"]),
        (2, vec!["m.room.power_levels", "m.room.join_rules"]),
        (
            3,
            vec![
                "m.room.power_levels",
                "m.room.add_state_level",
                "m.room.join_rules",
            ],
        ),
    ] {
        let sync = get(server, &alice, &format!("/initialSync?limit={limit}"))
            .await
            .ok();
        let messages = &sync["rooms"][0]["messages"];
        assert_eq!(types(&messages["chunk"]), wanted);
        // What is before the first event shown is what paging back finds.
        let query = format!("dir=b&limit=1&from={}", text(messages, "start"));
        let before = alice.messages(&room, &query).await.ok()["chunk"][0]["type"].clone();
        let is_first = limit == 1;
        assert_eq!(
            before,
            if is_first {
                "m.room.power_levels"
            } else {
                "m.room.member"
            }
        );
    }
}

async fn the_stream_brings_what_a_change_changed(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = text(
        &post(server, &alice, "/createRoom", json!({})).await.ok(),
        "room_id",
    );
    let from = text(&get(server, &alice, "/events?timeout=0").await.ok(), "end");
    let mut levels = alice.state(&room, "m.room.power_levels", "").await.ok();
    levels["ban"] = 7.into();
    alice
        .set_state(&room, "m.room.power_levels", "", levels.clone())
        .await
        .ok();
    levels["users"]["@bob:localhost"] = 3.into();
    alice
        .set_state(&room, "m.room.power_levels", "", levels)
        .await
        .ok();
    let events = get(server, &alice, &format!("/events?timeout=0&from={from}"))
        .await
        .ok();
    let chunk = &events["chunk"];
    assert_eq!(
        types(chunk),
        [
            "m.room.power_levels",
            "m.room.ops_levels",
            "m.room.power_levels"
        ]
    );
    assert_eq!(chunk[0]["content"], json!({&alice.id: 10, "default": 0}));
    assert_eq!(
        chunk[0]["prev_content"],
        json!({&alice.id: 10, "default": 0})
    );
    let ops = json!({"ban_level": 7, "kick_level": 5, "redact_level": 5});
    assert_eq!(chunk[1]["content"], ops);
    let id = format!("{}~ops", text(&chunk[0], "event_id"));
    assert_eq!(chunk[1]["event_id"], id.as_str());
    let users = json!({&alice.id: 10, "@bob:localhost": 3, "default": 0});
    assert_eq!(chunk[2]["content"], users);
}

async fn real_events_of_the_old_types_are_hidden(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let sent = alice.send(&room, "hello").await;
    let from = text(&get(server, &alice, "/events?timeout=0").await.ok(), "end");
    let fake = json!({"ban_level": 0, "kick_level": 0});
    for _ in 0..3 {
        alice
            .set_state(&room, "m.room.ops_levels", "", fake.clone())
            .await
            .ok();
    }
    let events = get(server, &alice, &format!("/events?timeout=0&from={from}"))
        .await
        .ok();
    assert_eq!(events["chunk"], json!([]));
    assert_ne!(
        events["end"],
        from.as_str(),
        "the next poll does not meet them again"
    );
    // Pages of 2014 trip over a room without any message.
    let sync = get(server, &alice, "/initialSync?limit=1").await.ok();
    assert_eq!(
        sync["rooms"][0]["messages"]["chunk"][0]["event_id"],
        sent.as_str()
    );
    let state = sync["rooms"][0]["state"].as_array().unwrap();
    let mut ops = state
        .iter()
        .filter(|event| event["type"] == "m.room.ops_levels");
    assert_eq!(ops.next().unwrap()["content"]["ban_level"], 50);
    assert!(ops.next().is_none());
}

async fn old_types_cannot_be_sent(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for kind in [
        "m.room.add_state_level",
        "m.room.send_event_level",
        "m.room.ops_levels",
    ] {
        let path = room_path(&room, &format!("send/{kind}"));
        post(server, &alice, &path, json!({"level": 0}))
            .await
            .refused(400, "M_INVALID_PARAM");
    }
}

fn types(events: &Value) -> Vec<&str> {
    events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}
