//! `lazy_load_members`: only those members are sent who are needed, and once.

use myelin_testkit::{TestServer, User, text, three_modes};
use serde_json::{Value, json};

use super::{kinds, sync_filtered};

three_modes!(
    only_those_who_speak_are_sent,
    who_was_sent_is_not_sent_again,
    who_was_sent_is_sent_again_if_asked,
    an_answer_that_was_lost_is_sent_again,
    who_changed_in_a_gap_is_sent,
    who_joins_is_sent_in_the_timeline,
    each_device_is_sent_its_own,
    a_room_joined_tells_of_oneself,
    heroes_are_sent,
    with_state_after_members_are_those_after,
);

fn lazy() -> Value {
    json!({"room": {"state": {"lazy_load_members": true}}})
}

/// The users whose member events are in the state of a room.
fn members(sync: &Value, room: &str) -> Vec<String> {
    members_in(&sync["rooms"]["join"][room]["state"])
}

fn members_in(part: &Value) -> Vec<String> {
    let kinds = kinds(part).into_iter();
    let members = kinds.filter_map(|kind| Some(kind.strip_prefix("m.room.member/")?.to_owned()));
    let mut members: Vec<String> = members.collect();
    members.sort();
    members
}

/// A room of the others that has a name, and a few messages, so that nobody stands for it and
/// no member event is in the timeline.
async fn room_of(creator: &User, others: &[&User]) -> String {
    let room = creator
        .create_room_with(json!({"preset": "public_chat", "name": "Kitchen"}))
        .await;
    for other in others {
        other.join(&room).await.ok();
    }
    for number in 0..10 {
        creator.send(&room, &number.to_string()).await;
    }
    room
}

async fn only_those_who_speak_are_sent(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let room = room_of(&alice, &[&bob, &carol]).await;
    bob.send(&room, "hello").await;
    let sync = sync_filtered(&carol, None, lazy()).await;
    let expected = [&alice, &bob, &carol].map(|user| user.id.clone());
    assert_eq!(members(&sync, &room), expected, "who spoke, and who looks");
    let dave = server.user("dave").await;
    dave.join(&room).await.ok();
    let sync = sync_filtered(&bob, None, json!({})).await;
    assert_eq!(
        members(&sync, &room),
        expected,
        "all but who is in the timeline"
    );
    let sync = sync_filtered(&bob, None, lazy()).await;
    assert_eq!(members(&sync, &room), expected[..2]);
}

async fn who_was_sent_is_not_sent_again(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_of(&alice, &[&bob]).await;
    let sync = sync_filtered(&alice, None, lazy()).await;
    assert_eq!(members(&sync, &room), [alice.id.as_str()]);
    let since = text(&sync, "next_batch");
    bob.send(&room, "hello").await;
    alice.send(&room, "hello").await;
    let first = sync_filtered(&alice, Some(&since), lazy()).await;
    assert!(members(&first, &room).contains(&bob.id), "{first}");
    // What one node has sent, another may send again, but only once.
    let mut since = text(&first, "next_batch");
    let mut sent = Vec::new();
    for number in 0..4 {
        bob.send(&room, &number.to_string()).await;
        let sync = sync_filtered(&alice, Some(&since), lazy()).await;
        since = text(&sync, "next_batch");
        sent.push(members(&sync, &room).len());
    }
    assert_eq!(sent[2..], [0, 0], "{sent:?}");
}

async fn who_was_sent_is_sent_again_if_asked(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_of(&alice, &[&bob]).await;
    let filter = json!({"room": {"state": {
        "lazy_load_members": true,
        "include_redundant_members": true,
    }}});
    let mut since = text(
        &sync_filtered(&alice, None, filter.clone()).await,
        "next_batch",
    );
    for _ in 0..3 {
        bob.send(&room, "hello").await;
        let sync = sync_filtered(&alice, Some(&since), filter.clone()).await;
        assert_eq!(members(&sync, &room), [bob.id.as_str()]);
        since = text(&sync, "next_batch");
    }
}

async fn an_answer_that_was_lost_is_sent_again(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_of(&alice, &[&bob]).await;
    let since = text(&sync_filtered(&alice, None, lazy()).await, "next_batch");
    bob.send(&room, "hello").await;
    for _ in 0..4 {
        let sync = sync_filtered(&alice, Some(&since), lazy()).await;
        assert!(members(&sync, &room).contains(&bob.id), "{sync}");
    }
}

async fn who_changed_in_a_gap_is_sent(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let room = room_of(&alice, &[&bob]).await;
    let since = text(&sync_filtered(&alice, None, lazy()).await, "next_batch");
    carol.join(&room).await.ok();
    bob.leave(&room).await.ok();
    for number in 0..12 {
        alice.send(&room, &number.to_string()).await;
    }
    let sync = sync_filtered(&alice, Some(&since), lazy()).await;
    assert_eq!(sync["rooms"]["join"][&room]["timeline"]["limited"], true);
    let members = members(&sync, &room);
    for user in [&bob, &carol] {
        assert!(members.contains(&user.id), "{} in {sync}", user.id);
    }
}

async fn who_joins_is_sent_in_the_timeline(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_of(&alice, &[]).await;
    let since = text(&sync_filtered(&alice, None, lazy()).await, "next_batch");
    bob.join(&room).await.ok();
    bob.send(&room, "hello").await;
    let sync = sync_filtered(&alice, Some(&since), lazy()).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(members_in(&joined["timeline"]), [bob.id.as_str()]);
    assert!(!members(&sync, &room).contains(&bob.id), "{sync}");
}

async fn each_device_is_sent_its_own(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_of(&alice, &[&bob]).await;
    let login = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "alice"},
        "password": myelin_testkit::PASSWORD,
    });
    let login = server.post("/_matrix/client/v3/login", login).await.ok();
    let other_device = server.user_from(&login);
    let mut sinces = Vec::new();
    for device in [&alice, &other_device] {
        sinces.push(text(
            &sync_filtered(device, None, lazy()).await,
            "next_batch",
        ));
    }
    bob.send(&room, "hello").await;
    for (device, since) in [&alice, &other_device].into_iter().zip(sinces) {
        let sync = sync_filtered(device, Some(&since), lazy()).await;
        assert!(members(&sync, &room).contains(&bob.id), "{sync}");
    }
}

async fn a_room_joined_tells_of_oneself(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let since = text(&sync_filtered(&bob, None, lazy()).await, "next_batch");
    let room = room_of(&alice, &[&bob]).await;
    let sync = sync_filtered(&bob, Some(&since), lazy()).await;
    assert!(members(&sync, &room).contains(&bob.id), "{sync}");
}

async fn heroes_are_sent(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    for number in 0..10 {
        alice.send(&room, &number.to_string()).await;
    }
    let sync = sync_filtered(&alice, None, lazy()).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(joined["summary"]["m.heroes"], json!([bob.id]));
    assert_eq!(members(&sync, &room), [alice.id.clone(), bob.id.clone()]);
}

async fn with_state_after_members_are_those_after(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_of(&alice, &[]).await;
    let filter = lazy().to_string();
    let query = format!(
        "use_state_after=true&filter={}",
        myelin_testkit::encode(&filter)
    );
    let sync = super::sync_with(&alice, None, &query).await;
    let since = text(&sync, "next_batch");
    bob.join(&room).await.ok();
    bob.send(&room, "hello").await;
    let sync = super::sync_with(&alice, Some(&since), &query).await;
    let after = members_in(&sync["rooms"]["join"][&room]["state_after"]);
    assert!(after.contains(&bob.id), "{sync}");
}
