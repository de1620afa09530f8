//! Users of this server in rooms of another: all that two servers have to do for it.

use myelin_testkit::{TestServer, User, encode, three_modes_federated, wait_until};
use serde_json::{Value, json};

three_modes_federated!(
    joins_a_public_room_by_its_id,
    joins_by_invitation,
    leaves_and_comes_back,
    refuses_an_invitation,
    refuses_the_invitation_of_a_dead_server,
    invitations_are_withdrawn,
    knocks_are_turned_down,
    knocks_and_is_let_in,
    takes_a_knock_back,
    the_banned_stay_outside,
    restricted_rooms_let_in_who_is_in_another,
    rooms_of_every_version_are_joined,
);

pub(crate) async fn join_via(user: &User, room: &str, via: &str) -> myelin_testkit::Answer {
    let path = format!("/join/{}?via={via}", encode(room));
    user.post(&path, json!({})).await
}

/// The memberships of a room as one of its members sees them: sorted.
async fn members(user: &User, room: &str) -> Vec<String> {
    let path = format!("/rooms/{}/members", encode(room));
    let answer = user.get(&path).await.ok();
    let chunk = answer["chunk"].as_array().unwrap().clone();
    let member = |event: &Value| {
        let membership = event["content"]["membership"].as_str().unwrap();
        format!("{} {membership}", event["state_key"].as_str().unwrap())
    };
    let mut members: Vec<String> = chunk.iter().map(member).collect();
    members.sort();
    members
}

async fn joins_a_public_room_by_its_id(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let room = alice.create_public_room().await;
    alice.send(&room, "before").await;
    let since = bob.sync(None).await["next_batch"].clone();

    let joined = join_via(&bob, &room, "there.example").await.ok();
    assert_eq!(joined["room_id"], room.as_str());

    let expected = ["@alice:there.example join", "@bob:localhost join"];
    assert_eq!(members(&bob, &room).await, expected);
    assert_eq!(members(&alice, &room).await, expected);
    let news = bob.sync(since.as_str()).await;
    let told = &news["rooms"]["join"][&room];
    let timeline = told["timeline"]["events"].as_array().unwrap();
    assert_eq!(timeline.len(), 1, "{told}");
    assert_eq!(timeline[0]["state_key"], "@bob:localhost");
    let state = told["state"]["events"].as_array().unwrap();
    for kind in ["m.room.create", "m.room.power_levels", "m.room.join_rules"] {
        assert!(state.iter().any(|event| event["type"] == kind), "{told}");
    }
    assert_eq!(told["summary"]["m.joined_member_count"], 2);
    // What is sent now builds on the join.
    bob.send(&room, "hello").await;
    // A second user comes in without anybody's help.
    here.network().set_cut_off("there.example", true);
    let carol = here.user("carol").await;
    join_via(&carol, &room, "there.example").await.ok();
    assert_eq!(members(&carol, &room).await.len(), 3);
    let joined = carol.get("/joined_rooms").await.ok();
    assert_eq!(joined["joined_rooms"], json!([room]));
    here.network().set_cut_off("there.example", false);
}

async fn joins_by_invitation(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let room = alice
        .create_room_with(json!({"name": "Secrets", "topic": "none"}))
        .await;
    join_via(&bob, &room, "there.example")
        .await
        .refused(403, "M_FORBIDDEN");
    let since = bob.sync(None).await["next_batch"].clone();
    alice.invite(&room, &bob).await.ok();

    for since in [since.as_str(), None] {
        let told = bob.sync(since).await["rooms"]["invite"][&room].clone();
        let state = told["invite_state"]["events"].as_array().unwrap().clone();
        let content = |kind: &str| {
            let found = state.iter().find(|event| event["type"] == kind);
            found.map(|event| event["content"].clone())
        };
        assert_eq!(content("m.room.name"), Some(json!({"name": "Secrets"})));
        assert!(content("m.room.create").is_some(), "{told}");
        let own = content("m.room.member").unwrap();
        assert_eq!(own["membership"], "invite", "{told}");
        assert!(state.iter().all(|event| event.get("signatures").is_none()));
    }
    // Nobody has to say where the room is.
    bob.join(&room).await.ok();
    let expected = ["@alice:there.example join", "@bob:localhost join"];
    assert_eq!(members(&bob, &room).await, expected);
    assert_eq!(members(&alice, &room).await, expected);
    let all = bob.sync(None).await;
    assert!(all["rooms"]["invite"].get(&room).is_none());
    assert!(all["rooms"]["join"].get(&room).is_some());
}

async fn leaves_and_comes_back(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let room = alice.create_public_room().await;
    join_via(&bob, &room, "there.example").await.ok();
    bob.leave(&room).await.ok();
    assert!(bob.sync(None).await["rooms"]["join"].get(&room).is_none());
    // Meanwhile the room goes on without this server.
    let name = json!({"name": "New"});
    alice.set_state(&room, "m.room.name", "", name).await.ok();
    let carol = there.user("carol").await;
    carol.join(&room).await.ok();
    // The server knows who was there.
    bob.join(&room).await.ok();
    let now = bob.state(&room, "m.room.name", "").await.ok();
    assert_eq!(now["name"], "New");
    let expected = [
        "@alice:there.example join",
        "@bob:localhost join",
        "@carol:there.example join",
    ];
    assert_eq!(members(&bob, &room).await, expected);
    let told = bob.sync(None).await["rooms"]["join"][&room].clone();
    assert_eq!(told["summary"]["m.joined_member_count"], 3);
}

async fn refuses_an_invitation(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let room = alice.create_room().await;
    alice.invite(&room, &bob).await.ok();
    let since = bob.sync(None).await["next_batch"].clone();
    bob.leave(&room).await.ok();
    let news = bob.sync(since.as_str()).await;
    assert!(news["rooms"]["leave"].get(&room).is_some(), "{news}");
    assert!(bob.sync(None).await["rooms"]["invite"].get(&room).is_none());
    let member = alice.state(&room, "m.room.member", &bob.id).await.ok();
    assert_eq!(member["membership"], "leave");
    // Who has refused can be invited again.
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await.ok();
    let expected = ["@alice:there.example join", "@bob:localhost join"];
    assert_eq!(members(&bob, &room).await, expected);
}

async fn refuses_the_invitation_of_a_dead_server(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let room = alice.create_room().await;
    alice.invite(&room, &bob).await.ok();
    let since = bob.sync(None).await["next_batch"].clone();
    here.network().set_cut_off("there.example", true);
    bob.leave(&room).await.ok();
    let news = bob.sync(since.as_str()).await;
    assert!(news["rooms"]["leave"].get(&room).is_some(), "{news}");
    assert!(bob.sync(None).await["rooms"]["invite"].get(&room).is_none());
    here.network().set_cut_off("there.example", false);
    // The other server still thinks that bob is invited: then he is.
    join_via(&bob, &room, "there.example").await.ok();
    let expected = ["@alice:there.example join", "@bob:localhost join"];
    assert_eq!(members(&bob, &room).await, expected);
}

/// Waits until the user is told to be neither invited nor knocking, but out of the room.
async fn wait_until_out(user: &User, room: &str) {
    wait_until("the user is told", async || {
        let filter = encode(&json!({"room": {"include_leave": true}}).to_string());
        let told = user.get(&format!("/sync?filter={filter}")).await.ok();
        let rooms = &told["rooms"];
        let section = |name: &str| rooms[name].get(room).is_some();
        section("leave") && !section("invite") && !section("knock")
    })
    .await;
}

async fn invitations_are_withdrawn(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    for version in ["1", "11", "12"] {
        for act in ["kick", "ban"] {
            let room = alice
                .create_room_with(json!({"room_version": version}))
                .await;
            alice.invite(&room, &bob).await.ok();
            let told = bob.sync(None).await;
            assert!(told["rooms"]["invite"].get(&room).is_some(), "{told}");
            let path = format!("/rooms/{}/{act}", encode(&room));
            alice.post(&path, json!({"user_id": bob.id})).await.ok();
            wait_until_out(&bob, &room).await;
        }
    }
}

async fn knocks_are_turned_down(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let rules =
        json!({"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}});
    let body = json!({"initial_state": [rules]});
    let room = alice.create_room_with(body).await;
    let knock = format!("/knock/{}?via=there.example", encode(&room));
    bob.post(&knock, json!({})).await.ok();
    let path = format!("/rooms/{}/kick", encode(&room));
    alice.post(&path, json!({"user_id": bob.id})).await.ok();
    wait_until_out(&bob, &room).await;
    bob.post(&knock, json!({})).await.ok();
    let member = alice.state(&room, "m.room.member", &bob.id).await.ok();
    assert_eq!(member["membership"], "knock");
}

async fn knocks_and_is_let_in(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let rules =
        json!({"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}});
    let room = alice
        .create_room_with(json!({"name": "Door", "initial_state": [rules]}))
        .await;
    let path = format!("/knock/{}?via=there.example", encode(&room));
    bob.post(&path, json!({"reason": "please"})).await.ok();
    let told = bob.sync(None).await["rooms"]["knock"][&room].clone();
    let state = told["knock_state"]["events"].as_array().unwrap();
    let is_name = |event: &&Value| event["type"] == "m.room.name";
    assert!(state.iter().any(|event| is_name(&event)), "{told}");
    let member = alice.state(&room, "m.room.member", &bob.id).await.ok();
    assert_eq!(member["membership"], "knock");
    assert_eq!(member["reason"], "please");

    alice.invite(&room, &bob).await.ok();
    let all = bob.sync(None).await;
    assert!(all["rooms"]["knock"].get(&room).is_none(), "{all}");
    assert!(all["rooms"]["invite"].get(&room).is_some(), "{all}");
    bob.join(&room).await.ok();
    let expected = ["@alice:there.example join", "@bob:localhost join"];
    assert_eq!(members(&alice, &room).await, expected);
}

async fn takes_a_knock_back(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let rules =
        json!({"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}});
    // The ids of the newer ones name no server.
    for version in ["7", "11", "12"] {
        let body = json!({"room_version": version, "initial_state": [rules]});
        let room = alice.create_room_with(body).await;
        let path = format!("/knock/{}?via=there.example", encode(&room));
        bob.post(&path, json!({})).await.ok();
        bob.leave(&room).await.ok();
        let member = alice.state(&room, "m.room.member", &bob.id).await.ok();
        assert_eq!(member["membership"], "leave", "version {version}");
        let told = &bob.sync(None).await["rooms"];
        assert!(told["knock"].get(&room).is_none(), "{told}");
    }
}

async fn the_banned_stay_outside(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let room = alice.create_public_room().await;
    let ban = format!("/rooms/{}/ban", encode(&room));
    alice.post(&ban, json!({"user_id": bob.id})).await.ok();
    join_via(&bob, &room, "there.example")
        .await
        .refused(403, "M_FORBIDDEN");
    assert!(bob.sync(None).await["rooms"]["join"].get(&room).is_none());
    let unban = format!("/rooms/{}/unban", encode(&room));
    alice.post(&unban, json!({"user_id": bob.id})).await.ok();
    join_via(&bob, &room, "there.example").await.ok();
}

async fn restricted_rooms_let_in_who_is_in_another(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let club = alice.create_public_room().await;
    let allow = json!([{"type": "m.room_membership", "room_id": club}]);
    let rules = json!({"join_rule": "restricted", "allow": allow});
    let rules = json!({"type": "m.room.join_rules", "state_key": "", "content": rules});
    let levels = json!({"invite": 50});
    let body = json!({
        "room_version": "11",
        "initial_state": [rules],
        "power_level_content_override": levels,
    });
    let room = alice.create_room_with(body).await;
    join_via(&bob, &room, "there.example")
        .await
        .refused(403, "M_FORBIDDEN");
    join_via(&bob, &club, "there.example").await.ok();
    join_via(&bob, &room, "there.example").await.ok();
    let expected = ["@alice:there.example join", "@bob:localhost join"];
    assert_eq!(members(&bob, &room).await, expected);
    let member = bob.state(&room, "m.room.member", &bob.id).await.ok();
    assert_eq!(
        member["join_authorised_via_users_server"],
        "@alice:there.example"
    );
}

async fn rooms_of_every_version_are_joined(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    for version in 1..=12 {
        let body = json!({"preset": "public_chat", "room_version": version.to_string()});
        let room = alice.create_room_with(body).await;
        join_via(&bob, &room, "there.example").await.ok();
        let create = bob.state(&room, "m.room.create", "").await.ok();
        assert_eq!(create["room_version"], version.to_string());
        let expected = ["@alice:there.example join", "@bob:localhost join"];
        assert_eq!(members(&bob, &room).await, expected, "{version}");
        assert_eq!(members(&alice, &room).await, expected, "{version}");
        bob.send(&room, "hello").await;
    }
}
