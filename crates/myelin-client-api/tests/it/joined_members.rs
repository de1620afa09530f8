//! `GET /_matrix/client/v3/rooms/{roomId}/joined_members` and `GET /_matrix/client/v3/joined_rooms`

use myelin_testkit::{TestServer, encode, three_modes};
use serde_json::json;

use crate::covers;

three_modes!(
    shows_who_is_joined_with_their_profiles,
    only_members_see_who_is_joined,
    lists_the_rooms_that_one_is_in,
);

covers! {
    "GET /_matrix/client/v3/rooms/{roomId}/joined_members":
        works = shows_who_is_joined_with_their_profiles,
        403 = only_members_see_who_is_joined,
        outsider = only_members_see_who_is_joined;
    "GET /_matrix/client/v3/joined_rooms":
        works = lists_the_rooms_that_one_is_in;
}

async fn shows_who_is_joined_with_their_profiles(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let room = alice.create_public_room().await;
    for user in [&bob, &carol] {
        user.join(&room).await.ok();
    }
    carol.leave(&room).await.ok();
    let profile = json!({
        "membership": "join",
        "displayname": "Bob \"the\" \u{e4}",
        "avatar_url": "mxc://localhost/bob",
    });
    let kind = "m.room.member";
    bob.set_state(&room, kind, &bob.id, profile).await.ok();
    let odd = json!({"membership": "join", "displayname": null, "avatar_url": null});
    alice.set_state(&room, kind, &alice.id, odd).await.ok();
    let path = format!("/rooms/{}/joined_members", encode(&room));
    let wanted = json!({"joined": {
        &alice.id: {},
        &bob.id: {"display_name": "Bob \"the\" \u{e4}", "avatar_url": "mxc://localhost/bob"},
    }});
    assert_eq!(alice.get(&path).await.ok(), wanted);
}

async fn only_members_see_who_is_joined(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let path = format!("/rooms/{}/joined_members", encode(&room));
    bob.get(&path).await.refused(403, "M_FORBIDDEN");
    bob.join(&room).await.ok();
    bob.get(&path).await.ok();
    bob.leave(&room).await.ok();
    bob.get(&path).await.refused(403, "M_FORBIDDEN");
    bob.get("/rooms/!nowhere:localhost/joined_members")
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn lists_the_rooms_that_one_is_in(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let mut rooms = Vec::new();
    for _ in 0..4 {
        rooms.push(alice.create_public_room().await);
    }
    assert_eq!(
        bob.get("/joined_rooms").await.ok(),
        json!({"joined_rooms": []})
    );
    bob.join(&rooms[0]).await.ok();
    bob.join(&rooms[2]).await.ok();
    bob.join(&rooms[1]).await.ok();
    bob.leave(&rooms[2]).await.ok();
    alice.invite(&rooms[3], &bob).await.ok();
    let wanted = json!({"joined_rooms": [rooms[0], rooms[1]]});
    assert_eq!(bob.get("/joined_rooms").await.ok(), wanted);
}
