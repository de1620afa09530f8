//! What users keep on the server, and whom they ignore.

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use super::{kinds, next_batch, sync_filtered, timeline_ids};

three_modes!(
    data_is_shown_at_first_and_when_it_changes,
    data_of_a_room_is_shown_with_the_room,
    data_is_filtered,
    the_push_rules_are_shown_at_first,
    data_of_a_room_that_is_not_joined_is_not_shown,
    ignored_users_say_nothing,
    ignored_users_change_the_state,
    ignored_users_do_not_invite,
    who_is_no_longer_ignored_is_heard,
);

async fn set(user: &User, room: Option<&str>, kind: &str, content: Value) {
    let room = room.map_or_else(String::new, |room| format!("/rooms/{}", encode(room)));
    let path = format!("/user/{}{room}/account_data/{kind}", encode(&user.id));
    user.put(&path, content).await.ok();
}

async fn ignore(user: &User, ignored: &[&User]) {
    let ignored: serde_json::Map<String, Value> = ignored
        .iter()
        .map(|user| (user.id.clone(), json!({})))
        .collect();
    set(
        user,
        None,
        "m.ignored_user_list",
        json!({"ignored_users": ignored}),
    )
    .await;
}

fn types(part: &Value) -> Vec<String> {
    let mut types = kinds(part);
    types.retain(|kind| kind != "m.push_rules");
    types.sort();
    types
}

async fn data_is_shown_at_first_and_when_it_changes(server: &TestServer) {
    let alice = server.user("alice").await;
    set(&alice, None, "org.example.one", json!({"a": 1})).await;
    set(&alice, None, "org.example.two", json!({"b": 1})).await;
    let sync = alice.sync(None).await;
    assert_eq!(
        types(&sync["account_data"]),
        ["org.example.one", "org.example.two"]
    );
    let since = text(&sync, "next_batch");
    assert_eq!(
        types(&alice.sync(Some(&since)).await["account_data"]),
        [""; 0]
    );
    set(&alice, None, "org.example.two", json!({"b": 2})).await;
    set(&alice, None, "org.example.two", json!({"b": 3})).await;
    let sync = alice.sync(Some(&since)).await;
    let expected = json!([{"type": "org.example.two", "content": {"b": 3}}]);
    assert_eq!(sync["account_data"]["events"], expected);
    let path = "org.example.two";
    set(&alice, None, path, json!({})).await;
    let sync = alice.sync(Some(&text(&sync, "next_batch"))).await;
    assert_eq!(
        sync["account_data"]["events"][0]["content"],
        json!({}),
        "it was deleted"
    );
    assert_eq!(
        types(&alice.sync(None).await["account_data"]),
        ["org.example.one"]
    );
}

async fn data_of_a_room_is_shown_with_the_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    set(&alice, Some(&room), "org.example", json!({"a": 1})).await;
    let sync = alice.sync(None).await;
    let expected = json!({"events": [{"type": "org.example", "content": {"a": 1}}]});
    assert_eq!(sync["rooms"]["join"][&room]["account_data"], expected);
    assert_eq!(types(&sync["account_data"]), [""; 0]);
    let since = text(&sync, "next_batch");
    set(&alice, Some(&room), "org.example", json!({"a": 2})).await;
    let sync = alice.sync(Some(&since)).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(
        joined["account_data"]["events"][0]["content"],
        json!({"a": 2})
    );
    assert_eq!(joined["timeline"]["events"], json!([]));
    assert_eq!(joined["timeline"]["limited"], false);
}

async fn data_is_filtered(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for room in [None, Some(room.as_str())] {
        set(&alice, room, "org.example.one", json!({"a": 1})).await;
        set(&alice, room, "org.example.two", json!({"a": 1})).await;
    }
    let filter = json!({
        "account_data": {"types": ["*.one"]},
        "room": {"account_data": {"not_types": ["*.one"]}},
    });
    let sync = sync_filtered(&alice, None, filter).await;
    assert_eq!(types(&sync["account_data"]), ["org.example.one"]);
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(types(&joined["account_data"]), ["org.example.two"]);
}

async fn the_push_rules_are_shown_at_first(server: &TestServer) {
    let alice = server.user("alice").await;
    let shown = |sync: &Value| {
        let events = sync["account_data"]["events"].as_array().cloned();
        let mut events = events.unwrap_or_default().into_iter();
        events.find(|event| event["type"] == "m.push_rules")
    };
    let sync = alice.sync(None).await;
    let rules = alice.get("/pushrules/").await.ok();
    assert_eq!(shown(&sync).unwrap()["content"], rules);
    let since = text(&sync, "next_batch");
    assert_eq!(shown(&alice.sync(Some(&since)).await), None);
    let filter = json!({"account_data": {"not_types": ["m.push_rules"]}});
    assert_eq!(shown(&sync_filtered(&alice, None, filter).await), None);
}

async fn data_of_a_room_that_is_not_joined_is_not_shown(server: &TestServer) {
    let alice = server.user("alice").await;
    let since = next_batch(&alice).await;
    set(
        &alice,
        Some("!nowhere:localhost"),
        "org.example",
        json!({"a": 1}),
    )
    .await;
    let sync = alice.sync(Some(&since)).await;
    assert_eq!(sync["rooms"]["join"], json!({}), "{sync}");
}

async fn ignored_users_say_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    ignore(&alice, &[&bob]).await;
    let since = next_batch(&alice).await;
    bob.send(&room, "psst").await;
    let sync = alice.sync(Some(&since)).await;
    assert!(sync["rooms"]["join"].get(&room).is_none(), "{sync}");
    assert!(!alice.sync(None).await.to_string().contains("psst"));
    let own = alice.send(&room, "silence").await;
    assert_eq!(timeline_ids(&alice.sync(Some(&since)).await, &room), [own]);
}

async fn ignored_users_change_the_state(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    ignore(&alice, &[&bob]).await;
    let since = next_batch(&alice).await;
    bob.join(&room).await.ok();
    let sync = alice.sync(Some(&since)).await;
    let timeline = &sync["rooms"]["join"][&room]["timeline"];
    assert_eq!(kinds(timeline), [format!("m.room.member/{}", bob.id)]);
}

async fn ignored_users_do_not_invite(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    ignore(&alice, &[&bob]).await;
    let since = next_batch(&alice).await;
    let room = bob.create_room_with(json!({"invite": [alice.id]})).await;
    for since in [None, Some(since.as_str())] {
        let sync = alice.sync(since).await;
        assert!(sync["rooms"]["invite"].get(&room).is_none(), "{sync}");
    }
}

async fn who_is_no_longer_ignored_is_heard(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    ignore(&alice, &[&bob]).await;
    let since = next_batch(&alice).await;
    bob.send(&room, "unheard").await;
    let since = text(&alice.sync(Some(&since)).await, "next_batch");
    ignore(&alice, &[]).await;
    let heard = bob.send(&room, "heard").await;
    assert_eq!(
        timeline_ids(&alice.sync(Some(&since)).await, &room),
        [heard]
    );
}
