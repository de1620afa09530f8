//! History visibility: a timeline shows no more than the user may see.

use myelin_testkit::{TestServer, User, text, three_modes};
use serde_json::json;

use super::{kinds, next_batch, timeline_ids};

three_modes!(
    before_joining_only_shared_history_is_shown,
    who_is_invited_sees_from_then_on,
    who_comes_back_does_not_see_what_was_hidden,
    what_is_hidden_changes_the_state_all_the_same,
);

async fn room_with_visibility(alice: &User, visibility: &str) -> String {
    let state = json!([{
        "type": "m.room.history_visibility",
        "content": {"history_visibility": visibility},
    }]);
    let body = json!({"preset": "public_chat", "initial_state": state});
    alice.create_room_with(body).await
}

async fn before_joining_only_shared_history_is_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for (visibility, is_shown) in [
        ("world_readable", true),
        ("shared", true),
        ("invited", false),
        ("joined", false),
    ] {
        let room = room_with_visibility(&alice, visibility).await;
        let since = next_batch(&bob).await;
        let before = alice.send(&room, "before").await;
        bob.join(&room).await.ok();
        let after = alice.send(&room, "after").await;
        for since in [None, Some(since.as_str())] {
            let shown = timeline_ids(&bob.sync(since).await, &room);
            assert!(shown.contains(&after), "{visibility}");
            assert_eq!(shown.contains(&before), is_shown, "{visibility}");
        }
    }
}

async fn who_is_invited_sees_from_then_on(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with_visibility(&alice, "invited").await;
    let since = next_batch(&bob).await;
    let before = alice.send(&room, "before").await;
    alice.invite(&room, &bob).await.ok();
    let invited = alice.send(&room, "invited").await;
    bob.join(&room).await.ok();
    let shown = timeline_ids(&bob.sync(Some(&since)).await, &room);
    assert!(
        shown.contains(&invited) && !shown.contains(&before),
        "{shown:?}"
    );
}

async fn who_comes_back_does_not_see_what_was_hidden(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with_visibility(&alice, "joined").await;
    bob.join(&room).await.ok();
    let since = next_batch(&bob).await;
    let before = alice.send(&room, "before").await;
    bob.leave(&room).await.ok();
    let away = alice.send(&room, "away").await;
    bob.join(&room).await.ok();
    let after = alice.send(&room, "after").await;
    let shown = timeline_ids(&bob.sync(Some(&since)).await, &room);
    assert!(
        shown.contains(&before) && shown.contains(&after),
        "{shown:?}"
    );
    assert!(!shown.contains(&away), "{shown:?}");
}

async fn what_is_hidden_changes_the_state_all_the_same(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with_visibility(&alice, "joined").await;
    bob.join(&room).await.ok();
    let since = next_batch(&bob).await;
    bob.leave(&room).await.ok();
    alice
        .set_state(&room, "m.room.topic", "", json!({"topic": "new"}))
        .await
        .ok();
    bob.join(&room).await.ok();
    let sync = bob.sync(Some(&since)).await;
    let joined = &sync["rooms"]["join"][&room];
    assert!(
        !kinds(&joined["timeline"]).contains(&"m.room.topic/".to_owned()),
        "{sync}"
    );
    assert_eq!(kinds(&joined["state"]), ["m.room.topic/"], "{sync}");
    assert_eq!(text(&joined["state"]["events"][0], "sender"), alice.id);
}
