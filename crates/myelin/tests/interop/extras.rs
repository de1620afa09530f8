//! What passes between servers besides the events of rooms.

use serde_json::{Value, json};

use myelin_blackbox::{encode, until};

use crate::{
    person::{Person, holds},
    servers::Server,
};

both_ways!(
    sees_typing_and_receipts,
    sees_how_far_neighbours_have_read,
    sees_presence,
    asks_for_profiles_and_rooms,
    shows_profiles_in_rooms,
    takes_a_name_that_the_other_server_gives,
);

fn sees_typing_and_receipts(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    for (speaker, listener) in [(&alice, &bob), (&bob, &alice)] {
        let text = format!("{} speaks", speaker.id);
        let path = format!("/rooms/{}/typing/{}", encode(&room), encode(&speaker.id));
        speaker.put(&path, json!({"typing": true, "timeout": 60_000}));
        comes_to_see_ephemeral(listener, &room, "m.typing", |content| {
            let typing = content["user_ids"].as_array();
            typing.is_some_and(|users| users.iter().any(|user| *user == speaker.id))
        });
        let event = speaker.say(&room, &text);
        listener.comes_to_hear_last(&room, &text);
        let receipt = format!("/rooms/{}/receipt/m.read/{}", encode(&room), encode(&event));
        listener.post(&receipt, json!({}));
        comes_to_see_ephemeral(speaker, &room, "m.receipt", |content| {
            !content[&event]["m.read"][&listener.id].is_null()
        });
    }
}

/// What one of the other server has said and another of it has read: the two are told together.
fn sees_how_far_neighbours_have_read(here: &Server, there: &Server) {
    let alice = here.person("alice");
    let (bob, carol) = (there.person("bob"), there.person("carol"));
    let room = alice.create_room();
    for person in [&bob, &carol] {
        person.join_via(&room, &here.name);
        alice.comes_to_see(&room, person, "join");
    }
    for number in 0..5 {
        let event = bob.say(&room, &format!("number {number}"));
        let receipt = format!("/rooms/{}/receipt/m.read/{}", encode(&room), encode(&event));
        carol.post(&receipt, json!({}));
        comes_to_see_ephemeral(&alice, &room, "m.receipt", |content| {
            !content[&event]["m.read"][&carol.id].is_null()
        });
    }
}

fn comes_to_see_ephemeral(
    person: &Person,
    room: &str,
    kind: &str,
    is_wanted: impl Fn(&Value) -> bool,
) {
    until(&format!("{} sees {kind}", person.id), || {
        let sync = person.sync()?;
        let seen = &sync["rooms"]["join"][room]["ephemeral"]["events"];
        let events = seen.as_array().into_iter().flatten();
        let mut contents = events.filter(|event| event["type"] == kind);
        let found = contents.any(|event| is_wanted(&event["content"]));
        holds(found, || seen.to_string())
    });
}

fn sees_presence(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    for (speaker, listener) in [(&alice, &bob), (&bob, &alice)] {
        let path = format!("/presence/{}/status", encode(&speaker.id));
        let status = format!("busy with {}", listener.id);
        until(
            &format!("{} sees the presence of {}", listener.id, speaker.id),
            || {
                // Said again and again, for it is lost where it is lost.
                speaker.put(&path, json!({"presence": "online", "status_msg": status}));
                let presence = listener.try_get(&path)?;
                holds(presence["status_msg"] == status, || presence.to_string())
            },
        );
    }
}

fn asks_for_profiles_and_rooms(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let name = format!("/profile/{}/displayname", encode(&alice.id));
    alice.put(&name, json!({"displayname": "Alice of here"}));
    let profile = bob.get(&format!("/profile/{}", encode(&alice.id)));
    assert_eq!(profile["displayname"], "Alice of here");
    let nobody = encode(&format!("@nobody:{}", here.name));
    let answer = bob.try_get(&format!("/profile/{nobody}"));
    assert!(answer.unwrap_err().starts_with("404 "));
    let room = alice.create_room_with(json!({
        "preset": "public_chat",
        "visibility": "public",
        "room_alias_name": "listed",
        "name": "Listed",
    }));
    let found = bob.get(&format!(
        "/directory/room/{}",
        encode(&here.alias("listed"))
    ));
    assert_eq!(found["room_id"], room.as_str());
    let servers = found["servers"].as_array().unwrap();
    assert!(servers.iter().any(|server| *server == here.name), "{found}");
    let unknown = bob.try_get(&format!(
        "/directory/room/{}",
        encode(&here.alias("unlisted"))
    ));
    assert!(unknown.unwrap_err().starts_with("404 "));
    let server = encode(&here.name);
    let rooms = bob.get(&format!("/publicRooms?server={server}"));
    let listed = &rooms["chunk"][0];
    assert_eq!(listed["room_id"], room.as_str(), "{rooms}");
    assert_eq!(listed["name"], "Listed");
    let filter = json!({"filter": {"generic_search_term": "nothing of that kind"}});
    let none = bob.post(&format!("/publicRooms?server={server}"), filter);
    assert_eq!(none["chunk"], json!([]));
    let hierarchy = format!(
        "/_matrix/client/v1/rooms/{}/hierarchy",
        encode(&space(&alice, &room))
    );
    let tree = alice.get(&hierarchy);
    assert_eq!(tree["rooms"].as_array().unwrap().len(), 2, "{tree}");
}

/// A space in which the room is.
fn space(person: &Person, room: &str) -> String {
    let server = person.id.split_once(':').unwrap().1;
    person.create_room_with(json!({
        "preset": "public_chat",
        "creation_content": {"type": "m.space"},
        "initial_state": [
            {"type": "m.space.child", "state_key": room, "content": {"via": [server]}},
        ],
    }))
}

fn shows_profiles_in_rooms(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    let rename = |person: &Person, name: &str| {
        let path = format!("/profile/{}/displayname", encode(&person.id));
        person.put(&path, json!({"displayname": name}));
    };
    rename(&bob, "Bob");
    bob.join_via(&room, &here.name);
    let joined = alice.comes_to_see(&room, &bob, "join");
    assert_eq!(joined["displayname"], "Bob");
    rename(&bob, "Robert");
    until("alice sees the new name", || {
        let member = alice.content(&room, ("m.room.member", &bob.id))?;
        holds(member["displayname"] == "Robert", || member.to_string())
    });
}

fn takes_a_name_that_the_other_server_gives(here: &Server, there: &Server) {
    let (alice, bob) = (here.person("alice"), there.person("bob"));
    let room = alice.create_room();
    bob.join_via(&room, &here.name);
    alice.comes_to_see(&room, &bob, "join");
    let (alias, other) = (there.alias("meeting"), there.alias("elsewhere"));
    let path = |alias: &str| format!("/directory/room/{}", encode(alias));
    bob.put(&path(&alias), json!({"room_id": room}));
    bob.put(&path(&other), json!({"room_id": bob.create_room()}));
    let set = |alias: &str| {
        let path = format!("/rooms/{}/state/m.room.canonical_alias", encode(&room));
        alice.try_put(&path, json!({"alias": alias})).status
    };
    assert_eq!(set(&other), 400);
    assert_eq!(set(&there.alias("nothing")), 400);
    assert_eq!(set(&alias), 200);
    let is_named = json!({"alias": alias});
    bob.comes_to_see_content(&room, ("m.room.canonical_alias", ""), &is_named);
    // Somebody who comes by that name comes to the room, whichever server they are of.
    for person in [here.person("carol"), there.person("dave")] {
        person.join(&alias);
        alice.comes_to_see(&room, &person, "join");
    }
}
