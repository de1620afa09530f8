//! Rooms that the user has left, was put out of, is invited to, has knocked at.

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use super::{ids, kinds, next_batch, sync_filtered, sync_with, timeline_ids};

three_modes!(
    what_happened_until_one_left_is_shown,
    leaving_is_shown_once,
    a_kick_and_a_ban_are_shown,
    a_room_joined_and_left_meanwhile_is_shown_whole,
    a_refused_invite_shows_nothing_of_the_room,
    a_withdrawn_invite_ends,
    rooms_left_are_shown_if_asked,
    rooms_one_was_put_out_of_are_shown_at_first,
    a_room_joined_again_goes_on,
    a_room_joined_again_after_its_end_was_seen_comes_whole,
    an_invite_after_leaving_is_an_invite,
    a_knock_shows_what_it_is_at,
    a_room_forgotten_is_gone,
    state_after_tells_of_leaving,
);

fn section<'a>(sync: &'a Value, room: &str) -> Option<&'a str> {
    let sections = ["join", "invite", "knock", "leave"].into_iter();
    let found: Vec<&str> = sections
        .filter(|section| sync["rooms"][section].get(room).is_some())
        .collect();
    assert!(found.len() < 2, "{room} is in {found:?}");
    found.first().copied()
}

async fn put_out(by: &User, room: &str, target: &User, membership: &str) {
    let content = json!({"membership": membership});
    by.set_state(room, "m.room.member", &target.id, content)
        .await
        .ok();
}

async fn room_with(alice: &User, bob: &User) -> String {
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    room
}

async fn what_happened_until_one_left_is_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with(&alice, &bob).await;
    let since = next_batch(&bob).await;
    let before = alice.send(&room, "before").await;
    bob.leave(&room).await.ok();
    alice.send(&room, "after").await;
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(section(&sync, &room), Some("leave"));
    let left = &sync["rooms"]["leave"][&room];
    assert_eq!(ids(&left["timeline"])[0], before);
    let kinds = kinds(&left["timeline"]);
    assert_eq!(
        kinds,
        [
            "m.room.message".to_owned(),
            format!("m.room.member/{}", bob.id)
        ]
    );
    assert_eq!(left["state"], json!({"events": []}));
    assert_eq!(left["account_data"], json!({"events": []}));
}

async fn leaving_is_shown_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with(&alice, &bob).await;
    let since = next_batch(&bob).await;
    bob.leave(&room).await.ok();
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(section(&sync, &room), Some("leave"));
    let since = text(&sync, "next_batch");
    alice.send(&room, "he is gone").await;
    assert_eq!(section(&bob.sync(Some(&since)).await, &room), None);
    assert_eq!(section(&bob.sync(None).await, &room), None);
}

async fn a_kick_and_a_ban_are_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for (membership, from) in [("leave", "kicked"), ("ban", "banned")] {
        let room = room_with(&alice, &bob).await;
        let since = next_batch(&bob).await;
        put_out(&alice, &room, &bob, membership).await;
        alice.send(&room, from).await;
        let sync = bob.sync(Some(&since)).await;
        assert_eq!(section(&sync, &room), Some("leave"), "{from}");
        let shown = super::events(&sync["rooms"]["leave"][&room]["timeline"]);
        assert_eq!(shown.len(), 1, "{sync}");
        assert_eq!(shown[0]["content"]["membership"], membership);
        assert_eq!(shown[0]["sender"], alice.id);
    }
}

async fn a_room_joined_and_left_meanwhile_is_shown_whole(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice
        .create_room_with(json!({"preset": "public_chat", "name": "Kitchen"}))
        .await;
    let since = next_batch(&bob).await;
    bob.join(&room).await.ok();
    let seen = alice.send(&room, "seen").await;
    bob.leave(&room).await.ok();
    alice
        .set_state(&room, "m.room.name", "", json!({"name": "Secret"}))
        .await
        .ok();
    let sync = bob.sync(Some(&since)).await;
    let left = &sync["rooms"]["leave"][&room];
    assert!(ids(&left["timeline"]).contains(&seen), "{sync}");
    let shown = [kinds(&left["state"]), kinds(&left["timeline"])].concat();
    for kind in ["m.room.create/", "m.room.name/"] {
        assert!(shown.contains(&kind.to_owned()), "{kind} in {sync}");
    }
    assert!(!sync.to_string().contains("Secret"), "{sync}");
}

async fn a_refused_invite_shows_nothing_of_the_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room_with(json!({"name": "Kitchen"})).await;
    let since = next_batch(&bob).await;
    alice.invite(&room, &bob).await.ok();
    alice.send(&room, "hello").await;
    bob.leave(&room).await.ok();
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(section(&sync, &room), Some("leave"));
    let left = &sync["rooms"]["leave"][&room];
    assert_eq!(
        kinds(&left["timeline"]),
        [format!("m.room.member/{}", bob.id)]
    );
    assert_eq!(left["state"], json!({"events": []}));
    assert_eq!(section(&bob.sync(None).await, &room), None);
}

async fn a_withdrawn_invite_ends(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room_with(json!({"invite": [bob.id]})).await;
    let sync = bob.sync(None).await;
    assert_eq!(section(&sync, &room), Some("invite"));
    let since = text(&sync, "next_batch");
    put_out(&alice, &room, &bob, "leave").await;
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(section(&sync, &room), Some("leave"));
}

async fn rooms_left_are_shown_if_asked(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with(&alice, &bob).await;
    let seen = alice.send(&room, "seen").await;
    bob.leave(&room).await.ok();
    alice.send(&room, "unseen").await;
    let filter = json!({"room": {"include_leave": true}});
    let since = next_batch(&bob).await;
    let at_first = sync_filtered(&bob, None, filter.clone()).await;
    let query = format!("full_state=true&filter={}", encode(&filter.to_string()));
    let again = sync_with(&bob, Some(&since), &query).await;
    for sync in [at_first, again] {
        assert_eq!(section(&sync, &room), Some("leave"));
        let left = &sync["rooms"]["leave"][&room];
        assert!(ids(&left["timeline"]).contains(&seen), "{sync}");
        assert!(!sync.to_string().contains("unseen"), "{sync}");
        let shown = [kinds(&left["state"]), kinds(&left["timeline"])].concat();
        assert!(shown.contains(&"m.room.create/".to_owned()), "{sync}");
    }
}

async fn rooms_one_was_put_out_of_are_shown_at_first(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let mut rooms = Vec::new();
    for membership in ["leave", "ban"] {
        let room = room_with(&alice, &bob).await;
        put_out(&alice, &room, &bob, membership).await;
        rooms.push(room);
    }
    let sync = bob.sync(None).await;
    for room in rooms {
        assert_eq!(section(&sync, &room), Some("leave"), "{sync}");
    }
}

async fn a_room_joined_again_goes_on(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with(&alice, &bob).await;
    let since = next_batch(&bob).await;
    bob.leave(&room).await.ok();
    let away = alice.send(&room, "while he was away").await;
    bob.join(&room).await.ok();
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(section(&sync, &room), Some("join"));
    // The room's history is shared with whoever is joined.
    assert_eq!(timeline_ids(&sync, &room).len(), 3);
    assert_eq!(timeline_ids(&sync, &room)[1], away);
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(joined["state"], json!({"events": []}));
    assert_eq!(joined["timeline"]["limited"], false);
}

async fn a_room_joined_again_after_its_end_was_seen_comes_whole(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with(&alice, &bob).await;
    bob.leave(&room).await.ok();
    for number in 0..12 {
        alice.send(&room, &number.to_string()).await;
    }
    let since = next_batch(&bob).await;
    bob.join(&room).await.ok();
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(section(&sync, &room), Some("join"));
    let state = kinds(&sync["rooms"]["join"][&room]["state"]);
    assert!(state.contains(&"m.room.create/".to_owned()), "{sync}");
    assert_eq!(sync["rooms"]["join"][&room]["timeline"]["limited"], true);
}

async fn an_invite_after_leaving_is_an_invite(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with(&alice, &bob).await;
    let since = next_batch(&bob).await;
    bob.leave(&room).await.ok();
    alice.invite(&room, &bob).await.ok();
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(section(&sync, &room), Some("invite"));
}

async fn a_knock_shows_what_it_is_at(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room_with(json!({"name": "Kitchen"})).await;
    let rule = json!({"join_rule": "knock"});
    alice
        .set_state(&room, "m.room.join_rules", "", rule)
        .await
        .ok();
    let since = next_batch(&bob).await;
    bob.post(&format!("/knock/{}", encode(&room)), json!({}))
        .await
        .ok();
    for since in [None, Some(since.as_str())] {
        let sync = bob.sync(since).await;
        assert_eq!(section(&sync, &room), Some("knock"));
        let state = super::events(&sync["rooms"]["knock"][&room]["knock_state"]);
        let own = state.last().unwrap();
        assert_eq!(own["content"]["membership"], "knock");
        for event in &state {
            let keys: Vec<&String> = event.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["content", "sender", "state_key", "type"]);
        }
        let kinds = kinds(&sync["rooms"]["knock"][&room]["knock_state"]);
        for kind in ["m.room.create/", "m.room.join_rules/", "m.room.name/"] {
            assert!(kinds.contains(&kind.to_owned()), "{kind} in {sync}");
        }
    }
    let since = next_batch(&bob).await;
    bob.leave(&room).await.ok();
    assert_eq!(section(&bob.sync(Some(&since)).await, &room), Some("leave"));
}

async fn a_room_forgotten_is_gone(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with(&alice, &bob).await;
    alice.send(&room, "a secret").await;
    let since = next_batch(&bob).await;
    bob.leave(&room).await.ok();
    let seen = next_batch(&bob).await;
    bob.post(&format!("/rooms/{}/forget", encode(&room)), json!({}))
        .await
        .ok();
    let filter = json!({"room": {"include_leave": true}});
    for since in [None, Some(seen.as_str())] {
        let sync = sync_filtered(&bob, since, filter.clone()).await;
        assert_eq!(section(&sync, &room), None, "{sync}");
    }
    // A device that has not heard of it is told that it is over, and nothing else.
    let sync = bob.sync(Some(&since)).await;
    assert_eq!(section(&sync, &room), Some("leave"));
    let own = [format!("m.room.member/{}", bob.id)];
    assert_eq!(kinds(&sync["rooms"]["leave"][&room]["timeline"]), own);
}

async fn state_after_tells_of_leaving(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = room_with(&alice, &bob).await;
    let since = next_batch(&bob).await;
    bob.leave(&room).await.ok();
    let sync = sync_with(&bob, Some(&since), "use_state_after=true").await;
    let left = &sync["rooms"]["leave"][&room];
    assert_eq!(
        kinds(&left["state_after"]),
        [format!("m.room.member/{}", bob.id)]
    );
    assert!(left.get("state").is_none(), "{sync}");
    let room = alice.create_room_with(json!({"invite": [bob.id]})).await;
    bob.leave(&room).await.ok();
    let sync = sync_with(&bob, Some(&since), "use_state_after=true").await;
    let left = &sync["rooms"]["leave"][&room];
    assert_eq!(
        kinds(&left["state_after"]),
        [format!("m.room.member/{}", bob.id)]
    );
}
