//! `POST /_matrix/client/v3/rooms/{roomId}/invite`

use myelin_testkit::{TestServer, text, three_modes};
use serde_json::json;

use crate::{
    covers,
    membership::{act, member},
};

three_modes!(
    invites_with_a_reason,
    who_is_invited_may_be_invited_again,
    the_room_decides_who_may_invite,
    strangers_invite_nobody,
    refuses_whom_it_cannot_reach,
    refuses_bad_bodies,
);

covers! {
    "POST /_matrix/client/v3/rooms/{roomId}/invite":
        works = invites_with_a_reason,
        400 = refuses_bad_bodies,
        403 = the_room_decides_who_may_invite,
        outsider = strangers_invite_nobody;
}

async fn invites_with_a_reason(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let body = json!({"user_id": bob.id, "reason": "tea"});
    assert_eq!(act(&alice, &room, "invite", body).await.ok(), json!({}));
    let content = member(&alice, &room, &bob).await;
    assert_eq!(content["membership"], "invite");
    assert_eq!(content["reason"], "tea");
    let synced = bob.sync(None).await;
    let state = &synced["rooms"]["invite"][&room]["invite_state"]["events"];
    let mut state = state.as_array().unwrap().iter();
    let own = state.find(|event| event["state_key"] == bob.id);
    assert_eq!(text(own.unwrap(), "sender"), alice.id);
    bob.join(&room).await.ok();
}

async fn who_is_invited_may_be_invited_again(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let newest = async || alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"].clone();
    alice.invite(&room, &bob).await.ok();
    let first = newest().await;
    alice.invite(&room, &bob).await.ok();
    assert_eq!(newest().await, first);
    let body = json!({"user_id": bob.id, "reason": "once more"});
    act(&alice, &room, "invite", body).await.ok();
    assert_eq!(member(&alice, &room, &bob).await["reason"], "once more");
}

async fn the_room_decides_who_may_invite(server: &TestServer) {
    let alice = server.user("alice").await;
    let [bob, carol] = [server.user("bob").await, server.user("carol").await];
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    bob.invite(&room, &carol).await.refused(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await.refused(403, "M_FORBIDDEN");
    act(&alice, &room, "ban", json!({"user_id": carol.id}))
        .await
        .ok();
    alice
        .invite(&room, &carol)
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn strangers_invite_nobody(server: &TestServer) {
    let alice = server.user("alice").await;
    let [bob, carol] = [server.user("bob").await, server.user("carol").await];
    let room = alice.create_public_room().await;
    for room in [&*room, "!nowhere:localhost"] {
        bob.invite(room, &carol).await.refused(403, "M_FORBIDDEN");
    }
}

async fn refuses_whom_it_cannot_reach(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let remote = json!({"user_id": "@bob:elsewhere.example"});
    act(&alice, &room, "invite", remote)
        .await
        .refused(502, "M_UNKNOWN");
    let by_address = json!({
        "id_server": "identity.example",
        "id_access_token": "abc",
        "medium": "email",
        "address": "bob@example.org",
    });
    let refusal = act(&alice, &room, "invite", by_address)
        .await
        .refused(403, "M_FORBIDDEN");
    assert!(refusal.contains("e-mail"), "{refusal}");
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for (body, named) in [
        (json!({}), "user_id"),
        (json!([]), ""),
        (json!({"user_id": 5}), "user_id"),
        (json!({"user_id": "nobody"}), "user_id"),
        (json!({"user_id": "@bob:localhost", "reason": 5}), "reason"),
    ] {
        let answer = act(&alice, &room, "invite", body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.body["errcode"].is_string(), "{}", answer.text);
        assert!(
            text(&answer.body, "error").contains(named),
            "{}",
            answer.text
        );
    }
}
