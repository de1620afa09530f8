//! `POST /_matrix/client/v3/rooms/{roomId}/ban` and `.../unban`

use myelin_testkit::{TestServer, three_modes};
use serde_json::json;

use crate::{
    covers,
    membership::{act, member, membership},
};

three_modes!(
    keeps_a_user_out,
    keeps_out_who_was_never_in,
    a_second_ban_changes_the_reason,
    power_decides_who_bans_whom,
    strangers_ban_nobody,
    unbanning_opens_the_room_again,
    only_who_is_banned_can_be_unbanned,
    power_decides_who_unbans,
    strangers_unban_nobody,
);

covers! {
    "POST /_matrix/client/v3/rooms/{roomId}/ban":
        works = keeps_a_user_out,
        403 = power_decides_who_bans_whom,
        outsider = strangers_ban_nobody;
    "POST /_matrix/client/v3/rooms/{roomId}/unban":
        works = unbanning_opens_the_room_again,
        403 = power_decides_who_unbans,
        outsider = strangers_unban_nobody;
}

async fn keeps_a_user_out(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let body = json!({"user_id": bob.id, "reason": "enough"});
    assert_eq!(act(&alice, &room, "ban", body).await.ok(), json!({}));
    let event = member(&alice, &room, &bob).await;
    assert_eq!(event, json!({"membership": "ban", "reason": "enough"}));
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await.refused(403, "M_FORBIDDEN");
    bob.leave(&room).await.refused(403, "M_FORBIDDEN");
}

async fn keeps_out_who_was_never_in(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for id in [&*bob.id, "@nobody:localhost", "@mallory:elsewhere.example"] {
        act(&alice, &room, "ban", json!({"user_id": id})).await.ok();
    }
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
}

async fn a_second_ban_changes_the_reason(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let newest = async || alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"][0].clone();
    let body = json!({"user_id": bob.id, "reason": "one"});
    act(&alice, &room, "ban", body.clone()).await.ok();
    let first = newest().await;
    act(&alice, &room, "ban", body).await.ok();
    assert_eq!(newest().await["event_id"], first["event_id"]);
    let body = json!({"user_id": bob.id, "reason": "another"});
    act(&alice, &room, "ban", body).await.ok();
    assert_eq!(newest().await["content"]["reason"], "another");
}

async fn power_decides_who_bans_whom(server: &TestServer) {
    let alice = server.user("alice").await;
    let [bob, carol] = [server.user("bob").await, server.user("carol").await];
    let room = alice.create_public_room().await;
    for user in [&bob, &carol] {
        user.join(&room).await.ok();
    }
    act(&bob, &room, "ban", json!({"user_id": carol.id}))
        .await
        .refused(403, "M_FORBIDDEN");
    let levels = json!({"users": {&bob.id: 50, &carol.id: 50}, "ban": 50});
    alice
        .set_state(&room, "m.room.power_levels", "", levels)
        .await
        .ok();
    for id in [&carol.id, &alice.id] {
        act(&bob, &room, "ban", json!({"user_id": id}))
            .await
            .refused(403, "M_FORBIDDEN");
    }
    act(&bob, &room, "ban", json!({"user_id": "@dave:localhost"}))
        .await
        .ok();
}

async fn strangers_ban_nobody(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for room in [&*room, "!nowhere:localhost"] {
        act(&bob, room, "ban", json!({"user_id": alice.id}))
            .await
            .refused(403, "M_FORBIDDEN");
    }
}

async fn unbanning_opens_the_room_again(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let body = json!({"user_id": bob.id});
    act(&alice, &room, "ban", body).await.ok();
    let body = json!({"user_id": bob.id, "reason": "long enough"});
    assert_eq!(act(&alice, &room, "unban", body).await.ok(), json!({}));
    let event = member(&alice, &room, &bob).await;
    assert_eq!(
        event,
        json!({"membership": "leave", "reason": "long enough"})
    );
    bob.join(&room).await.ok();
}

async fn only_who_is_banned_can_be_unbanned(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let body = json!({"user_id": bob.id});
    act(&alice, &room, "unban", body.clone())
        .await
        .refused(403, "M_BAD_STATE");
    bob.join(&room).await.ok();
    act(&alice, &room, "unban", body)
        .await
        .refused(403, "M_BAD_STATE");
    assert_eq!(membership(&alice, &room, &bob).await, "join");
}

async fn power_decides_who_unbans(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let body = json!({"user_id": "@carol:localhost"});
    act(&alice, &room, "ban", body.clone()).await.ok();
    act(&bob, &room, "unban", body.clone())
        .await
        .refused(403, "M_FORBIDDEN");
    act(&alice, &room, "unban", body).await.ok();
}

async fn strangers_unban_nobody(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    act(&alice, &room, "ban", json!({"user_id": bob.id}))
        .await
        .ok();
    for room in [&*room, "!nowhere:localhost"] {
        act(&bob, room, "unban", json!({"user_id": bob.id}))
            .await
            .refused(403, "M_FORBIDDEN");
    }
}
