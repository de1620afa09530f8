//! Power over users of the other server, and theirs.

use serde_json::json;

use myelin_blackbox::until;

use crate::{
    person::{Person, holds},
    servers::Server,
};

both_ways!(
    kicks,
    bans,
    gives_power_to_the_other_server,
    redacts,
    keeps_a_server_out,
);

fn kicks(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    alice.moderate("kick", &room, &bob);
    bob.comes_to_be_told_left(&room);
    until("the other server lets bob say nothing", || {
        let status = bob.try_say(&room, "still here?").status;
        holds(status == 403, || status.to_string())
    });
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    bob.say(&room, "back");
    alice.comes_to_hear_last(&room, "back");
    alice.comes_to_agree_with(&room, &bob);
}

fn bans(here: &Server, there: &Server) {
    let (alice, bob, carol) = (
        here.person("alice"),
        there.person("bob"),
        there.person("carol"),
    );
    let room = alice.create_room();
    for person in [&bob, &carol] {
        person.join_via(&room, &here.name);
        alice.comes_to_see(&room, person, "join");
    }
    alice.moderate("ban", &room, &bob);
    carol.comes_to_see(&room, &bob, "ban");
    assert_eq!(bob.try_join_via(&room, &here.name).status, 403);
    assert_eq!(bob.try_say(&room, "still here?").status, 403);
    alice.moderate("unban", &room, &bob);
    carol.comes_to_see(&room, &bob, "leave");
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    // Somebody who was never there, by their name alone.
    let dave = there.person("dave");
    alice.moderate("ban", &room, &dave);
    carol.comes_to_see(&room, &dave, "ban");
    assert_eq!(dave.try_join_via(&room, &here.name).status, 403);
    alice.comes_to_agree_with(&room, &carol);
}

fn gives_power_to_the_other_server(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let (carol, dave) = (here.person("carol"), there.person("dave"));
    let room = alice.create_room();
    carol.join(&room);
    for person in [&bob, &dave] {
        person.join_via(&room, &here.name);
        alice.comes_to_see(&room, person, "join");
    }
    assert_eq!(bob.try_moderate("kick", &room, &carol).status, 403);
    let mut levels = alice.content(&room, ("m.room.power_levels", "")).unwrap();
    levels["users"][&bob.id] = 50.into();
    levels["events"]["m.room.power_levels"] = 50.into();
    alice.set(&room, ("m.room.power_levels", ""), levels.clone());
    bob.comes_to_see_content(&room, ("m.room.power_levels", ""), &levels);
    bob.set(
        &room,
        ("m.room.topic", ""),
        json!({"topic": "Bob was here"}),
    );
    bob.moderate("kick", &room, &carol);
    bob.moderate("ban", &room, &dave);
    alice.comes_to_see(&room, &dave, "ban");
    alice.comes_to_see(&room, &carol, "leave");
    let now = alice.content(&room, ("m.room.topic", "")).unwrap();
    assert_eq!(now["topic"], "Bob was here");
    // And gives it up, which the other server must learn.
    levels["users"][&bob.id] = 0.into();
    bob.set(&room, ("m.room.power_levels", ""), levels.clone());
    alice.comes_to_see_content(&room, ("m.room.power_levels", ""), &levels);
    assert_eq!(bob.try_moderate("unban", &room, &dave).status, 403);
    alice.comes_to_agree_with(&room, &bob);
}

fn redacts(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    let (mine, yours) = (alice.say(&room, "mine"), bob.say(&room, "yours"));
    let mistake = bob.say(&room, "a mistake");
    alice.comes_to_hear_all(&room, &["mine", "yours", "a mistake"]);
    bob.comes_to_hear_all(&room, &["mine", "yours", "a mistake"]);
    bob.redact(&room, &mistake, "wrong room");
    for person in [&alice, &bob] {
        comes_to_see_redacted(person, &room, &mistake, "wrong room");
    }
    // By power alone.
    alice.redact(&room, &yours, "rude");
    for person in [&alice, &bob] {
        comes_to_see_redacted(person, &room, &yours, "rude");
        person.comes_to_hear(&room, &["mine"]);
    }
    // Without power over somebody else's; either server may refuse or ignore it.
    let path = format!(
        "/_matrix/client/v3/rooms/{}/redact/{}/attempt",
        myelin_blackbox::encode(&room),
        myelin_blackbox::encode(&mine)
    );
    assert_eq!(bob.try_put(&path, json!({})).status, 403);
    alice.say(&room, "the end");
    bob.comes_to_hear(&room, &["mine", "the end"]);
    // One who joins later is not shown what was redacted.
    let carol = there.person("carol");
    carol.join(&room);
    carol.comes_to_hear(&room, &["mine", "the end"]);
}

fn comes_to_see_redacted(person: &Person, room: &str, event: &str, reason: &str) {
    until(&format!("{} sees {event} redacted", person.id), || {
        let event = person.event(room, event)?;
        let because = &event["unsigned"]["redacted_because"]["content"]["reason"];
        let is_empty = event["content"] == json!({});
        holds(is_empty && because == reason, || event.to_string())
    });
}

fn keeps_a_server_out(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let (room, other) = (alice.create_room(), alice.create_room());
    for room in [&room, &other] {
        bob.join_via(room, &here.name);
        alice.comes_to_see(room, &bob, "join");
    }
    bob.say(&room, "before");
    alice.comes_to_hear(&room, &["before"]);
    // A list names hosts without ports, so it cannot tell apart servers of one address; these
    // two have different ones.
    let host = there.name.split(':').next().unwrap();
    let list = json!({"allow": ["*"], "deny": [host], "allow_ip_literals": true});
    alice.set(&room, ("m.room.server_acl", ""), list);
    // Refused there, or sent and not taken here.
    let _ = bob.try_say(&room, "out of it");
    bob.say(&other, "elsewhere");
    alice.comes_to_hear(&other, &["elsewhere"]);
    alice.comes_to_hear(&room, &["before"]);
}
