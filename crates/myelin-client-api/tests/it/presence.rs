//! `GET` and `PUT /_matrix/client/v3/presence/{userId}/status`

use std::time::Duration;

use myelin_http::HttpSettings;
use myelin_testkit::{Answer, TestServer, User, encode, three_modes, wait_until};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    what_is_set_is_shown_to_those_in_the_same_rooms,
    strangers_see_nothing,
    who_nobody_knows_is_not_found,
    who_has_only_acted_is_offline_and_was_here,
    who_is_idle_is_unavailable_and_who_is_gone_offline,
    only_the_own_presence_is_set,
    refuses_bad_bodies,
    nothing_is_shown_where_it_is_switched_off,
);

covers! {
    "GET /_matrix/client/v3/presence/{userId}/status":
        works = what_is_set_is_shown_to_those_in_the_same_rooms,
        403 = strangers_see_nothing,
        404 = who_nobody_knows_is_not_found;
    "PUT /_matrix/client/v3/presence/{userId}/status":
        works = what_is_set_is_shown_to_those_in_the_same_rooms;
}

async fn what_is_set_is_shown_to_those_in_the_same_rooms(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    for (state, status_msg) in [
        ("unavailable", Some("at lunch")),
        ("online", Some("\u{1f600} \"back\"\n")),
        ("online", None),
        ("offline", Some("gone")),
    ] {
        let mut body = json!({"presence": state});
        if let Some(status_msg) = status_msg {
            body["status_msg"] = status_msg.into();
        }
        assert_eq!(set(&alice, &alice, body).await.ok(), json!({}));
        for reader in [&alice, &bob] {
            wait_for(reader, &alice, |shown| {
                shown["presence"] == state
                    && shown["status_msg"].as_str() == status_msg
                    && shown["currently_active"] == (state == "online")
            })
            .await;
        }
    }
}

async fn strangers_see_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let body = json!({"presence": "online"});
    set(&alice, &alice, body).await.ok();
    get(&bob, &alice.id).await.refused(403, "M_FORBIDDEN");
    bob.join(&room).await.ok();
    get(&bob, &alice.id).await.ok();
    bob.leave(&room).await.ok();
    get(&bob, &alice.id).await.refused(403, "M_FORBIDDEN");
}

async fn who_nobody_knows_is_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    for user in ["@nobody:localhost", "@alice:elsewhere.example"] {
        get(&alice, user).await.refused(404, "M_NOT_FOUND");
    }
    get(&alice, "alice").await.refused(400, "M_INVALID_PARAM");
}

async fn who_has_only_acted_is_offline_and_was_here(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    server.clock().advance(Duration::from_mins(2));
    alice.send(&room, "hello").await;
    server.clock().advance(Duration::from_secs(20));
    wait_for(&alice, &alice, |shown| {
        shown["presence"] == "offline" && shown["last_active_ago"] == 20_000
    })
    .await;
}

async fn who_is_idle_is_unavailable_and_who_is_gone_offline(server: &TestServer) {
    let alice = server.user("alice").await;
    let state = async |wanted: &str| {
        wait_for(&alice, &alice, |shown| shown["presence"] == wanted).await;
    };
    alice.sync(None).await;
    state("online").await;
    for _ in 0..5 {
        server.clock().advance(Duration::from_secs(61));
        alice.sync(None).await;
    }
    state("unavailable").await;
    let room = alice.create_room().await;
    state("online").await;
    server.clock().advance(Duration::from_mins(4));
    state("offline").await;
    alice.get("/sync?timeout=0&set_presence=offline").await.ok();
    alice.send(&room, "I am not here").await;
    state("offline").await;
    alice
        .get("/sync?timeout=0&set_presence=unavailable")
        .await
        .ok();
    state("unavailable").await;
}

async fn only_the_own_presence_is_set(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let body = json!({"presence": "online"});
    set(&alice, &bob, body).await.refused(403, "M_FORBIDDEN");
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    for body in [
        json!({"presence": "free_for_chat"}),
        json!({"presence": ""}),
        json!({"presence": "online", "status_msg": "x".repeat(1_001)}),
    ] {
        set(&alice, &alice, body)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    for body in [
        json!({}),
        json!({"presence": 1}),
        json!({"presence": "online", "status_msg": 1}),
    ] {
        assert_eq!(
            set(&alice, &alice, body.clone()).await.status,
            400,
            "{body}"
        );
    }
}

async fn nothing_is_shown_where_it_is_switched_off(server: &TestServer) {
    let http = HttpSettings {
        presence: false,
        ..HttpSettings::default()
    };
    server.restart_with(http).await;
    let alice = server.user("alice").await;
    let body = json!({"presence": "online", "status_msg": "here"});
    set(&alice, &alice, body).await.ok();
    let sync = alice.sync(None).await;
    assert!(
        sync["presence"]["events"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );
    let shown = get(&alice, &alice.id).await.ok();
    assert_eq!(shown, json!({"presence": "offline"}));
}

/// Sets a user's presence.
pub(crate) async fn set(user: &User, who: &User, body: Value) -> Answer {
    let path = format!("/presence/{}/status", encode(&who.id));
    user.put(&path, body).await
}

async fn get(user: &User, who: &str) -> Answer {
    user.get(&format!("/presence/{}/status", encode(who))).await
}

/// Waits until all nodes show it: what one is told the others hear a moment later.
async fn wait_for(reader: &User, who: &User, is: impl Fn(&Value) -> bool) {
    wait_until("the presence is shown", async || {
        let first = get(reader, &who.id).await.ok();
        is(&first) && is(&get(reader, &who.id).await.ok())
    })
    .await;
}
