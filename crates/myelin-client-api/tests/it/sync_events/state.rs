//! Which state comes with a timeline: `full_state`, `use_state_after`, gaps.

use myelin_testkit::{TestServer, text, three_modes};
use serde_json::{Value, json};

use super::{events, kinds, next_batch, sync_filtered, sync_with};

three_modes!(
    state_leads_to_the_timeline,
    full_state_is_told_again,
    full_state_does_not_wait,
    state_after_leads_past_the_timeline,
    state_after_has_its_earlier_name,
    state_after_with_a_gap_is_the_newest,
    a_gap_tells_the_last_of_several_changes,
    state_before_the_token_is_not_told_again,
);

async fn topic(user: &myelin_testkit::User, room: &str, topic: &str) {
    let content = json!({"topic": topic});
    user.set_state(room, "m.room.topic", "", content).await.ok();
}

/// The topics among events, in their order.
fn topics(part: &Value) -> Vec<Value> {
    let events = events(part).into_iter();
    let topics = events.filter(|event| event["type"] == "m.room.topic");
    topics
        .map(|event| event["content"]["topic"].clone())
        .collect()
}

async fn state_leads_to_the_timeline(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    topic(&alice, &room, "old").await;
    for number in 0..9 {
        alice.send(&room, &number.to_string()).await;
    }
    topic(&alice, &room, "new").await;
    let sync = alice.sync(None).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(topics(&joined["state"]), ["old"]);
    assert_eq!(topics(&joined["timeline"]), ["new"]);
    assert!(joined.get("state_after").is_none(), "{sync}");
}

async fn full_state_is_told_again(server: &TestServer) {
    let alice = server.user("alice").await;
    let quiet = alice.create_room_with(json!({"name": "Quiet"})).await;
    let loud = alice.create_room_with(json!({"name": "Loud"})).await;
    let since = next_batch(&alice).await;
    let sent = alice.send(&loud, "hello").await;
    let sync = sync_with(&alice, Some(&since), "full_state=true").await;
    let join = &sync["rooms"]["join"];
    for room in [&quiet, &loud] {
        let state = kinds(&join[room]["state"]);
        for kind in ["m.room.create/", "m.room.name/", "m.room.power_levels/"] {
            assert!(state.contains(&kind.to_owned()), "{kind} in {sync}");
        }
        assert_eq!(join[room]["summary"]["m.joined_member_count"], 1);
    }
    assert_eq!(
        kinds(&join[&quiet]["timeline"]),
        [""; 0],
        "nothing is new there"
    );
    assert_eq!(super::ids(&join[&loud]["timeline"]), [sent]);
    assert_eq!(join[&quiet]["timeline"]["limited"], false);
}

async fn full_state_does_not_wait(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let invited = bob.create_room_with(json!({"invite": [alice.id]})).await;
    let since = next_batch(&alice).await;
    let sync = sync_with(&alice, Some(&since), "full_state=true&timeout=100000").await;
    assert!(sync["rooms"]["join"].get(&room).is_some(), "{sync}");
    assert!(sync["rooms"]["invite"].get(&invited).is_some(), "{sync}");
}

async fn state_after_leads_past_the_timeline(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    topic(&alice, &room, "old").await;
    topic(&alice, &room, "new").await;
    let sync = sync_with(&alice, None, "use_state_after=true").await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(topics(&joined["state_after"]), ["new"]);
    assert!(joined.get("state").is_none(), "{sync}");
    let since = text(&sync, "next_batch");
    alice.send(&room, "hello").await;
    let sync = sync_with(&alice, Some(&since), "use_state_after=true").await;
    let after = &sync["rooms"]["join"][&room]["state_after"];
    assert_eq!(
        after,
        &json!({"events": []}),
        "required even if it is empty"
    );
    topic(&alice, &room, "newer").await;
    topic(&alice, &room, "newest").await;
    let sync = sync_with(&alice, Some(&since), "use_state_after=true").await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(topics(&joined["timeline"]), ["newer", "newest"]);
    assert_eq!(topics(&joined["state_after"]), ["newest"]);
}

async fn state_after_has_its_earlier_name(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let query = "org.matrix.msc4222.use_state_after=true";
    let sync = sync_with(&alice, None, query).await;
    let joined = &sync["rooms"]["join"][&room];
    let after = kinds(&joined["org.matrix.msc4222.state_after"]);
    assert!(after.contains(&"m.room.create/".to_owned()), "{sync}");
    assert!(
        joined.get("state").is_none() && joined.get("state_after").is_none(),
        "{sync}"
    );
}

async fn state_after_with_a_gap_is_the_newest(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = next_batch(&alice).await;
    topic(&alice, &room, "in the gap").await;
    for number in 0..20 {
        alice.send(&room, &number.to_string()).await;
    }
    topic(&alice, &room, "behind it").await;
    let sync = sync_with(&alice, Some(&since), "use_state_after=true").await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(joined["timeline"]["limited"], true);
    assert_eq!(kinds(&joined["state_after"]), ["m.room.topic/"]);
    assert_eq!(topics(&joined["state_after"]), ["behind it"]);
    let sync = alice.sync(Some(&since)).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(topics(&joined["state"]), ["in the gap"]);
    assert_eq!(topics(&joined["timeline"]), ["behind it"]);
}

async fn a_gap_tells_the_last_of_several_changes(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let since = next_batch(&alice).await;
    topic(&alice, &room, "one").await;
    topic(&alice, &room, "two").await;
    bob.join(&room).await.ok();
    for number in 0..12 {
        alice.send(&room, &number.to_string()).await;
    }
    let sync = alice.sync(Some(&since)).await;
    let state = &sync["rooms"]["join"][&room]["state"];
    let member = format!("m.room.member/{}", bob.id);
    let mut found = kinds(state);
    found.sort();
    assert_eq!(found, [member, "m.room.topic/".to_owned()]);
    assert_eq!(topics(state), ["two"]);
}

async fn state_before_the_token_is_not_told_again(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    topic(&alice, &room, "old").await;
    let since = next_batch(&alice).await;
    alice.send(&room, "hello").await;
    let sync = sync_filtered(&alice, Some(&since), json!({})).await;
    let joined = &sync["rooms"]["join"][&room];
    assert_eq!(joined["state"], json!({"events": []}));
    assert_eq!(joined["timeline"]["limited"], false);
}
