//! Whose invitations users want: the account data `m.invite_permission_config`, as the
//! specification has it and as MSC4155 extends it.

use myelin_testkit::{TestServer, User, encode, three_modes};
use serde_json::{Value, json};

three_modes!(
    blocked_invitations_are_refused_however_they_are_made,
    what_is_unset_blocks_nothing,
    an_ignored_invitation_is_sent_and_not_shown,
    a_pending_invitation_is_hidden_while_it_is_blocked,
    one_list_may_except_from_another,
    who_blocks_invitations_may_join,
);

async fn wish(user: &User, content: Value) {
    wish_as(user, "m.invite_permission_config", content).await;
}

async fn wish_as(user: &User, kind: &str, content: Value) {
    let path = format!("/user/{}/account_data/{kind}", encode(&user.id));
    user.put(&path, content).await.ok();
}

async fn is_shown(user: &User, room: &str) -> bool {
    user.sync(None).await["rooms"]["invite"][room].is_object()
}

async fn blocked_invitations_are_refused_however_they_are_made(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    for (kind, content) in [
        (
            "m.invite_permission_config",
            json!({"default_action": "block"}),
        ),
        (
            "m.invite_permission_config",
            json!({"blocked_servers": ["*"]}),
        ),
        (
            "org.matrix.msc4155.invite_permission_config",
            json!({"blocked_users": ["@al*:localhost"]}),
        ),
        (
            "org.matrix.msc4380.invite_permission_config",
            json!({"default_action": "block"}),
        ),
    ] {
        wish_as(&bob, kind, content).await;
        let refused = "M_INVITE_BLOCKED";
        alice.invite(&room, &bob).await.refused(403, refused);
        let invite = json!({"membership": "invite"});
        alice
            .set_state(&room, "m.room.member", &bob.id, invite)
            .await
            .refused(403, refused);
        let before = alice.get("/joined_rooms").await.body;
        let body = json!({"invite": [bob.id]});
        alice.post("/createRoom", body).await.refused(403, refused);
        assert_eq!(
            alice.get("/joined_rooms").await.body,
            before,
            "no half of a room"
        );
        alice
            .state(&room, "m.room.member", &bob.id)
            .await
            .refused(404, "M_NOT_FOUND");
        wish_as(&bob, kind, json!({})).await;
    }
    alice.invite(&room, &bob).await.ok();
    assert!(is_shown(&bob, &room).await);
}

async fn what_is_unset_blocks_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for content in [
        json!({"default_action": "odd"}),
        json!({"enabled": false, "blocked_servers": ["*"]}),
        json!({"blocked_servers": "*"}),
        json!({"blocked_users": ["@carol:localhost"], "ignored_servers": ["elsewhere.example"]}),
    ] {
        wish(&bob, content).await;
        let room = alice.create_room().await;
        alice.invite(&room, &bob).await.ok();
        assert!(is_shown(&bob, &room).await);
    }
}

async fn an_ignored_invitation_is_sent_and_not_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    wish(&bob, json!({"ignored_users": [alice.id]})).await;
    let since = bob.sync(None).await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    alice.invite(&room, &bob).await.ok();
    let member = alice.state(&room, "m.room.member", &bob.id).await.ok();
    assert_eq!(member["membership"], "invite");
    let news = bob.sync(Some(&since)).await;
    assert!(news["rooms"]["invite"][&room].is_null(), "{news}");
    assert!(!is_shown(&bob, &room).await);
    wish(&bob, json!({})).await;
    assert!(is_shown(&bob, &room).await);
    bob.join(&room).await.ok();
}

async fn a_pending_invitation_is_hidden_while_it_is_blocked(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    alice.invite(&room, &bob).await.ok();
    assert!(is_shown(&bob, &room).await);
    wish(&bob, json!({"default_action": "block"})).await;
    assert!(!is_shown(&bob, &room).await);
    wish(&bob, json!({})).await;
    assert!(is_shown(&bob, &room).await);
}

async fn one_list_may_except_from_another(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    wish(
        &bob,
        json!({"allowed_users": [carol.id], "blocked_servers": ["localhost"]}),
    )
    .await;
    let room = alice.create_room_with(json!({"invite": [carol.id]})).await;
    carol.join(&room).await.ok();
    alice
        .invite(&room, &bob)
        .await
        .refused(403, "M_INVITE_BLOCKED");
    carol.invite(&room, &bob).await.ok();
    bob.join(&room).await.ok();
}

/// Only invitations are refused: other changes of a membership go on.
async fn who_blocks_invitations_may_join(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    wish(&bob, json!({"default_action": "block"})).await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    bob.send(&room, "here by my own will").await;
    bob.leave(&room).await.ok();
}
