//! `filter`: which rooms, events and fields are shown.

use myelin_testkit::{TestServer, encode, text, three_modes};
use serde_json::json;

use super::{events, ids, kinds, next_batch, sync_filtered, sync_with, timeline_ids};

three_modes!(
    a_filter_may_be_written_out_or_named,
    rooms_are_chosen,
    types_and_senders_of_the_timeline_are_chosen,
    a_limit_cuts_the_timeline,
    a_limit_of_none_leaves_a_way_back,
    events_with_and_without_a_url_are_told_apart,
    parts_have_rooms_of_their_own,
    state_is_chosen_apart_from_the_timeline,
    state_that_the_timeline_leaves_out_is_told_all_the_same,
    a_timeline_of_nothing_tells_the_state,
    only_some_fields_are_shown,
    events_are_shown_as_servers_exchange_them,
    filtered_events_are_looked_for_further_back,
    what_is_filtered_out_is_no_news,
);

async fn a_filter_may_be_written_out_or_named(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    alice.send(&room, "hello").await;
    let filter = json!({"room": {"timeline": {"types": ["m.room.message"]}}});
    let path = format!("/user/{}/filter", encode(&alice.id));
    let id = text(&alice.post(&path, filter.clone()).await.ok(), "filter_id");
    let written = sync_filtered(&alice, None, filter).await;
    let named = sync_with(&alice, None, &format!("filter={}", encode(&id))).await;
    for sync in [written, named] {
        assert_eq!(
            kinds(&sync["rooms"]["join"][&room]["timeline"]),
            ["m.room.message"]
        );
    }
    let of_another = bob.get(&format!("/sync?filter={}", encode(&id))).await;
    of_another.refused(400, "M_INVALID_PARAM");
}

async fn rooms_are_chosen(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let kitchen = alice.create_room().await;
    let cellar = alice.create_room().await;
    let attic = bob.create_room_with(json!({"invite": [alice.id]})).await;
    let shown = async |filter| {
        let sync = sync_filtered(&alice, None, json!({"room": filter})).await;
        let rooms = [("join", &kitchen), ("join", &cellar), ("invite", &attic)];
        rooms.map(|(section, room)| sync["rooms"][section].get(room).is_some())
    };
    assert_eq!(shown(json!({})).await, [true, true, true]);
    assert_eq!(
        shown(json!({"rooms": [kitchen]})).await,
        [true, false, false]
    );
    assert_eq!(
        shown(json!({"not_rooms": [kitchen]})).await,
        [false, true, true]
    );
    let both = json!({"rooms": [kitchen, attic], "not_rooms": [kitchen]});
    assert_eq!(shown(both).await, [false, false, true]);
    assert_eq!(shown(json!({"rooms": []})).await, [false, false, false]);
}

async fn types_and_senders_of_the_timeline_are_chosen(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let since = next_batch(&alice).await;
    let from_alice = alice.send(&room, "a").await;
    let from_bob = bob.send(&room, "b").await;
    let sticker = alice
        .send_event(&room, "m.sticker", "s1", json!({}))
        .await
        .ok();
    let sticker = text(&sticker, "event_id");
    let shown = async |filter| {
        let filter = json!({"room": {"timeline": filter}});
        timeline_ids(&sync_filtered(&alice, Some(&since), filter).await, &room)
    };
    let all = [from_alice.clone(), from_bob.clone(), sticker.clone()];
    assert_eq!(shown(json!({})).await, all);
    assert_eq!(shown(json!({"types": ["m.s*"]})).await, all[2..]);
    assert_eq!(shown(json!({"not_types": ["m.sticker"]})).await, all[..2]);
    assert_eq!(shown(json!({"senders": [bob.id]})).await, [from_bob]);
    assert_eq!(
        shown(json!({"not_senders": [bob.id]})).await,
        [from_alice, sticker]
    );
}

async fn a_limit_cuts_the_timeline(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = next_batch(&alice).await;
    let mut sent = Vec::new();
    for number in 0..15 {
        sent.push(alice.send(&room, &number.to_string()).await);
    }
    for (limit, limited) in [(1, true), (14, true), (15, false), (5_000, false)] {
        let filter = json!({"room": {"timeline": {"limit": limit}}});
        let sync = sync_filtered(&alice, Some(&since), filter).await;
        let shown = limit.min(sent.len());
        assert_eq!(timeline_ids(&sync, &room), sent[sent.len() - shown..]);
        let timeline = &sync["rooms"]["join"][&room]["timeline"];
        assert_eq!(timeline["limited"], limited, "{limit}: {sync}");
    }
    let sync = alice.sync(Some(&since)).await;
    assert_eq!(timeline_ids(&sync, &room).len(), 10, "the default");
}

async fn a_limit_of_none_leaves_a_way_back(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let sent = alice.send(&room, "hello").await;
    let filter = json!({"room": {"timeline": {"limit": 0}}});
    let sync = sync_filtered(&alice, None, filter).await;
    let timeline = &sync["rooms"]["join"][&room]["timeline"];
    assert_eq!(
        (ids(timeline).len(), &timeline["limited"]),
        (0, &json!(true))
    );
    let from = encode(&text(timeline, "prev_batch"));
    let page = alice
        .messages(&room, &format!("dir=b&limit=1&from={from}"))
        .await;
    assert_eq!(page.ok()["chunk"][0]["event_id"], sent);
}

async fn events_with_and_without_a_url_are_told_apart(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = next_batch(&alice).await;
    let image = json!({"msgtype": "m.image", "body": "cat", "url": "mxc://localhost/cat"});
    let image = alice
        .send_event(&room, "m.room.message", "i1", image)
        .await
        .ok();
    let image = text(&image, "event_id");
    let plain = alice.send(&room, "url").await;
    for (wanted, expected) in [(true, image), (false, plain)] {
        let filter = json!({"room": {"timeline": {"contains_url": wanted}}});
        let sync = sync_filtered(&alice, Some(&since), filter).await;
        assert_eq!(timeline_ids(&sync, &room), [expected]);
    }
}

async fn parts_have_rooms_of_their_own(server: &TestServer) {
    let alice = server.user("alice").await;
    let kitchen = alice.create_room_with(json!({"name": "Kitchen"})).await;
    let cellar = alice.create_room_with(json!({"name": "Cellar"})).await;
    for number in 0..10 {
        alice.send(&kitchen, &number.to_string()).await;
        alice.send(&cellar, &number.to_string()).await;
    }
    let filter = json!({"room": {
        "timeline": {"rooms": [kitchen]},
        "state": {"not_rooms": [kitchen]},
    }});
    let sync = sync_filtered(&alice, None, filter).await;
    let join = &sync["rooms"]["join"];
    assert_eq!(ids(&join[&kitchen]["timeline"]).len(), 10);
    assert_eq!(ids(&join[&kitchen]["state"]).len(), 0);
    assert_eq!(ids(&join[&cellar]["timeline"]).len(), 0);
    assert!(kinds(&join[&cellar]["state"]).contains(&"m.room.name/".to_owned()));
}

async fn state_is_chosen_apart_from_the_timeline(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice
        .create_room_with(json!({"name": "Kitchen", "topic": "Food"}))
        .await;
    for number in 0..12 {
        alice.send(&room, &number.to_string()).await;
    }
    let shown = async |filter| {
        let sync = sync_filtered(&alice, None, json!({"room": {"state": filter}})).await;
        let mut kinds = kinds(&sync["rooms"]["join"][&room]["state"]);
        kinds.sort();
        kinds
    };
    let names = json!({"types": ["m.room.name", "m.room.t*"]});
    assert_eq!(shown(names).await, ["m.room.name/", "m.room.topic/"]);
    assert_eq!(shown(json!({"types": []})).await, [""; 0]);
    assert_eq!(shown(json!({"not_senders": [alice.id]})).await, [""; 0]);
    let without = shown(json!({"not_types": ["m.room.*"]})).await;
    assert_eq!(without, [""; 0]);
}

async fn state_that_the_timeline_leaves_out_is_told_all_the_same(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = next_batch(&alice).await;
    let topic = async |topic: &str| {
        alice
            .set_state(&room, "m.room.topic", "", json!({"topic": topic}))
            .await
            .ok();
    };
    topic("first").await;
    let message = alice.send(&room, "between").await;
    topic("second").await;
    let filter = json!({"room": {"timeline": {"types": ["m.room.message"]}}});
    let sync = sync_filtered(&alice, Some(&since), filter.clone()).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(ids(&joined["timeline"]), [message]);
    assert_eq!(joined["timeline"]["limited"], false);
    let state = events(&joined["state"]);
    assert_eq!(state.len(), 1, "{sync}");
    assert_eq!(state[0]["content"]["topic"], "second");
    let since = text(&sync, "next_batch");
    topic("third").await;
    let sync = sync_filtered(&alice, Some(&since), filter).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(events(&joined["state"])[0]["content"]["topic"], "third");
    assert_eq!(ids(&joined["timeline"]).len(), 0);
}

async fn a_timeline_of_nothing_tells_the_state(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room_with(json!({"name": "Kitchen"})).await;
    let filter = json!({"room": {"timeline": {"types": []}}});
    let sync = sync_filtered(&alice, None, filter.clone()).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(ids(&joined["timeline"]).len(), 0);
    assert_eq!(joined["timeline"]["limited"], false);
    assert!(kinds(&joined["state"]).contains(&"m.room.name/".to_owned()));
    let since = text(&sync, "next_batch");
    alice.send(&room, "hello").await;
    let sync = sync_filtered(&alice, Some(&since), filter.clone()).await;
    assert!(sync["rooms"]["join"].get(&room).is_none(), "{sync}");
    alice
        .set_state(&room, "m.room.name", "", json!({"name": "Cellar"}))
        .await
        .ok();
    let sync = sync_filtered(&alice, Some(&since), filter).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(kinds(&joined["state"]), ["m.room.name/"]);
}

async fn only_some_fields_are_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = next_batch(&alice).await;
    let sent = alice.send(&room, "hello").await;
    let fields = json!(["event_id", "content.body", "unsigned.age"]);
    let sync = sync_filtered(&alice, Some(&since), json!({"event_fields": fields})).await;
    let mut shown = events(&sync["rooms"]["join"][&room]["timeline"]).remove(0);
    let age = shown["unsigned"].as_object_mut().unwrap().remove("age");
    assert!(age.is_some_and(|age| age.is_u64()), "{sync}");
    let expected = json!({"event_id": sent, "content": {"body": "hello"}, "unsigned": {}});
    assert_eq!(shown, expected);
}

async fn events_are_shown_as_servers_exchange_them(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = next_batch(&alice).await;
    let sent = alice.send(&room, "hello").await;
    let filter = json!({"event_format": "federation"});
    let sync = sync_filtered(&alice, Some(&since), filter).await;
    let shown = events(&sync["rooms"]["join"][&room]["timeline"]).remove(0);
    assert_eq!(shown["event_id"], sent);
    assert_eq!(shown["room_id"], room);
    assert_eq!(shown["content"]["body"], "hello");
    assert!(shown["unsigned"]["age"].is_u64(), "{shown}");
    for key in [
        "auth_events",
        "prev_events",
        "depth",
        "hashes",
        "signatures",
    ] {
        assert!(shown.get(key).is_some(), "{key} in {shown}");
    }
}

async fn filtered_events_are_looked_for_further_back(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let first = alice
        .send_event(&room, "m.sticker", "s1", json!({}))
        .await
        .ok();
    let since = next_batch(&alice).await;
    let second = alice
        .send_event(&room, "m.sticker", "s2", json!({}))
        .await
        .ok();
    for number in 0..40 {
        alice.send(&room, &number.to_string()).await;
    }
    let filter = json!({"room": {"timeline": {"types": ["m.sticker"]}}});
    let sync = sync_filtered(&alice, None, filter.clone()).await;
    let both = [text(&first, "event_id"), text(&second, "event_id")];
    assert_eq!(timeline_ids(&sync, &room), both);
    let sync = sync_filtered(&alice, Some(&since), filter).await;
    assert_eq!(timeline_ids(&sync, &room), both[1..]);
    assert_eq!(sync["rooms"]["join"][&room]["timeline"]["limited"], false);
}

async fn what_is_filtered_out_is_no_news(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = next_batch(&alice).await;
    alice.send(&room, "hello").await;
    let filter = json!({"room": {"timeline": {"types": ["m.sticker"]}}});
    let sync = sync_filtered(&alice, Some(&since), filter).await;
    assert!(sync["rooms"]["join"].get(&room).is_none(), "{sync}");
    assert_ne!(sync["next_batch"], since, "it need not be looked at again");
}
