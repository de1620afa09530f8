//! What the history of a room shows to whom (spec: "Room History Visibility"), through
//! `/messages` and `/state`.

mod random;

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

three_modes!(
    joined_history_begins_with_the_join,
    invited_history_begins_with_the_invite,
    shared_history_is_shown_whatever_is_not_understood,
    what_was_world_readable_stays_so_for_members,
    anybody_reads_a_world_readable_room,
    the_departed_see_what_there_was_until_then,
    the_banned_see_nothing_of_later,
    who_declines_an_invitation_sees_nothing,
    who_comes_back_sees_the_gap_as_the_settings_say,
    events_tell_what_the_viewer_was,
    a_page_without_state_events_takes_one_look_into_the_state,
);

async fn joined_history_begins_with_the_join(server: &TestServer) {
    let (alice, bob, room) = public_room(server).await;
    set_visibility(&alice, &room, "joined").await;
    alice.send(&room, "before").await;
    bob.join(&room).await.ok();
    alice.send(&room, "after").await;
    let wanted = ["visibility joined", "join @bob:localhost", "after"];
    ends_with(&seen(&bob, &room).await, &wanted, "before");
}

async fn invited_history_begins_with_the_invite(server: &TestServer) {
    let (alice, bob, room) = public_room(server).await;
    set_visibility(&alice, &room, "invited").await;
    alice.send(&room, "before").await;
    alice.invite(&room, &bob).await.ok();
    alice.send(&room, "between").await;
    bob.messages(&room, "dir=b")
        .await
        .refused(403, "M_FORBIDDEN");
    bob.join(&room).await.ok();
    let wanted = [
        "visibility invited",
        "invite @bob:localhost",
        "between",
        "join @bob:localhost",
    ];
    ends_with(&seen(&bob, &room).await, &wanted, "before");
}

async fn shared_history_is_shown_whatever_is_not_understood(server: &TestServer) {
    let (alice, bob, room) = public_room(server).await;
    set_visibility(&alice, &room, "joined").await;
    alice.send(&room, "hidden").await;
    set_visibility(&alice, &room, "org.example.never").await;
    alice.send(&room, "shown").await;
    bob.join(&room).await.ok();
    let wanted = [
        "visibility org.example.never",
        "shown",
        "join @bob:localhost",
    ];
    ends_with(&seen(&bob, &room).await, &wanted, "hidden");
}

async fn what_was_world_readable_stays_so_for_members(server: &TestServer) {
    let (alice, bob, room) = public_room(server).await;
    set_visibility(&alice, &room, "world_readable").await;
    alice.send(&room, "open").await;
    set_visibility(&alice, &room, "joined").await;
    alice.send(&room, "closed").await;
    bob.messages(&room, "dir=b")
        .await
        .refused(403, "M_FORBIDDEN");
    bob.join(&room).await.ok();
    let wanted = [
        "visibility world_readable",
        "open",
        "visibility joined",
        "join @bob:localhost",
    ];
    ends_with(&seen(&bob, &room).await, &wanted, "closed");
}

async fn anybody_reads_a_world_readable_room(server: &TestServer) {
    let (alice, bob, room) = public_room(server).await;
    set_visibility(&alice, &room, "joined").await;
    alice.send(&room, "closed").await;
    set_visibility(&alice, &room, "world_readable").await;
    alice.send(&room, "open").await;
    let found = seen(&bob, &room).await;
    ends_with(&found, &["visibility world_readable", "open"], "closed");
    let state = bob.get(&format!("/rooms/{}/state", encode(&room))).await;
    assert!(state.ok().as_array().unwrap().len() > 5);
    let name = bob.state(&room, "m.room.create", "").await;
    name.ok();
}

async fn the_departed_see_what_there_was_until_then(server: &TestServer) {
    let (alice, bob, room) = public_room(server).await;
    bob.join(&room).await.ok();
    let topic = async |text: &str| {
        let content = json!({"topic": text});
        alice
            .set_state(&room, "m.room.topic", "", content)
            .await
            .ok();
    };
    topic("then").await;
    alice.send(&room, "one").await;
    bob.leave(&room).await.ok();
    alice.send(&room, "two").await;
    topic("now").await;
    let found = seen(&bob, &room).await;
    ends_with(&found, &["one", "leave @bob:localhost"], "two");
    assert_eq!(found, forward(&bob, &room).await);
    let found = bob.state(&room, "m.room.topic", "").await.ok();
    assert_eq!(found["topic"], "then");
    let own = bob.state(&room, "m.room.member", &bob.id).await.ok();
    assert_eq!(own["membership"], "leave");
    // An invitation that is refused moves nothing, and gives back nothing.
    alice.invite(&room, &bob).await.ok();
    bob.leave(&room).await.ok();
    assert_eq!(seen(&bob, &room).await, forward(&bob, &room).await);
    let found = bob.state(&room, "m.room.topic", "").await.ok();
    assert_eq!(found["topic"], "then");
}

async fn the_banned_see_nothing_of_later(server: &TestServer) {
    let (alice, bob, room) = public_room(server).await;
    bob.join(&room).await.ok();
    alice.send(&room, "one").await;
    let ban = json!({"membership": "ban"});
    alice
        .set_state(&room, "m.room.member", &bob.id, ban)
        .await
        .ok();
    let token = text(&alice.sync(None).await, "next_batch");
    alice.send(&room, "two").await;
    let found = seen(&bob, &room).await;
    ends_with(&found, &["one", "ban @bob:localhost"], "two");
    // Nor by a token of somebody who is still there.
    let query = format!("dir=f&from={}", encode(&token));
    let page = bob.messages(&room, &query).await.ok();
    assert_eq!(page["chunk"], json!([]));
}

async fn who_declines_an_invitation_sees_nothing(server: &TestServer) {
    let (alice, bob, room) = public_room(server).await;
    alice.invite(&room, &bob).await.ok();
    bob.leave(&room).await.ok();
    bob.messages(&room, "dir=b")
        .await
        .refused(403, "M_FORBIDDEN");
    bob.state(&room, "m.room.create", "")
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn who_comes_back_sees_the_gap_as_the_settings_say(server: &TestServer) {
    let (alice, bob, room) = public_room(server).await;
    bob.join(&room).await.ok();
    bob.leave(&room).await.ok();
    alice.send(&room, "shared").await;
    set_visibility(&alice, &room, "joined").await;
    alice.send(&room, "gap").await;
    bob.join(&room).await.ok();
    alice.send(&room, "back").await;
    let wanted = [
        "leave @bob:localhost",
        "shared",
        "visibility joined",
        "join @bob:localhost",
        "back",
    ];
    ends_with(&seen(&bob, &room).await, &wanted, "gap");
}

async fn events_tell_what_the_viewer_was(server: &TestServer) {
    let (alice, bob, room) = public_room(server).await;
    alice.invite(&room, &bob).await.ok();
    alice.send(&room, "hello").await;
    bob.join(&room).await.ok();
    alice.send(&room, "welcome").await;
    let page = bob.messages(&room, "dir=b&limit=5").await.ok();
    let memberships: Vec<_> = page["chunk"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| text(&event["unsigned"], "membership"))
        .collect();
    assert_eq!(memberships, ["join", "join", "invite", "invite", "leave"]);
}

async fn a_page_without_state_events_takes_one_look_into_the_state(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for number in 0..200 {
        alice.send(&room, &number.to_string()).await;
    }
    let nodes_read = || -> u64 {
        let stores = server.stores();
        let counts = stores.iter().map(|store| store.counts().trie_nodes_read);
        counts.sum()
    };
    server.counted().await;
    for limit in [1, 10, 100] {
        let before = nodes_read();
        let page = alice
            .messages(&room, &format!("dir=b&limit={limit}"))
            .await
            .ok();
        assert_eq!(page["chunk"].as_array().unwrap().len(), limit);
        let read = nodes_read() - before;
        assert!(read <= 2, "{read} nodes for {limit} events");
    }
}

async fn public_room(server: &TestServer) -> (User, User, String) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    (alice, bob, room)
}

async fn set_visibility(user: &User, room: &str, visibility: &str) {
    let content = json!({"history_visibility": visibility});
    let kind = "m.room.history_visibility";
    user.set_state(room, kind, "", content).await.ok();
}

#[track_caller]
fn ends_with(found: &[String], wanted: &[&str], hidden: &str) {
    assert!(
        found
            .iter()
            .rev()
            .zip(wanted.iter().rev())
            .all(|(one, other)| one == other),
        "{found:?}"
    );
    assert!(found.len() >= wanted.len());
    assert!(!found.iter().any(|event| event == hidden), "{found:?}");
}

/// What a user sees of a room from its end back, in the order in which it happened.
async fn seen(user: &User, room: &str) -> Vec<String> {
    let mut found = walk(user, room, "dir=b&limit=3").await;
    found.reverse();
    found
}

async fn forward(user: &User, room: &str) -> Vec<String> {
    walk(user, room, "dir=f&limit=3").await
}

async fn walk(user: &User, room: &str, query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut from = String::new();
    loop {
        let page = user.messages(room, &format!("{query}{from}")).await.ok();
        found.extend(page["chunk"].as_array().unwrap().iter().map(describe));
        let Some(end) = page["end"].as_str() else {
            return found;
        };
        from = format!("&from={}", encode(end));
    }
}

fn describe(event: &Value) -> String {
    let content = &event["content"];
    match event["type"].as_str().unwrap() {
        "m.room.message" => text(content, "body"),
        "m.room.member" => format!(
            "{} {}",
            text(content, "membership"),
            text(event, "state_key")
        ),
        "m.room.history_visibility" => {
            format!("visibility {}", text(content, "history_visibility"))
        }
        other => other.to_owned(),
    }
}
