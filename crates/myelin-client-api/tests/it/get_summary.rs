//! `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}`

use myelin_testkit::{Answer, TestServer, User, encode, three_modes};
use serde_json::json;

use crate::covers;

three_modes!(
    tells_what_a_room_is,
    tells_members_and_those_who_may_come_in,
    tells_anybody_of_open_rooms,
    other_rooms_are_not_found,
    refuses_what_names_no_room_and_wrong_tokens,
);

covers! {
    "GET /_matrix/client/v1/room_summary/{roomIdOrAlias}":
        works = tells_what_a_room_is,
        400 = refuses_what_names_no_room_and_wrong_tokens,
        404 = other_rooms_are_not_found;
}

async fn tells_what_a_room_is(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice
        .create_room_with(json!({
            "preset": "public_chat",
            "name": "CHEESE",
            "topic": "Tasty tasty cheese",
            "room_alias_name": "cheese",
            "room_version": "11",
            "creation_content": {"type": "m.space"},
        }))
        .await;
    for (kind, content) in [
        ("m.room.avatar", json!({"url": "mxc://localhost/brie"})),
        ("m.room.guest_access", json!({"guest_access": "can_join"})),
        (
            "m.room.history_visibility",
            json!({"history_visibility": "world_readable"}),
        ),
        (
            "m.room.encryption",
            json!({"algorithm": "m.megolm.v1.aes-sha2"}),
        ),
        (
            "m.room.canonical_alias",
            json!({"alias": "#cheese:localhost"}),
        ),
    ] {
        alice.set_state(&room, kind, "", content).await.ok();
    }
    let mut wanted = json!({
        "room_id": room,
        "avatar_url": "mxc://localhost/brie",
        "canonical_alias": "#cheese:localhost",
        "encryption": "m.megolm.v1.aes-sha2",
        "guest_can_join": true,
        "join_rule": "public",
        "membership": "leave",
        "name": "CHEESE",
        "num_joined_members": 1,
        "room_type": "m.space",
        "room_version": "11",
        "topic": "Tasty tasty cheese",
        "world_readable": true,
    });
    assert_eq!(get(&bob, &room).await.ok(), wanted);
    assert_eq!(get(&bob, "#cheese:localhost").await.ok(), wanted);
    wanted["membership"] = "join".into();
    assert_eq!(get(&alice, &room).await.ok(), wanted);
}

async fn tells_members_and_those_who_may_come_in(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    get(&bob, &room).await.refused(404, "M_NOT_FOUND");
    alice.invite(&room, &bob).await.ok();
    assert_eq!(get(&bob, &room).await.ok()["membership"], "invite");
    bob.join(&room).await.ok();
    let found = get(&bob, &room).await.ok();
    assert_eq!(found["membership"], "join");
    assert_eq!(found["join_rule"], "invite");
    assert_eq!(found["num_joined_members"], 2);
    // A room for the members of that one.
    let rules = json!({
        "join_rule": "restricted",
        "allow": [{"type": "m.room_membership", "room_id": room}],
    });
    let state = json!([{"type": "m.room.join_rules", "content": rules}]);
    let inner = alice
        .create_room_with(json!({"initial_state": state}))
        .await;
    let found = get(&bob, &inner).await.ok();
    assert_eq!(found["join_rule"], "restricted");
    assert_eq!(found["allowed_room_ids"], json!([room]));
    bob.leave(&room).await.ok();
    get(&bob, &inner).await.refused(404, "M_NOT_FOUND");
    let knock = json!([{"type": "m.room.join_rules", "content": {"join_rule": "knock"}}]);
    for (version, status) in [("11", 200), ("6", 404)] {
        let body = json!({"initial_state": knock, "room_version": version});
        let knock = alice.create_room_with(body).await;
        assert_eq!(get(&bob, &knock).await.status, status, "{version}");
    }
}

async fn tells_anybody_of_open_rooms(server: &TestServer) {
    let alice = server.user("alice").await;
    let open = alice.create_public_room().await;
    let closed = alice.create_room().await;
    let path = |room: &str| format!("/_matrix/client/v1/room_summary/{}", encode(room));
    let found = server.get(&path(&open)).await.ok();
    assert_eq!(found["room_id"], open);
    assert!(found.get("membership").is_none());
    let answer = server.get(&path(&closed)).await;
    answer.refused(404, "M_NOT_FOUND");
}

async fn other_rooms_are_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let ban = json!({"membership": "ban"});
    alice
        .set_state(&room, "m.room.member", &bob.id, ban)
        .await
        .ok();
    for room in [&room, "!nowhere:localhost", "#nothing:localhost"] {
        get(&bob, room).await.refused(404, "M_NOT_FOUND");
    }
}

async fn refuses_what_names_no_room_and_wrong_tokens(server: &TestServer) {
    let alice = server.user("alice").await;
    get(&alice, "nonsense")
        .await
        .refused(400, "M_INVALID_PARAM");
    let room = encode(&alice.create_public_room().await);
    let path = format!("/_matrix/client/v1/room_summary/{room}?access_token=nonsense");
    server.get(&path).await.refused(401, "M_UNKNOWN_TOKEN");
}

async fn get(user: &User, room: &str) -> Answer {
    let path = format!("/_matrix/client/v1/room_summary/{}", encode(room));
    user.get(&path).await
}
