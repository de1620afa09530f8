//! What the tests of memberships share, and member events sent as state.

use http::Method;
use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    state_changes_memberships_as_the_endpoints_do,
    a_member_event_may_say_more,
    only_ones_own_join_can_be_set,
    a_member_event_is_about_a_user_and_says_what_they_are,
);

covers! {
    "PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}":
        works = state_changes_memberships_as_the_endpoints_do,
        400 = a_member_event_is_about_a_user_and_says_what_they_are,
        403 = only_ones_own_join_can_be_set;
}

/// `POST /rooms/{roomId}/{action}`.
pub(crate) async fn act(user: &User, room: &str, action: &str, body: Value) -> Answer {
    user.post(&format!("/rooms/{}/{action}", encode(room)), body)
        .await
}

/// The content of a user's member event.
pub(crate) async fn member(viewer: &User, room: &str, of: &User) -> Value {
    viewer.state(room, "m.room.member", &of.id).await.ok()
}

/// What a user is in a room.
pub(crate) async fn membership(viewer: &User, room: &str, of: &User) -> String {
    text(&member(viewer, room, of).await, "membership")
}

async fn set(user: &User, room: &str, target: &User, content: Value) -> Answer {
    user.set_state(room, "m.room.member", &target.id, content)
        .await
}

async fn state_changes_memberships_as_the_endpoints_do(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let be = |membership: &str| json!({"membership": membership});
    for (sender, name) in [
        (&bob, "join"),
        (&bob, "leave"),
        (&alice, "invite"),
        (&alice, "leave"),
        (&alice, "ban"),
        (&alice, "leave"),
        (&bob, "join"),
    ] {
        let sent = set(sender, &room, &bob, be(name)).await.ok();
        assert!(text(&sent, "event_id").starts_with('$'));
        assert_eq!(membership(&alice, &room, &bob).await, name);
        // To say the same again says nothing new.
        let again = set(sender, &room, &bob, be(name)).await.ok();
        assert_eq!(again, sent, "{name}");
    }
    set(&alice, &room, &bob, be("invite"))
        .await
        .refused(403, "M_FORBIDDEN");
    bob.send(&room, "here").await;
}

async fn a_member_event_may_say_more(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let content = json!({
        "membership": "join",
        "displayname": "Alice of the kitchen",
        "org.example.mood": "hungry",
    });
    set(&alice, &room, &alice, content.clone()).await.ok();
    assert_eq!(member(&alice, &room, &alice).await, content);
    // Who has let a user in is for the server to say.
    let mut forged = content.clone();
    forged["join_authorised_via_users_server"] = json!("@mallory:localhost");
    set(&alice, &room, &alice, forged).await.ok();
    assert_eq!(member(&alice, &room, &alice).await, content);
}

async fn only_ones_own_join_can_be_set(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    for membership in ["join", "knock"] {
        let content = json!({"membership": membership});
        set(&alice, &room, &bob, content.clone())
            .await
            .refused(403, "M_FORBIDDEN");
        set(&bob, &room, &bob, content)
            .await
            .refused(403, "M_FORBIDDEN");
    }
    for membership in ["leave", "ban", "invite"] {
        let content = json!({"membership": membership});
        for target in [&alice, &bob] {
            set(&bob, &room, target, content.clone())
                .await
                .refused(403, "M_FORBIDDEN");
        }
    }
    let nowhere = set(
        &bob,
        "!nowhere:localhost",
        &bob,
        json!({"membership": "join"}),
    );
    nowhere.await.refused(403, "M_FORBIDDEN");
}

async fn a_member_event_is_about_a_user_and_says_what_they_are(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for content in [
        json!({}),
        json!({"membership": 5}),
        json!({"membership": "guest"}),
    ] {
        set(&alice, &room, &alice, content)
            .await
            .refused(400, "M_BAD_JSON");
    }
    for key in ["", "alice", "@alice"] {
        let content = json!({"membership": "join"});
        alice
            .set_state(&room, "m.room.member", key, content)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    let path = format!("/rooms/{}/state/m.room.member/{}", encode(&room), alice.id);
    let answer = alice.request(Method::PUT, &path, "{".to_owned()).await;
    answer.refused(400, "M_NOT_JSON");
}
