//! Two servers that send to each other.

use myelin_testkit::{TestServer, User, encode, three_modes_federated, wait_until};
use serde_json::{Value, json};

three_modes_federated! {
    messages_go_both_ways,
    what_was_missed_is_seen_when_the_server_is_back,
    typing_and_receipts_go_both_ways,
}

/// A room of a user here that a user there has joined.
async fn shared(here: &TestServer, there: &TestServer) -> (User, User, String) {
    let (alice, bob) = (here.user("alice").await, there.user("bob").await);
    let room = alice.create_public_room().await;
    let path = format!("/join/{}?server_name={}", encode(&room), here.name());
    bob.post(&path, json!({})).await.ok();
    (alice, bob, room)
}

/// The texts that a user sees in a room, the oldest first.
async fn texts(user: &User, room: &str) -> Vec<String> {
    let messages = user.messages(room, "dir=b&limit=100").await.ok();
    let events = messages["chunk"].as_array().into_iter().flatten();
    let texts = events.filter_map(|event| event["content"]["body"].as_str());
    let mut texts: Vec<_> = texts.map(ToOwned::to_owned).collect();
    texts.reverse();
    texts
}

async fn sees(user: &User, room: &str, expected: &[String]) {
    wait_until("all messages are seen, in their order", async || {
        texts(user, room).await == expected
    })
    .await;
}

async fn messages_go_both_ways(here: &TestServer, there: &TestServer) {
    let (alice, bob, room) = shared(here, there).await;
    let mut all = Vec::new();
    for n in 0..6 {
        let body = format!("message {n}");
        let (from, to) = if n % 2 == 0 {
            (&alice, &bob)
        } else {
            (&bob, &alice)
        };
        from.send(&room, &body).await;
        all.push(body);
        sees(to, &room, &all).await;
    }
}

async fn what_was_missed_is_seen_when_the_server_is_back(here: &TestServer, there: &TestServer) {
    let (alice, bob, room) = shared(here, there).await;
    here.network().set_cut_off("there.example", true);
    let all: Vec<_> = (0..20).map(|n| format!("message {n}")).collect();
    for body in &all {
        alice.send(&room, body).await;
    }
    here.network().set_cut_off("there.example", false);
    let seen = async || texts(&bob, &room).await == all;
    here.wait_while_time_passes("all messages are seen, in their order", seen)
        .await;
}

async fn typing_and_receipts_go_both_ways(here: &TestServer, there: &TestServer) {
    let (alice, bob, room) = shared(here, there).await;
    let event = alice.send(&room, "read me").await;
    sees(&bob, &room, &["read me".to_owned()]).await;
    let path = format!("/rooms/{}/receipt/m.read/{}", encode(&room), encode(&event));
    bob.post(&path, json!({})).await.ok();
    let path = format!("/rooms/{}/typing/{}", encode(&room), encode(&bob.id));
    let typing = json!({"typing": true, "timeout": 60_000});
    bob.put(&path, typing).await.ok();
    let told = async |event_type: &str, is: &dyn Fn(&Value) -> bool| {
        let sync = alice.sync(None).await;
        let events = sync["rooms"]["join"][&room]["ephemeral"]["events"].as_array();
        let mut events = events.into_iter().flatten();
        events.any(|event| event["type"] == event_type && is(&event["content"]))
    };
    wait_until("bob is seen typing", async || {
        told("m.typing", &|content| {
            content["user_ids"] == json!([bob.id])
        })
        .await
    })
    .await;
    wait_until("bob is seen reading", async || {
        told("m.receipt", &|content| {
            content[&event]["m.read"][&bob.id].is_object()
        })
        .await
    })
    .await;
}
