//! `timeout`: a poll waits for something that is shown.

use myelin_testkit::{TestServer, encode, text, three_modes};
use serde_json::json;

use super::{next_batch, sync_with, timeline_ids};

three_modes!(
    account_data_ends_the_wait,
    what_is_filtered_out_does_not_end_the_wait,
    a_new_room_ends_the_wait,
    being_put_out_ends_the_wait,
    rooms_joined_meanwhile_are_waited_for,
);

const LONG: u64 = 60_000;

async fn account_data_ends_the_wait(server: &TestServer) {
    let alice = server.user("alice").await;
    let since = next_batch(&alice).await;
    let path = format!("/user/{}/account_data/org.example", encode(&alice.id));
    let (sync, set) = tokio::join!(
        alice.sync_waiting(&since, LONG),
        alice.put(&path, json!({"a": 1}))
    );
    set.ok();
    assert_eq!(sync["account_data"]["events"][0]["type"], "org.example");
}

async fn what_is_filtered_out_does_not_end_the_wait(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let since = next_batch(&bob).await;
    let filter = json!({"room": {"timeline": {"types": ["m.sticker"]}}});
    let query = format!("timeout={LONG}&filter={}", encode(&filter.to_string()));
    let (sync, sticker) = tokio::join!(sync_with(&bob, Some(&since), &query), async {
        for number in 0..3 {
            alice.send(&room, &number.to_string()).await;
        }
        alice
            .send_event(&room, "m.sticker", "s1", json!({}))
            .await
            .ok()
    });
    assert_eq!(timeline_ids(&sync, &room), [text(&sticker, "event_id")]);
}

async fn a_new_room_ends_the_wait(server: &TestServer) {
    let alice = server.user("alice").await;
    let since = next_batch(&alice).await;
    let (sync, room) = tokio::join!(alice.sync_waiting(&since, LONG), alice.create_room());
    assert!(sync["rooms"]["join"].get(&room).is_some(), "{sync}");
}

async fn being_put_out_ends_the_wait(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let since = next_batch(&bob).await;
    let (sync, banned) = tokio::join!(
        bob.sync_waiting(&since, LONG),
        alice.set_state(
            &room,
            "m.room.member",
            &bob.id,
            json!({"membership": "ban"})
        )
    );
    banned.ok();
    assert!(sync["rooms"]["leave"].get(&room).is_some(), "{sync}");
}

async fn rooms_joined_meanwhile_are_waited_for(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let first = alice.create_public_room().await;
    let second = alice.create_public_room().await;
    bob.join(&first).await.ok();
    let mut since = next_batch(&bob).await;
    bob.join(&second).await.ok();
    since = text(&bob.sync_waiting(&since, LONG).await, "next_batch");
    let (sync, sent) = tokio::join!(bob.sync_waiting(&since, LONG), alice.send(&second, "hello"));
    assert_eq!(timeline_ids(&sync, &second), [sent]);
}
