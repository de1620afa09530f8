//! Room versions, each with joins, messages, state, redactions and a fork.

use serde_json::json;

use myelin_blackbox::until;

use crate::{person::holds, servers::Server};

both_ways!(
    version_1, version_6, version_8, version_9, version_10, version_11, version_12
);

fn version_1(here: &Server, there: &Server) {
    lives(here, there, "1");
}

fn version_6(here: &Server, there: &Server) {
    lives(here, there, "6");
}

fn version_8(here: &Server, there: &Server) {
    lives(here, there, "8");
}

fn version_9(here: &Server, there: &Server) {
    lives(here, there, "9");
}

fn version_10(here: &Server, there: &Server) {
    lives(here, there, "10");
}

fn version_11(here: &Server, there: &Server) {
    lives(here, there, "11");
}

fn version_12(here: &Server, there: &Server) {
    lives(here, there, "12");
}

fn lives(here: &Server, there: &Server, version: &str) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room_with(json!({"preset": "public_chat", "room_version": version}));
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    alice.say(&room, "first");
    let create = bob.content(&room, ("m.room.create", "")).unwrap();
    assert_eq!(create["room_version"], version);
    bob.comes_to_hear(&room, &["first"]);
    let mistake = bob.say(&room, "a mistake");
    alice.comes_to_hear(&room, &["first", "a mistake"]);
    bob.redact(&room, &mistake, "wrong room");
    alice.comes_to_hear(&room, &["first"]);
    alice.set(&room, ("m.room.topic", ""), json!({"topic": "Alice's"}));
    until("bob sees the topic", || {
        let topic = bob.content(&room, ("m.room.topic", ""))?;
        holds(topic["topic"] == "Alice's", || topic.to_string())
    });
    let carol = there.person("carol");
    here.cut_off();
    there.cut_off();
    alice.say(&room, "apart");
    carol.join(&room);
    bob.say(&room, "alone");
    alice.set(&room, ("m.room.name", ""), json!({"name": "Meanwhile"}));
    here.reconnect();
    there.reconnect();
    alice.say(&room, "together");
    bob.say(&room, "again");
    for person in [&alice, &bob, &carol] {
        person.comes_to_hear_all(&room, &["first", "apart", "alone", "together", "again"]);
    }
    alice.comes_to_see(&room, &carol, "join");
    bob.comes_to_see_content(&room, ("m.room.name", ""), &json!({"name": "Meanwhile"}));
    alice.comes_to_agree_with(&room, &bob);
    alice.moderate("ban", &room, &bob);
    carol.comes_to_see(&room, &bob, "ban");
}
