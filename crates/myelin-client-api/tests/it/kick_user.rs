//! `POST /_matrix/client/v3/rooms/{roomId}/kick`

use myelin_testkit::{TestServer, three_modes};
use serde_json::json;

use crate::{
    covers,
    membership::{act, member, membership},
};

three_modes!(
    takes_a_user_out_of_the_room,
    takes_invitations_and_knocks_away,
    power_decides_who_kicks_whom,
    strangers_kick_nobody,
    who_is_not_in_the_room_cannot_be_kicked,
    refuses_bad_bodies,
);

covers! {
    "POST /_matrix/client/v3/rooms/{roomId}/kick":
        works = takes_a_user_out_of_the_room,
        403 = power_decides_who_kicks_whom,
        outsider = strangers_kick_nobody;
}

async fn takes_a_user_out_of_the_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let body = json!({"user_id": bob.id, "reason": "Telling unfunny jokes"});
    assert_eq!(act(&alice, &room, "kick", body).await.ok(), json!({}));
    let event = member(&alice, &room, &bob).await;
    assert_eq!(
        event,
        json!({"membership": "leave", "reason": "Telling unfunny jokes"})
    );
    bob.send_event(&room, "m.room.message", "1", json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    let left = bob.sync(None).await;
    assert!(left["rooms"]["join"].get(&room).is_none(), "{left}");
    // They may come back where the room lets everybody in.
    bob.join(&room).await.ok();
}

async fn takes_invitations_and_knocks_away(server: &TestServer) {
    let alice = server.user("alice").await;
    let [bob, carol] = [server.user("bob").await, server.user("carol").await];
    let rules = json!({"type": "m.room.join_rules", "content": {"join_rule": "knock"}});
    let room = alice
        .create_room_with(json!({"initial_state": [rules]}))
        .await;
    alice.invite(&room, &bob).await.ok();
    carol.post(&format!("/knock/{room}"), json!({})).await.ok();
    for user in [&bob, &carol] {
        let body = json!({"user_id": user.id});
        act(&alice, &room, "kick", body).await.ok();
        assert_eq!(membership(&alice, &room, user).await, "leave");
    }
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
}

async fn power_decides_who_kicks_whom(server: &TestServer) {
    let alice = server.user("alice").await;
    let [bob, carol] = [server.user("bob").await, server.user("carol").await];
    let room = alice.create_public_room().await;
    for user in [&bob, &carol] {
        user.join(&room).await.ok();
    }
    let target = |user: &str| json!({"user_id": user});
    act(&bob, &room, "kick", target(&carol.id))
        .await
        .refused(403, "M_FORBIDDEN");
    let levels = json!({"users": {&bob.id: 50, &carol.id: 50}, "kick": 50});
    alice
        .set_state(&room, "m.room.power_levels", "", levels)
        .await
        .ok();
    // Equals do not kick each other, and nobody kicks upwards.
    for id in [&carol.id, &alice.id] {
        act(&bob, &room, "kick", target(id))
            .await
            .refused(403, "M_FORBIDDEN");
    }
    act(&alice, &room, "kick", target(&carol.id)).await.ok();
}

async fn strangers_kick_nobody(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for room in [&*room, "!nowhere:localhost"] {
        act(&bob, room, "kick", json!({"user_id": alice.id}))
            .await
            .refused(403, "M_FORBIDDEN");
    }
}

async fn who_is_not_in_the_room_cannot_be_kicked(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let body = json!({"user_id": bob.id});
    act(&alice, &room, "kick", body.clone())
        .await
        .refused(403, "M_FORBIDDEN");
    // A kick would lift the ban.
    act(&alice, &room, "ban", body.clone()).await.ok();
    act(&alice, &room, "kick", body)
        .await
        .refused(403, "M_FORBIDDEN");
    assert_eq!(membership(&alice, &room, &bob).await, "ban");
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for (body, errcode) in [
        (json!({}), "M_MISSING_PARAM"),
        (json!([]), "M_BAD_JSON"),
        (json!({"user_id": 5}), "M_BAD_JSON"),
        (json!({"user_id": "nobody"}), "M_INVALID_PARAM"),
    ] {
        for action in ["kick", "ban", "unban"] {
            act(&alice, &room, action, body.clone())
                .await
                .refused(400, errcode);
        }
    }
}
