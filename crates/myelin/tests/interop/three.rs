//! Rooms of three servers, where what one of them tells another is the work of a third.

use serde_json::json;

use crate::{person::Person, servers::Server};

two_and_one!(talk_while_one_is_away);

// A Synapse that has joined with the help of another server than the first takes nothing that the
// first one says without knowing of it: it asks for a state from before the other one was there.
two_myelins!(let_in_somebody_behind_the_back_of_the_first);

/// One joins with the help of who has joined; then one of the three is cut off, and comes back.
fn talk_while_one_is_away(here: &Server, there: &Server, third: &Server) {
    let (alice, bob, carol) = (
        here.person("alice"),
        there.person("bob"),
        third.person("carol"),
    );
    let room = alice.create_room_with(json!({
        "preset": "public_chat",
        "power_level_content_override": {"events": {"m.room.topic": 0, "org.example": 0}},
    }));
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    carol.join_via(&room, &there.name);
    let all = [&alice, &bob, &carol];
    for person in all {
        person.comes_to_see(&room, &carol, "join");
    }
    let mut said = Vec::new();
    let speak = |said: &mut Vec<String>, what: &str| {
        for person in all {
            let text = format!("{} {what}", person.id);
            person.say(&room, &text);
            said.push(text);
        }
    };
    speak(&mut said, "is here");
    all_hear(&all, &room, &said);
    there.cut_off();
    // Nor does it reach the others.
    here.cut_off();
    third.cut_off();
    speak(&mut said, "is alone");
    for (number, person) in (0..).zip(all) {
        person.set(&room, ("m.room.topic", ""), json!({"topic": person.id}));
        person.set(
            &room,
            ("org.example", &format!("{number}")),
            json!({"by": person.id}),
        );
    }
    here.reconnect();
    third.reconnect();
    alice.say(&room, "two are back");
    said.push("two are back".to_owned());
    carol.comes_to_hear_of(&room, "two are back");
    there.reconnect();
    speak(&mut said, "is back");
    all_hear(&all, &room, &said);
    for person in [&bob, &carol] {
        person.comes_to_agree_with(&room, &alice);
    }
    for (number, person) in (0..).zip(all) {
        let key = format!("{number}");
        alice.comes_to_see_content(&room, ("org.example", &key), &json!({"by": person.id}));
    }
}

fn all_hear(all: &[&Person], room: &str, said: &[String]) {
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    for person in all {
        person.comes_to_hear_all(room, &said);
    }
}

/// While the server where the room was made is down, the second one invites somebody of the third,
/// who comes, speaks and is promoted.
fn let_in_somebody_behind_the_back_of_the_first(here: &Server, there: &Server, third: &Server) {
    let (alice, bob, carol) = (
        here.person("alice"),
        there.person("bob"),
        third.person("carol"),
    );
    let room = alice.create_room_with(json!({
        "preset": "private_chat",
        "power_level_content_override": {"users": {&bob.id: 90}, "events": {"m.room.power_levels": 90}},
    }));
    alice.moderate("invite", &room, &bob);
    bob.comes_to_be_told("invite", &room);
    bob.join(&room);
    alice.comes_to_see(&room, &bob, "join");
    here.kill();
    bob.moderate("invite", &room, &carol);
    carol.comes_to_be_told("invite", &room);
    carol.join(&room);
    bob.comes_to_see(&room, &carol, "join");
    let mut levels = bob.content(&room, ("m.room.power_levels", "")).unwrap();
    levels["users"][&carol.id] = 80.into();
    bob.set(&room, ("m.room.power_levels", ""), levels.clone());
    carol.comes_to_see_content(&room, ("m.room.power_levels", ""), &levels);
    carol.set(&room, ("m.room.name", ""), json!({"name": "By carol"}));
    carol.say(&room, "is anybody else here?");
    bob.comes_to_hear(&room, &["is anybody else here?"]);
    here.start();
    alice.say(&room, "I am back");
    for (person, text) in [(&bob, "bob is here"), (&carol, "carol is here")] {
        person.comes_to_hear_of(&room, "I am back");
        person.say(&room, text);
    }
    let said = [
        "is anybody else here?",
        "I am back",
        "bob is here",
        "carol is here",
    ];
    for person in [&alice, &bob, &carol] {
        person.comes_to_hear_all(&room, &said);
        person.comes_to_see_content(&room, ("m.room.name", ""), &json!({"name": "By carol"}));
        person.comes_to_agree_with(&room, &alice);
    }
    // The one of the third acts on the word of the second.
    let dave = here.person("dave");
    carol.moderate("invite", &room, &dave);
    dave.comes_to_be_told("invite", &room);
    dave.join(&room);
    carol.comes_to_see(&room, &dave, "join");
}
