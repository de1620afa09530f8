//! Timelines: nothing is lost between polls, and nothing comes twice.

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use super::{ids, next_batch, sync_filtered, timeline_ids};

three_modes!(
    a_gap_is_closed_by_messages,
    polls_of_any_size_show_everything_once,
    prev_batch_is_where_the_timeline_begins,
    a_token_from_ahead_begins_anew,
    an_old_token_is_answered_from_the_database,
    polls_side_by_side_lose_nothing,
);

async fn a_gap_is_closed_by_messages(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = next_batch(&alice).await;
    let mut sent = Vec::new();
    for number in 0..25 {
        sent.push(alice.send(&room, &number.to_string()).await);
    }
    let sync = alice.sync(Some(&since)).await;
    let timeline = &sync["rooms"]["join"][&room]["timeline"];
    let mut found = ids(timeline);
    found.reverse();
    let from = encode(&text(timeline, "prev_batch"));
    let query = format!("dir=b&from={from}&to={}&limit=100", encode(&since));
    let page = alice.messages(&room, &query).await.ok();
    let gap = page["chunk"].as_array().unwrap().iter();
    found.extend(gap.map(|event| text(event, "event_id")));
    sent.reverse();
    assert_eq!(found, sent);
}

async fn polls_of_any_size_show_everything_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let rooms = [
        alice.create_public_room().await,
        alice.create_public_room().await,
    ];
    for room in &rooms {
        bob.join(room).await.ok();
    }
    let mut since = next_batch(&bob).await;
    let mut sent = [Vec::new(), Vec::new()];
    let mut found = [Vec::new(), Vec::new()];
    let filter = json!({"room": {"timeline": {"limit": 100}}});
    for number in 0..30 {
        let index = number % 2;
        sent[index].push(alice.send(&rooms[index], &number.to_string()).await);
        if [0, 1, 5, 6, 17].contains(&number) {
            let sync = sync_filtered(&bob, Some(&since), filter.clone()).await;
            for (found, room) in found.iter_mut().zip(&rooms) {
                found.extend(timeline_ids(&sync, room));
            }
            since = text(&sync, "next_batch");
        }
    }
    let sync = sync_filtered(&bob, Some(&since), filter).await;
    for (found, room) in found.iter_mut().zip(&rooms) {
        found.extend(timeline_ids(&sync, room));
    }
    assert_eq!(found, sent);
}

async fn prev_batch_is_where_the_timeline_begins(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let before = alice.send(&room, "before").await;
    let since = next_batch(&alice).await;
    alice.send(&room, "after").await;
    let sync = alice.sync(Some(&since)).await;
    let from = encode(&text(
        &sync["rooms"]["join"][&room]["timeline"],
        "prev_batch",
    ));
    let page = alice
        .messages(&room, &format!("dir=b&limit=1&from={from}"))
        .await;
    assert_eq!(page.ok()["chunk"][0]["event_id"], before);
}

async fn a_token_from_ahead_begins_anew(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room_with(json!({"name": "Kitchen"})).await;
    let sync = alice.sync(Some("s999999999_0_0")).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(joined["summary"]["m.joined_member_count"], 1, "{sync}");
    assert_eq!(sync["next_batch"], alice.sync(None).await["next_batch"]);
}

/// A node that starts anew remembers nothing of the log.
async fn an_old_token_is_answered_from_the_database(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let quiet = alice.create_public_room().await;
    let loud = alice.create_public_room().await;
    let left = alice.create_public_room().await;
    for room in [&quiet, &loud, &left] {
        bob.join(room).await.ok();
    }
    let since = next_batch(&bob).await;
    let mut sent = Vec::new();
    for number in 0..12 {
        sent.push(alice.send(&loud, &number.to_string()).await);
    }
    bob.leave(&left).await.ok();
    let invited = alice.create_room_with(json!({"invite": [bob.id]})).await;
    let path = format!("/user/{}/account_data/org.example", encode(&bob.id));
    bob.put(&path, json!({"a": 1})).await.ok();
    let remembered = bob.sync(Some(&since)).await;
    server.restart().await;
    let read = bob.sync(Some(&since)).await;
    for sync in [&remembered, &read] {
        let rooms = &sync["rooms"];
        assert!(rooms["join"].get(&quiet).is_none(), "{sync}");
        assert_eq!(timeline_ids(sync, &loud), sent[2..]);
        assert_eq!(rooms["join"][&loud]["timeline"]["limited"], true);
        assert!(rooms["leave"].get(&left).is_some(), "{sync}");
        assert!(rooms["invite"].get(&invited).is_some(), "{sync}");
        assert_eq!(sync["account_data"]["events"][0]["type"], "org.example");
    }
    assert_eq!(read["rooms"], remembered["rooms"]);
}

/// Two clients of one user share what the node knows of the user's rooms, and each is at a place
/// of its own.
async fn polls_side_by_side_lose_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let since = next_batch(&bob).await;
    let (done, first_done) = tokio::sync::watch::channel(false);
    let second_done = first_done.clone();
    let sent = async {
        let mut sent = Vec::new();
        for number in 0..12 {
            sent.push(alice.send(&room, &number.to_string()).await);
            if number % 2 == 0 {
                bob.leave(&room).await.ok();
            } else {
                bob.join(&room).await.ok();
            }
        }
        done.send_replace(true);
        sent
    };
    let (sent, first, second) = tokio::join!(
        sent,
        poll_until(&bob, (&room, &since), &first_done),
        poll_until(&bob, (&room, &since), &second_done),
    );
    for found in [first, second] {
        for event in &sent {
            assert!(found.contains(event), "{event} of {sent:?} in {found:?}");
        }
    }
}

/// Polls until it is done, and once more; what the timelines of the room have shown.
async fn poll_until(
    user: &User,
    (room, since): (&str, &str),
    done: &tokio::sync::watch::Receiver<bool>,
) -> Vec<String> {
    let filter = json!({"room": {"timeline": {"limit": 100}}});
    let mut since = since.to_owned();
    let mut found = Vec::new();
    loop {
        let is_last = *done.borrow();
        let sync: Value = sync_filtered(user, Some(&since), filter.clone()).await;
        for section in ["join", "leave"] {
            found.extend(ids(&sync["rooms"][section][room]["timeline"]));
        }
        if is_last {
            return found;
        }
        since = text(&sync, "next_batch");
        // On a file a poll never waits for anything, and the others shall get on.
        tokio::task::yield_now().await;
    }
}
