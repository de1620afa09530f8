//! What was said before somebody of the other server came.

use serde_json::json;

use crate::servers::Server;

both_ways!(
    shows_nothing_from_before_joining,
    backfills_three_hundred_messages,
);

const MESSAGES: usize = 300;

fn backfills_three_hundred_messages(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    let texts: Vec<String> = (0..MESSAGES)
        .map(|number| format!("message {number}"))
        .collect();
    for text in &texts {
        alice.say(&room, text);
    }
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    bob.join_via(&room, &here.name);
    bob.comes_to_hear(&room, &texts);
    bob.say(&room, "that was a lot");
    texts.push("that was a lot");
    alice.comes_to_hear(&room, &texts);
    bob.comes_to_hear(&room, &texts);
    // To the very beginning.
    let timeline = bob.timeline(&room).unwrap();
    assert_eq!(timeline[0]["type"], "m.room.create");
}

fn shows_nothing_from_before_joining(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let visibility = json!({
        "type": "m.room.history_visibility",
        "state_key": "",
        "content": {"history_visibility": "joined"},
    });
    let body = json!({"preset": "public_chat", "initial_state": [visibility]});
    let room = alice.create_room_with(body);
    alice.say(&room, "among ourselves");
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    alice.say(&room, "welcome");
    bob.comes_to_hear(&room, &["welcome"]);
    alice.comes_to_hear(&room, &["among ourselves", "welcome"]);
}
