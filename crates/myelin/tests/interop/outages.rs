//! A server that is away for a while.

use serde_json::json;

use crate::servers::Server;

both_ways!(
    catches_up_after_being_down,
    catches_up_after_the_network_was_down,
    comes_back_from_a_kill,
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

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
