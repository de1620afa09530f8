//! `/_matrix/client/v1/admin/lock/{userId}`, `/suspend/{userId}`, `/v3/admin/whois/{userId}`, and what
//! a restricted account may still do.

use myelin_testkit::{TestServer, User, encode, three_modes};
use serde_json::json;

use crate::{accounts::change_account, covers};

three_modes!(
    an_administrator_locks_and_unlocks,
    an_administrator_suspends_and_lifts_it,
    others_may_not_and_learn_nothing,
    administrators_and_oneself_stay_free,
    users_of_other_servers_are_not_ours,
    unknown_and_deactivated_users_are_not_found,
    a_locked_user_can_log_out_and_nothing_else,
    a_suspended_user_reads_and_does_not_speak,
    a_user_is_looked_up,
);

covers! {
    "GET /_matrix/client/v1/admin/lock/{userId}":
        works = an_administrator_locks_and_unlocks,
        400 = users_of_other_servers_are_not_ours,
        403 = others_may_not_and_learn_nothing,
        404 = unknown_and_deactivated_users_are_not_found;
    "PUT /_matrix/client/v1/admin/lock/{userId}":
        works = an_administrator_locks_and_unlocks,
        400 = users_of_other_servers_are_not_ours,
        403 = others_may_not_and_learn_nothing,
        404 = unknown_and_deactivated_users_are_not_found;
    "GET /_matrix/client/v1/admin/suspend/{userId}":
        works = an_administrator_suspends_and_lifts_it,
        400 = users_of_other_servers_are_not_ours,
        403 = others_may_not_and_learn_nothing,
        404 = unknown_and_deactivated_users_are_not_found;
    "PUT /_matrix/client/v1/admin/suspend/{userId}":
        works = an_administrator_suspends_and_lifts_it,
        400 = users_of_other_servers_are_not_ours,
        403 = others_may_not_and_learn_nothing,
        404 = unknown_and_deactivated_users_are_not_found;
    "GET /_matrix/client/v3/admin/whois/{userId}":
        works = a_user_is_looked_up;
}

const KINDS: [(&str, &str); 2] = [("lock", "locked"), ("suspend", "suspended")];

fn path(kind: &str, user: &str) -> String {
    format!("/_matrix/client/v1/admin/{kind}/{}", encode(user))
}

async fn administrator(server: &TestServer) -> User {
    let admin = server.user("admin").await;
    change_account(server, &admin.id, |user| user.admin = true).await;
    admin
}

async fn restricts(server: &TestServer, kind: &str, key: &str) {
    let admin = administrator(server).await;
    let alice = server.user("alice").await;
    let path = path(kind, &alice.id);
    assert_eq!(admin.get(&path).await.ok(), json!({ key: false }));
    for value in [true, true, false] {
        let body = json!({ key: value });
        assert_eq!(admin.put(&path, body.clone()).await.ok(), body);
        assert_eq!(admin.get(&path).await.ok(), body);
    }
    let answer = admin.put(&path, json!({})).await;
    assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));
}

async fn an_administrator_locks_and_unlocks(server: &TestServer) {
    restricts(server, "lock", "locked").await;
}

async fn an_administrator_suspends_and_lifts_it(server: &TestServer) {
    restricts(server, "suspend", "suspended").await;
}

async fn others_may_not_and_learn_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for (kind, key) in KINDS {
        let mut answers = Vec::new();
        for target in [
            &*bob.id,
            "@nobody:localhost",
            "@carol:example.org",
            &alice.id,
        ] {
            for answer in [
                alice.get(&path(kind, target)).await,
                alice.put(&path(kind, target), json!({ key: true })).await,
            ] {
                assert_eq!(answer.code(), (403, "M_FORBIDDEN"), "{target}");
                answers.push(answer.body);
            }
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]));
    }
}

async fn administrators_and_oneself_stay_free(server: &TestServer) {
    let admin = administrator(server).await;
    let other = server.user("other").await;
    change_account(server, &other.id, |user| user.admin = true).await;
    for (kind, key) in KINDS {
        for target in [&admin.id, &other.id] {
            let answer = admin.put(&path(kind, target), json!({ key: true })).await;
            assert_eq!(answer.code(), (403, "M_FORBIDDEN"), "{target}");
        }
        let answer = admin.get(&path(kind, &other.id)).await;
        assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
    }
}

async fn users_of_other_servers_are_not_ours(server: &TestServer) {
    let admin = administrator(server).await;
    for (kind, key) in KINDS {
        let path = path(kind, "@alice:example.org");
        let answer = admin.get(&path).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"));
        let answer = admin.put(&path, json!({ key: true })).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"));
    }
}

async fn unknown_and_deactivated_users_are_not_found(server: &TestServer) {
    let admin = administrator(server).await;
    let gone = server.user("gone").await;
    change_account(server, &gone.id, |user| user.deactivated_ms = Some(1)).await;
    for (kind, key) in KINDS {
        for target in ["@nobody:localhost", &gone.id] {
            let path = path(kind, target);
            let answer = admin.get(&path).await;
            assert_eq!(answer.code(), (404, "M_NOT_FOUND"));
            let answer = admin.put(&path, json!({ key: true })).await;
            assert_eq!(answer.code(), (404, "M_NOT_FOUND"));
        }
    }
}

async fn a_locked_user_can_log_out_and_nothing_else(server: &TestServer) {
    let admin = administrator(server).await;
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let path = path("lock", &alice.id);
    admin.put(&path, json!({"locked": true})).await.ok();
    for answer in [
        alice.get("/sync").await,
        alice.get("/account/whoami").await,
        alice.messages(&room, "dir=b").await,
        alice.post("/createRoom", json!({})).await,
    ] {
        assert_eq!(answer.code(), (401, "M_USER_LOCKED"));
        assert_eq!(answer.body["soft_logout"], true);
    }
    admin.put(&path, json!({"locked": false})).await.ok();
    alice.get("/account/whoami").await.ok();
    admin.put(&path, json!({"locked": true})).await.ok();
    alice.post("/logout", json!({})).await.ok();
    admin.put(&path, json!({"locked": false})).await.ok();
    let answer = alice.get("/account/whoami").await;
    assert_eq!(answer.code(), (401, "M_UNKNOWN_TOKEN"));
}

async fn a_suspended_user_reads_and_does_not_speak(server: &TestServer) {
    let admin = administrator(server).await;
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let own = alice.send(&room, "before").await;
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await.ok();
    let theirs = bob.send(&room, "hello").await;
    let open = bob.create_public_room().await;
    let path = path("suspend", &alice.id);
    admin.put(&path, json!({"suspended": true})).await.ok();

    let message = json!({"msgtype": "m.text", "body": "after"});
    let old = format!("/_matrix/client/api/v1/rooms/{room}/send/m.room.message");
    for answer in [
        alice
            .send_event(&room, "m.room.message", "1", message.clone())
            .await,
        alice.post(&old, message).await,
        alice
            .set_state(&room, "m.room.topic", "", json!({"topic": "x"}))
            .await,
        alice.join(&open).await,
        alice.invite(&room, &bob).await,
        alice.post("/createRoom", json!({})).await,
    ] {
        assert_eq!(answer.code(), (403, "M_USER_SUSPENDED"), "{answer:?}");
    }
    alice.get("/account/whoami").await.ok();
    alice.sync(None).await;
    alice.messages(&room, "dir=b").await.ok();

    // They take back what they said, and nothing that others said.
    let redact = async |event: &str| {
        let path = format!("/rooms/{}/redact/{}/1", encode(&room), encode(event));
        alice.put(&path, json!({})).await
    };
    redact(&own).await.ok();
    assert_eq!(redact(&theirs).await.code(), (403, "M_USER_SUSPENDED"));
    alice.leave(&room).await.ok();

    admin.put(&path, json!({"suspended": false})).await.ok();
    alice.join(&open).await.ok();
}

async fn a_user_is_looked_up(server: &TestServer) {
    let admin = administrator(server).await;
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let whois = |user: &str| format!("/admin/whois/{}", encode(user));
    for who in [&admin, &alice] {
        let body = who.get(&whois(&alice.id)).await.ok();
        assert_eq!(body["user_id"], alice.id.as_str());
        let sessions = &body["devices"][&alice.device]["sessions"];
        let connection = json!({"last_seen": server.now_ms()});
        assert_eq!(*sessions, json!([{"connections": [connection]}]));
    }
    let answer = bob.get(&whois(&alice.id)).await;
    assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
    let answer = admin.get(&whois("@nobody:localhost")).await;
    assert_eq!(answer.code(), (404, "M_NOT_FOUND"));
    let answer = admin.get("/admin/whois/nonsense").await;
    assert_eq!(answer.code(), (400, "M_INVALID_PARAM"));
}
