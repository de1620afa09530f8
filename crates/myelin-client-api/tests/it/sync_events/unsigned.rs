//! `unsigned`: what the server tells beside an event.

use myelin_testkit::{PASSWORD, TestServer, text, three_modes};
use serde_json::{Value, json};

use super::{events, next_batch};

three_modes!(
    the_age_is_told,
    the_transaction_is_told_to_the_device_that_sent,
    the_viewers_membership_is_told,
    what_a_state_event_replaced_is_told,
);

fn last(sync: &Value, section: &str, room: &str) -> Value {
    let events = events(&sync["rooms"][section][room]["timeline"]);
    events.into_iter().next_back().unwrap_or_default()
}

async fn the_age_is_told(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    alice.send(&room, "hello").await;
    server.clock().advance(std::time::Duration::from_secs(5));
    let sync = alice.sync(None).await;
    assert_eq!(last(&sync, "join", &room)["unsigned"]["age"], 5_000);
}

async fn the_transaction_is_told_to_the_device_that_sent(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let login = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "alice"},
        "password": PASSWORD,
    });
    let login = server.post("/_matrix/client/v3/login", login).await.ok();
    let other_device = server.user_from(&login);
    let content = json!({"body": "hello"});
    alice
        .send_event(&room, "m.room.message", "my txn", content)
        .await
        .ok();
    for (user, expected) in [
        (&alice, json!("my txn")),
        (&other_device, Value::Null),
        (&bob, Value::Null),
    ] {
        let sync = user.sync(None).await;
        assert_eq!(
            last(&sync, "join", &room)["unsigned"]["transaction_id"],
            expected
        );
    }
}

async fn the_viewers_membership_is_told(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let since = next_batch(&bob).await;
    alice.send(&room, "before").await;
    bob.join(&room).await.ok();
    alice.send(&room, "during").await;
    let sync = bob.sync(Some(&since)).await;
    let shown = events(&sync["rooms"]["join"][&room]["timeline"]);
    let memberships: Vec<&Value> = shown
        .iter()
        .map(|event| &event["unsigned"]["membership"])
        .collect();
    let (last, before) = memberships.split_at(memberships.len() - 2);
    assert_eq!(before, ["join", "join"], "{sync}");
    assert!(
        last.iter().all(|membership| *membership == "leave"),
        "{sync}"
    );
    let since = text(&sync, "next_batch");
    for body in ["one", "two"] {
        alice.send(&room, body).await;
        let sync = bob.sync(Some(&since)).await;
        assert_eq!(
            super::unsigned::last(&sync, "join", &room)["unsigned"]["membership"],
            "join"
        );
    }
    bob.leave(&room).await.ok();
    let sync = bob.sync(Some(&since)).await;
    let left = super::unsigned::last(&sync, "leave", &room);
    assert_eq!(
        left["unsigned"]["membership"], "leave",
        "with its own change"
    );
}

async fn what_a_state_event_replaced_is_told(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let topic = async |topic: &str| {
        let content = json!({"topic": topic});
        text(
            &alice
                .set_state(&room, "m.room.topic", "", content)
                .await
                .ok(),
            "event_id",
        )
    };
    let first = topic("one").await;
    let since = next_batch(&alice).await;
    topic("two").await;
    let sync = alice.sync(Some(&since)).await;
    let unsigned = &last(&sync, "join", &room)["unsigned"];
    assert_eq!(unsigned["prev_content"], json!({"topic": "one"}));
    assert_eq!(unsigned["replaces_state"], first);
    let since = text(&sync, "next_batch");
    bob.join(&room).await.ok();
    let sync = alice.sync(Some(&since)).await;
    let unsigned = &last(&sync, "join", &room)["unsigned"];
    assert!(unsigned.get("prev_content").is_none(), "{sync}");
    assert!(unsigned.get("replaces_state").is_none(), "{sync}");
}
