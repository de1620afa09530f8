//! A server that is away for a while.

use std::thread;

use myelin_blackbox::until;
use serde_json::json;

use crate::{
    person::{Person, holds},
    servers::Server,
};

both_ways!(
    catches_up_after_being_down,
    catches_up_after_the_network_was_down,
    comes_back_from_a_kill,
    is_restarted_while_all_talk,
    learns_what_was_changed_while_it_was_down,
);

/// The server of the room is down while the other one speaks, and then the other way round.
fn catches_up_after_being_down(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    let mut said = vec!["all are here".to_owned()];
    alice.say(&room, &said[0]);
    for (away, speaker, listener) in [(there, &alice, &bob), (here, &bob, &alice)] {
        listener.comes_to_hear(&room, &borrowed(&said));
        away.kill();
        for number in 0..15 {
            said.push(format!("{} says {number}", speaker.id));
            speaker.say(&room, &said[said.len() - 1]);
        }
        away.start();
        // What wakes the other server, if nothing else does.
        listener.put(
            &format!("/presence/{}/status", myelin_blackbox::encode(&listener.id)),
            json!({"presence": "online", "status_msg": "back"}),
        );
        listener.comes_to_hear(&room, &borrowed(&said));
        speaker.comes_to_hear(&room, &borrowed(&said));
    }
    alice.comes_to_agree_with(&room, &bob);
}

/// Nobody can reach the other one, and many rooms move on.
fn catches_up_after_the_network_was_down(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let rooms = [(); 5].map(|()| alice.create_room());
    for room in &rooms {
        bob.join_via(room, &here.name);
        alice.comes_to_see(room, &bob, "join");
    }
    here.cut_off();
    there.cut_off();
    let texts = ["one", "two", "three"];
    for room in &rooms {
        for text in texts {
            alice.say(room, text);
        }
    }
    here.reconnect();
    there.reconnect();
    // Whoever is heard of is there again.
    bob.say(&rooms[0], "hello");
    bob.comes_to_hear_all(&rooms[0], &["one", "two", "three", "hello"]);
    for room in &rooms[1..] {
        bob.comes_to_hear(room, &texts);
        alice.comes_to_agree_with(room, &bob);
    }
}

/// A server is killed right after it has acknowledged messages: they reach the other one.
fn comes_back_from_a_kill(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    let mut said: Vec<String> = (0..20)
        .map(|number| format!("before the kill {number}"))
        .collect();
    for text in &said {
        alice.say(&room, text);
    }
    here.kill();
    here.start();
    if here.is_synapse() {
        // Which sends on once there is something new.
        said.push("after the kill".to_owned());
        alice.say(&room, "after the kill");
    }
    bob.comes_to_hear(&room, &borrowed(&said));
    alice.comes_to_hear(&room, &borrowed(&said));
}

/// A server is killed three times while people of both go on talking: what was acknowledged
/// arrives everywhere, once.
fn is_restarted_while_all_talk(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    let talks = |person: Person, name: &'static str| {
        let room = room.clone();
        thread::spawn(move || {
            let texts: Vec<String> = (0..40).map(|number| format!("{name} {number}")).collect();
            for text in &texts {
                person.insist_on_saying(&room, text);
            }
            (person, texts)
        })
    };
    let (looker, carol) = (here.person("looker"), there.person("carol"));
    looker.join(&room);
    carol.join(&room);
    alice.comes_to_see(&room, &carol, "join");
    let (alice, bob) = (talks(alice, "alice"), talks(bob, "bob"));
    for number in 0..3 {
        let text = format!("bob {}", 8 * number + 3);
        until(&format!("carol hears {text:?}"), || {
            let heard = carol.texts(&room)?;
            holds(heard.contains(&text), || format!("{heard:?}"))
        });
        here.kill();
        here.start();
    }
    let (alice, mut said) = alice.join().unwrap();
    let (bob, by_bob) = bob.join().unwrap();
    said.extend(by_bob);
    // What wakes the other server, if nothing else does.
    said.extend(["alice is done".to_owned(), "bob is done".to_owned()]);
    alice.say(&room, "alice is done");
    bob.say(&room, "bob is done");
    let said = borrowed(&said);
    for person in [&alice, &bob, &looker, &carol] {
        person.comes_to_hear_all(&room, &said);
    }
    alice.comes_to_agree_with(&room, &bob);
}

/// State, memberships and redactions that the other server was not there for.
fn learns_what_was_changed_while_it_was_down(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let (carol, dave) = (there.person("carol"), here.person("dave"));
    let (room, other) = (alice.create_room(), alice.create_room());
    for room in [&room, &other] {
        for person in [&bob, &carol] {
            person.join_via(room, &here.name);
            alice.comes_to_see(room, person, "join");
        }
    }
    let mistake = alice.say(&room, "a mistake");
    bob.comes_to_hear(&room, &["a mistake"]);
    there.kill();
    alice.redact(&room, &mistake, "wrong room");
    alice.moderate("ban", &room, &carol);
    alice.moderate("kick", &other, &bob);
    dave.join(&room);
    alice.set(&room, ("m.room.name", ""), json!({"name": "Changed"}));
    let mut levels = alice.content(&room, ("m.room.power_levels", "")).unwrap();
    levels["users"][&bob.id] = 50.into();
    alice.set(&room, ("m.room.power_levels", ""), levels);
    for number in 0..30 {
        dave.say(&room, &format!("dave says {number}"));
    }
    there.start();
    bob.say(&room, "back");
    alice.comes_to_hear_of(&room, "back");
    // What wakes the other server, if nothing else does.
    dave.say(&room, "welcome back");
    bob.comes_to_hear_last(&room, "welcome back");
    carol.comes_to_be_told_left(&room);
    alice.say(&other, "without bob");
    carol.comes_to_hear_last(&other, "without bob");
    bob.comes_to_be_told_left(&other);
    alice.comes_to_agree_with(&room, &bob);
    alice.comes_to_agree_with(&other, &carol);
    bob.set(&room, ("m.room.name", ""), json!({"name": "By bob"}));
    alice.comes_to_see_content(&room, ("m.room.name", ""), &json!({"name": "By bob"}));
    let heard = bob.texts(&room).unwrap();
    assert!(!heard.iter().any(|text| text == "a mistake"), "{heard:?}");
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
