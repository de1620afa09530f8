//! How users of one server get into rooms of another, and out of them.

use serde_json::{Value, json};

use myelin_blackbox::until;

use crate::{
    person::{Person, holds},
    servers::Server,
};

both_ways!(
    joins_by_alias,
    joins_by_invitation,
    rejects_an_invitation,
    rejects_while_nobody_listens,
    withdraws_an_invitation,
    leaves_and_rejoins,
    comes_back_to_what_only_others_have_kept,
    knocks,
    takes_a_knock_back,
    joins_a_restricted_room,
    knows_the_state_after_joining,
    upgrades_a_room,
);

fn joins_by_alias(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room_with(json!({
        "preset": "public_chat",
        "room_alias_name": "meeting",
        "name": "Meeting",
        "topic": "All of it",
    }));
    bob.join(&here.alias("meeting"));
    alice.comes_to_see(&room, &bob, "join");
    let is_named = json!({"name": "Meeting"});
    bob.comes_to_see_content(&room, ("m.room.name", ""), &is_named);
    alice.say(&room, "welcome");
    bob.comes_to_hear(&room, &["welcome"]);
    bob.say(&room, "thanks");
    alice.comes_to_hear(&room, &["welcome", "thanks"]);
    bob.comes_to_hear(&room, &["welcome", "thanks"]);
    alice.comes_to_agree_with(&room, &bob);
}

fn joins_by_invitation(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room_with(json!({"preset": "private_chat", "name": "Private"}));
    alice.moderate("invite", &room, &bob);
    let invitation = bob.comes_to_be_told("invite", &room);
    let shown = invitation["invite_state"]["events"].as_array().unwrap();
    let is_name = |event: &&Value| event["type"] == "m.room.name";
    let name = shown.iter().find(is_name).unwrap();
    assert_eq!(name["content"], json!({"name": "Private"}));
    bob.join(&room);
    bob.comes_to_be_told("join", &room);
    alice.comes_to_see(&room, &bob, "join");
    bob.say(&room, "here I am");
    alice.comes_to_hear(&room, &["here I am"]);
    // Somebody else of a server that is in the room by now.
    let carol = there.person("carol");
    bob.moderate("invite", &room, &carol);
    carol.join(&room);
    alice.comes_to_see(&room, &carol, "join");
    alice.comes_to_agree_with(&room, &bob);
}

fn rejects_an_invitation(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room_with(json!({"preset": "private_chat"}));
    alice.moderate("invite", &room, &bob);
    bob.comes_to_be_told("invite", &room);
    bob.leave(&room);
    alice.comes_to_see(&room, &bob, "leave");
    comes_to_be_told_nothing(&bob, "invite", &room);
    assert_ne!(bob.try_join_via(&room, &here.name).status, 200);
    // And again, to a server that nobody in the room is on.
    alice.moderate("invite", &room, &bob);
    bob.comes_to_be_told("invite", &room);
    bob.join(&room);
    alice.comes_to_see(&room, &bob, "join");
}

/// Nobody has to live with the invitation of a server that is gone.
fn rejects_while_nobody_listens(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room_with(json!({"preset": "private_chat"}));
    alice.moderate("invite", &room, &bob);
    bob.comes_to_be_told("invite", &room);
    here.kill();
    bob.leave(&room);
    comes_to_be_told_nothing(&bob, "invite", &room);
    here.start();
    // Which still thinks that bob is invited: so he is.
    alice.comes_to_see(&room, &bob, "invite");
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
}

fn withdraws_an_invitation(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    for version in ["11", "12"] {
        let body = json!({"preset": "private_chat", "room_version": version});
        let room = alice.create_room_with(body);
        alice.moderate("invite", &room, &bob);
        bob.comes_to_be_told("invite", &room);
        alice.moderate("kick", &room, &bob);
        comes_to_be_told_nothing(&bob, "invite", &room);
        assert_eq!(bob.try_join_via(&room, &here.name).status, 403);
        alice.moderate("invite", &room, &bob);
        bob.comes_to_be_told("invite", &room);
        bob.join(&room);
        alice.comes_to_see(&room, &bob, "join");
    }
}

/// Is told of a room no longer in this section of `/sync`.
fn comes_to_be_told_nothing(person: &Person, section: &str, room: &str) {
    until(
        &format!("{} has {room} no longer in {section}", person.id),
        || {
            let rooms = &person.sync()?["rooms"];
            holds(rooms[section][room].is_null(), || rooms.to_string())
        },
    );
}

/// All of the server where the room was made leave it, and come back to what became of it.
fn comes_back_to_what_only_others_have_kept(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let carol = here.person("carol");
    let room = alice.create_room_with(json!({"preset": "public_chat", "room_alias_name": "home"}));
    carol.join(&room);
    bob.join_via(&room, &here.name);
    for person in [&bob, &carol] {
        alice.comes_to_see(&room, person, "join");
    }
    for person in [&alice, &carol] {
        person.leave(&room);
        bob.comes_to_see(&room, person, "leave");
    }
    // More than anybody sends at once.
    let said: Vec<String> = (0..30).map(|number| format!("alone {number}")).collect();
    for text in &said {
        bob.say(&room, text);
    }
    carol.join_via(&room, &there.name);
    bob.comes_to_see(&room, &carol, "join");
    // The alias is of a server that is in the room again.
    alice.join(&here.alias("home"));
    bob.comes_to_see(&room, &alice, "join");
    bob.say(&room, "welcome back");
    alice.comes_to_hear_last(&room, "welcome back");
    carol.say(&room, "here again");
    bob.comes_to_hear_last(&room, "here again");
    alice.comes_to_agree_with(&room, &bob);
    // When all are gone, nobody is there to let anybody in.
    for person in [&alice, &carol] {
        person.leave(&room);
        bob.comes_to_see(&room, person, "leave");
    }
    bob.leave(&room);
    assert_ne!(carol.try_join_via(&room, &there.name).status, 200);
}

fn leaves_and_rejoins(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    bob.join_via(&room, &here.name);
    bob.say(&room, "first");
    alice.comes_to_hear(&room, &["first"]);
    bob.leave(&room);
    alice.comes_to_see(&room, &bob, "leave");
    assert_eq!(bob.try_say(&room, "from outside").status, 403);
    // Nobody of the other server is there to be told of this.
    alice.say(&room, "second");
    let topic = json!({"topic": "Meanwhile"});
    alice.set(&room, ("m.room.topic", ""), topic.clone());
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    let now = bob.content(&room, ("m.room.topic", "")).unwrap();
    assert_eq!(now["topic"], topic["topic"]);
    alice.say(&room, "third");
    bob.comes_to_hear_last(&room, "third");
    bob.say(&room, "fourth");
    alice.comes_to_hear(&room, &["first", "second", "third", "fourth"]);
    alice.comes_to_agree_with(&room, &bob);
}

fn knocks(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room_with(json!({
        "room_version": "11",
        "name": "Behind a door",
        "initial_state": [join_rules(&json!({"join_rule": "knock"}))],
    }));
    assert_eq!(bob.try_join_via(&room, &here.name).status, 403);
    bob.knock_via(&room, &here.name, "let me in");
    let knock = alice.comes_to_see(&room, &bob, "knock");
    assert_eq!(knock["reason"], "let me in");
    bob.comes_to_be_told("knock", &room);
    alice.moderate("invite", &room, &bob);
    bob.comes_to_be_told("invite", &room);
    bob.join(&room);
    alice.comes_to_see(&room, &bob, "join");
    bob.say(&room, "in");
    alice.comes_to_hear(&room, &["in"]);
    // A knock that is not heard.
    let carol = there.person("carol");
    carol.knock_via(&room, &here.name, "me, too");
    alice.comes_to_see(&room, &carol, "knock");
    alice.moderate("kick", &room, &carol);
    bob.comes_to_see(&room, &carol, "leave");
}

fn takes_a_knock_back(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    // The id of the second names no server.
    for version in ["11", "12"] {
        let room = alice.create_room_with(json!({
            "room_version": version,
            "initial_state": [join_rules(&json!({"join_rule": "knock"}))],
        }));
        bob.knock_via(&room, &here.name, "let me in");
        alice.comes_to_see(&room, &bob, "knock");
        bob.comes_to_be_told("knock", &room);
        bob.leave(&room);
        if !there.is_synapse() {
            // Which tells nobody.
            alice.comes_to_see(&room, &bob, "leave");
        }
        comes_to_be_told_nothing(&bob, "knock", &room);
        bob.knock_via(&room, &here.name, "please");
        until("the second knock is there", || {
            let member = alice.content(&room, ("m.room.member", &bob.id))?;
            holds(member["reason"] == "please", || member.to_string())
        });
    }
}

fn joins_a_restricted_room(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let club = alice.create_room();
    let allow = json!([{"type": "m.room_membership", "room_id": club}]);
    let rule = json!({"join_rule": "restricted", "allow": allow});
    let body = json!({"name": "For members", "initial_state": [join_rules(&rule)]});
    let room = alice.create_room_with(body);
    assert_eq!(bob.try_join_via(&room, &here.name).status, 403);
    bob.join_via(&club, &here.name);
    alice.comes_to_see(&club, &bob, "join");
    bob.join_via(&room, &here.name);
    let joined = alice.comes_to_see(&room, &bob, "join");
    assert_eq!(
        joined["join_authorised_via_users_server"],
        alice.id.as_str()
    );
    // A server that is in both rooms, but whose users may not invite, has to ask the other one.
    let carol = there.person("carol");
    carol.join_via(&club, &here.name);
    alice.comes_to_see(&club, &carol, "join");
    let refused = |person: &Person| person.try_join_via(&room, &here.name).status;
    assert_eq!(refused(&there.person("stranger")), 403);
    carol.join_via(&room, &here.name);
    alice.comes_to_see(&room, &carol, "join");
    bob.comes_to_see(&room, &carol, "join");
    carol.say(&room, "a club");
    alice.comes_to_hear(&room, &["a club"]);
    alice.comes_to_agree_with(&room, &carol);
}

fn knows_the_state_after_joining(here: &Server, there: &Server) {
    let alice = here.person("alice");
    let room = alice.create_room_with(json!({
        "preset": "public_chat",
        "name": "State",
        "topic": "Everything that is set",
        "power_level_content_override": {"events": {"m.room.name": 40}, "users_default": 5},
    }));
    let others: Vec<Person> = ["b", "c", "d", "e"].map(|name| here.person(name)).into();
    for person in &others {
        person.join(&room);
    }
    alice.moderate("kick", &room, &others[1]);
    alice.moderate("ban", &room, &others[2]);
    others[3].leave(&room);
    let custom =
        json!({"deep": {"list": [1, "two", null, {"three": true}]}, "text": "\u{1f98a} ä"});
    alice.set(&room, ("org.example.custom", "a key"), custom.clone());
    let zoe = there.person("zoe");
    zoe.join_via(&room, &here.name);
    for (person, membership) in others.iter().zip(["join", "leave", "ban", "leave"]) {
        zoe.comes_to_see(&room, person, membership);
    }
    let content = |key| zoe.content(&room, key).unwrap();
    assert_eq!(content(("m.room.name", "")), json!({"name": "State"}));
    assert_eq!(
        content(("m.room.topic", ""))["topic"],
        "Everything that is set"
    );
    assert_eq!(content(("org.example.custom", "a key")), custom);
    let levels = content(("m.room.power_levels", ""));
    assert_eq!(levels["events"]["m.room.name"], 40, "{levels}");
    assert_eq!(levels["users_default"], 5, "{levels}");
    zoe.comes_to_agree_with(&room, &alice);
    let members = zoe.get(&format!(
        "/rooms/{}/joined_members",
        myelin_blackbox::encode(&room)
    ));
    let joined = members["joined"].as_object().unwrap().len();
    assert_eq!(joined, 3, "{members}");
}

/// The people of both servers move on to a room of version 12.
fn upgrades_a_room(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let carol = there.person("carol");
    let room = alice.create_room_with(json!({
        "preset": "public_chat",
        "room_version": "10",
        "room_alias_name": "moving",
        "name": "Moving",
        "power_level_content_override": {"users": {&alice.id: 100, &bob.id: 50}},
    }));
    let erin = there.person("erin");
    for person in [&bob, &carol, &erin] {
        person.join_via(&room, &here.name);
        alice.comes_to_see(&room, person, "join");
    }
    alice.moderate("ban", &room, &carol);
    bob.comes_to_see(&room, &carol, "ban");
    let path = format!("/rooms/{}/upgrade", myelin_blackbox::encode(&room));
    let answer = alice.post(&path, json!({"new_version": "12"}));
    let new = answer["replacement_room"].as_str().unwrap();
    until("bob sees where the room has gone", || {
        let tombstone = bob.content(&room, ("m.room.tombstone", ""))?;
        holds(tombstone["replacement_room"] == new, || {
            tombstone.to_string()
        })
    });
    bob.join_via(new, &here.name);
    alice.comes_to_see(new, &bob, "join");
    let content = |key| bob.content(new, key).unwrap();
    let create = content(("m.room.create", ""));
    assert_eq!(create["predecessor"]["room_id"], room.as_str(), "{create}");
    assert_eq!(create["room_version"], "12", "{create}");
    assert_eq!(content(("m.room.name", "")), json!({"name": "Moving"}));
    let levels = content(("m.room.power_levels", ""));
    assert_eq!(levels["users"][&bob.id], 50, "{levels}");
    assert!(levels["users"][&alice.id].is_null(), "{levels}");
    until("erin can say nothing there any more", || {
        let status = erin.try_say(&room, "too late").status;
        holds(status == 403, || status.to_string())
    });
    assert_eq!(carol.try_join_via(new, &here.name).status, 403);
    // Who has the power there has it here, and who made the room has all of it.
    bob.set(new, ("m.room.topic", ""), json!({"topic": "Moved"}));
    alice.comes_to_see_content(new, ("m.room.topic", ""), &json!({"topic": "Moved"}));
    assert_eq!(bob.try_moderate("kick", new, &alice).status, 403);
    alice.say(new, "all are here");
    bob.comes_to_hear(new, &["all are here"]);
    let dave = there.person("dave");
    dave.join(&here.alias("moving"));
    alice.comes_to_see(new, &dave, "join");
    dave.comes_to_agree_with(new, &alice);
}

fn join_rules(content: &Value) -> Value {
    json!({"type": "m.room.join_rules", "state_key": "", "content": content})
}
