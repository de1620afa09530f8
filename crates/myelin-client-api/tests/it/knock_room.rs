//! `POST /_matrix/client/v3/knock/{roomIdOrAlias}`

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::{
    covers,
    membership::{act, member, membership},
};

three_modes!(
    asks_for_an_invitation,
    knocks_by_alias,
    members_answer_or_not,
    a_knock_can_be_taken_back,
    knocks_on_rooms_that_are_open_to_others,
    refuses_where_knocking_is_no_use,
    refuses_rooms_that_are_not_there,
    refuses_bad_bodies,
);

covers! {
    "POST /_matrix/client/v3/knock/{roomIdOrAlias}":
        works = asks_for_an_invitation,
        403 = refuses_where_knocking_is_no_use,
        404 = refuses_rooms_that_are_not_there;
}

async fn asks_for_an_invitation(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room(&alice, "knock", "12").await;
    for reason in ["please", "pretty please", "pretty please"] {
        let answer = knock(&bob, &room, json!({"reason": reason})).await;
        assert_eq!(answer.ok(), json!({"room_id": room}));
        let content = json!({"membership": "knock", "reason": reason});
        assert_eq!(member(&alice, &room, &bob).await, content);
    }
    let page = alice.messages(&room, "dir=b&limit=3").await.ok();
    let knocks = page["chunk"].as_array().unwrap().iter();
    let knocks = knocks.filter(|event| event["content"]["membership"] == "knock");
    assert_eq!(knocks.count(), 2, "the same words are no new knock: {page}");
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
}

async fn knocks_by_alias(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let request = json!({
        "room_alias_name": "tea",
        "initial_state": [{"type": "m.room.join_rules", "content": {"join_rule": "knock"}}],
    });
    let room = alice.create_room_with(request).await;
    let path = "/knock/%23tea%3Alocalhost?via=elsewhere.example&via=localhost";
    let answer = bob.post(path, json!({})).await.ok();
    assert_eq!(text(&answer, "room_id"), room);
}

async fn members_answer_or_not(server: &TestServer) {
    let alice = server.user("alice").await;
    let [bob, carol] = [server.user("bob").await, server.user("carol").await];
    let room = room(&alice, "knock", "12").await;
    for user in [&bob, &carol] {
        knock(user, &room, json!({})).await.ok();
    }
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await.ok();
    act(&alice, &room, "kick", json!({"user_id": carol.id}))
        .await
        .ok();
    assert_eq!(membership(&alice, &room, &carol).await, "leave");
    knock(&carol, &room, json!({})).await.ok();
}

async fn a_knock_can_be_taken_back(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room(&alice, "knock", "12").await;
    knock(&bob, &room, json!({})).await.ok();
    bob.leave(&room).await.ok();
    assert_eq!(membership(&alice, &room, &bob).await, "leave");
}

async fn knocks_on_rooms_that_are_open_to_others(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room(&alice, "knock_restricted", "10").await;
    knock(&bob, &room, json!({})).await.ok();
    assert_eq!(membership(&alice, &room, &bob).await, "knock");
}

async fn refuses_where_knocking_is_no_use(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for (rule, version) in [
        ("invite", "12"),
        ("public", "12"),
        ("restricted", "12"),
        ("knock", "6"),
        ("knock_restricted", "9"),
    ] {
        let room = room(&alice, rule, version).await;
        knock(&bob, &room, json!({}))
            .await
            .refused(403, "M_FORBIDDEN");
    }
    let room = room(&alice, "knock", "12").await;
    knock(&alice, &room, json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await.ok();
    knock(&bob, &room, json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    act(&alice, &room, "ban", json!({"user_id": bob.id}))
        .await
        .ok();
    knock(&bob, &room, json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn refuses_rooms_that_are_not_there(server: &TestServer) {
    let alice = server.user("alice").await;
    for name in ["!nowhere:localhost", "#nowhere:localhost"] {
        knock(&alice, name, json!({}))
            .await
            .refused(404, "M_NOT_FOUND");
    }
    knock(&alice, "nonsense", json!({}))
        .await
        .refused(400, "M_INVALID_PARAM");
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room(&alice, "knock", "12").await;
    knock(&bob, &room, json!({"reason": 5}))
        .await
        .refused(400, "M_BAD_JSON");
    let long = "a".repeat(70_000);
    knock(&bob, &room, json!({"reason": long}))
        .await
        .refused(413, "M_TOO_LARGE");
}

async fn room(creator: &User, rule: &str, version: &str) -> String {
    let rules = json!({"type": "m.room.join_rules", "content": {"join_rule": rule}});
    let request = json!({"room_version": version, "initial_state": [rules]});
    creator.create_room_with(request).await
}

async fn knock(user: &User, room: &str, body: Value) -> Answer {
    user.post(&format!("/knock/{}", encode(room)), body).await
}
