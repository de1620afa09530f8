//! `summary`: how many there are, and who stands for a room without a name.

use myelin_testkit::{TestServer, text, three_modes};
use serde_json::{Value, json};

use super::next_batch;

three_modes!(
    members_are_counted,
    the_first_others_stand_for_a_room,
    a_name_or_an_alias_stands_for_a_room,
    those_who_left_stand_for_an_empty_room,
    only_changes_are_told,
);

fn summary(sync: &Value, room: &str) -> Value {
    sync["rooms"]["join"][room]["summary"].clone()
}

async fn members_are_counted(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    alice.invite(&room, &carol).await.ok();
    let sync = alice.sync(None).await;
    let expected = json!({
        "m.heroes": [bob.id, carol.id],
        "m.joined_member_count": 2,
        "m.invited_member_count": 1,
    });
    assert_eq!(summary(&sync, &room), expected);
    let since = text(&sync, "next_batch");
    bob.leave(&room).await.ok();
    let sync = alice.sync(Some(&since)).await;
    let expected = json!({
        "m.heroes": [carol.id],
        "m.joined_member_count": 1,
        "m.invited_member_count": 1,
    });
    assert_eq!(summary(&sync, &room), expected);
}

async fn the_first_others_stand_for_a_room(server: &TestServer) {
    let room = server.user("zoe").await.create_public_room().await;
    let mut users = Vec::new();
    for name in ["yan", "alice", "xena", "bob", "will", "carol"] {
        let user = server.user(name).await;
        user.join(&room).await.ok();
        users.push(user);
    }
    let sync = users[0].sync(None).await;
    let heroes =
        ["@zoe", "@alice", "@xena", "@bob", "@will"].map(|name| format!("{name}:localhost"));
    assert_eq!(summary(&sync, &room)["m.heroes"], json!(heroes));
}

async fn a_name_or_an_alias_stands_for_a_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    for (name, has_heroes) in [("", true), ("Kitchen", false), ("", true)] {
        alice
            .set_state(&room, "m.room.name", "", json!({"name": name}))
            .await
            .ok();
        let summary = summary(&alice.sync(None).await, &room);
        assert_eq!(
            summary.get("m.heroes").is_some(),
            has_heroes,
            "{name:?}: {summary}"
        );
    }
    let named = json!({"preset": "public_chat", "room_alias_name": "kitchen"});
    let room = alice.create_room_with(named).await;
    let summary = summary(&alice.sync(None).await, &room);
    assert!(summary.get("m.heroes").is_none(), "{summary}");
}

async fn those_who_left_stand_for_an_empty_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let room = alice.create_public_room().await;
    for user in [&bob, &carol] {
        user.join(&room).await.ok();
        user.leave(&room).await.ok();
    }
    let sync = alice.sync(None).await;
    assert_eq!(summary(&sync, &room)["m.heroes"], json!([bob.id, carol.id]));
}

async fn only_changes_are_told(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = next_batch(&alice).await;
    alice.send(&room, "hello").await;
    let sync = alice.sync(Some(&since)).await;
    assert_eq!(summary(&sync, &room), Value::Null, "{sync}");
}
