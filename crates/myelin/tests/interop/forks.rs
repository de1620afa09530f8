//! Rooms that both servers change while neither reaches the other.

use serde_json::json;

use crate::{person::Person, servers::Server};

both_ways!(
    joins_what_was_said_on_both_sides,
    resolves_a_ban_against_what_the_banned_did,
    resolves_a_loss_of_power,
    resolves_what_was_set_on_both_sides,
);

/// A room of alice, here, and bob, there, with equal powers over others.
fn shared_room(here: &Server, alice: &Person, bob: &Person) -> String {
    let room = alice.create_room();
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, bob, "join");
    let mut levels = alice.content(&room, ("m.room.power_levels", "")).unwrap();
    levels["users"][&bob.id] = 50.into();
    levels["events"]["m.room.power_levels"] = 50.into();
    alice.set(&room, ("m.room.power_levels", ""), levels.clone());
    bob.comes_to_see_content(&room, ("m.room.power_levels", ""), &levels);
    room
}

fn apart(here: &Server, there: &Server, meanwhile: impl FnOnce()) {
    here.cut_off();
    there.cut_off();
    meanwhile();
    here.reconnect();
    there.reconnect();
}

/// Both say something more, after which both must know all that the other knows.
fn meet_again(room: &str, alice: &Person, bob: &Person) {
    alice.say(room, "alice is back");
    bob.say(room, "bob is back");
    for person in [alice, bob] {
        for text in ["alice is back", "bob is back"] {
            person.comes_to_hear_of(room, text);
        }
    }
    alice.comes_to_agree_with(room, bob);
}

fn joins_what_was_said_on_both_sides(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = shared_room(here, &alice, &bob);
    let numbered =
        |name: &str| -> Vec<String> { (0..10).map(|number| format!("{name} {number}")).collect() };
    let (ours, theirs) = (numbered("here"), numbered("there"));
    apart(here, there, || {
        for (our, their) in ours.iter().zip(&theirs) {
            alice.say(&room, our);
            bob.say(&room, their);
        }
    });
    meet_again(&room, &alice, &bob);
    let mut all = vec!["alice is back", "bob is back"];
    all.extend(ours.iter().chain(&theirs).map(String::as_str));
    alice.comes_to_hear_all(&room, &all);
    bob.comes_to_hear_all(&room, &all);
    // What one person said stays in its order.
    for person in [&alice, &bob] {
        let texts = person.texts(&room).unwrap();
        for wanted in [&ours, &theirs] {
            let found: Vec<&String> = texts.iter().filter(|text| wanted.contains(text)).collect();
            assert_eq!(found, wanted.iter().collect::<Vec<_>>(), "{}", person.id);
        }
    }
}

fn resolves_what_was_set_on_both_sides(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let (carol, dave) = (here.person("carol"), there.person("dave"));
    let room = shared_room(here, &alice, &bob);
    apart(here, there, || {
        alice.set(&room, ("m.room.topic", ""), json!({"topic": "of alice"}));
        bob.set(&room, ("m.room.topic", ""), json!({"topic": "of bob"}));
        alice.set(&room, ("m.room.name", ""), json!({"name": "of alice"}));
        bob.set(&room, ("m.room.name", ""), json!({"name": "of bob"}));
        alice.set(&room, ("org.example.one", "alice"), json!({"is": "mine"}));
        bob.set(&room, ("org.example.one", "bob"), json!({"is": "mine"}));
        carol.join(&room);
        dave.join(&room);
        bob.set(
            &room,
            ("m.room.topic", ""),
            json!({"topic": "of bob, again"}),
        );
    });
    meet_again(&room, &alice, &bob);
    bob.comes_to_see(&room, &carol, "join");
    alice.comes_to_see(&room, &dave, "join");
    alice.comes_to_see_content(&room, ("org.example.one", "bob"), &json!({"is": "mine"}));
    bob.comes_to_see_content(&room, ("org.example.one", "alice"), &json!({"is": "mine"}));
    carol.say(&room, "carol");
    dave.comes_to_agree_with(&room, &carol);
}

fn resolves_a_ban_against_what_the_banned_did(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = shared_room(here, &alice, &bob);
    let carol = there.person("carol");
    carol.join(&room);
    alice.comes_to_see(&room, &carol, "join");
    apart(here, there, || {
        alice.moderate("ban", &room, &bob);
        bob.set(&room, ("m.room.topic", ""), json!({"topic": "of bob"}));
        bob.say(&room, "I do not know yet");
    });
    alice.say(&room, "alice is back");
    carol.say(&room, "carol is back");
    carol.comes_to_see(&room, &bob, "ban");
    alice.comes_to_see(&room, &bob, "ban");
    alice.comes_to_agree_with(&room, &carol);
    assert!(alice.content(&room, ("m.room.topic", "")).is_err());
}

fn resolves_a_loss_of_power(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = shared_room(here, &alice, &bob);
    let carol = here.person("carol");
    carol.join(&room);
    bob.comes_to_see(&room, &carol, "join");
    let levels = ("m.room.power_levels", "");
    apart(here, there, || {
        let mut lower = alice.content(&room, levels).unwrap();
        lower["users"][&bob.id] = 0.into();
        alice.set(&room, levels, lower);
        let mut higher = bob.content(&room, levels).unwrap();
        higher["users"][&carol.id] = 25.into();
        bob.set(&room, levels, higher);
        bob.moderate("kick", &room, &carol);
    });
    meet_again(&room, &alice, &bob);
    // Alice has more power, so what she did comes first, and bob had none for the rest.
    let now = bob.content(&room, levels).unwrap();
    assert_eq!(now["users"][&bob.id], 0, "{now}");
    assert_eq!(now["users"][&carol.id], json!(null), "{now}");
    alice.comes_to_see(&room, &carol, "join");
    bob.comes_to_see(&room, &carol, "join");
}
