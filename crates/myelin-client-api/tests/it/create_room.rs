//! `POST /_matrix/client/v3/createRoom`

use myelin_testkit::{TestServer, User, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    makes_a_private_room_of_the_default_version,
    presets_decide_who_may_join,
    trusted_invitees_are_as_powerful_as_the_creator,
    names_and_describes_the_room,
    sets_initial_state_and_power_levels,
    gives_the_room_an_alias,
    the_room_calls_itself_by_no_other_alias,
    invites_whom_it_names,
    knows_every_room_version,
    rooms_made_alike_at_one_time_are_two,
    refuses_an_alias_that_is_taken,
    refuses_what_makes_no_room,
    what_is_named_counts_more_than_initial_state,
    settings_that_contradict_the_rules_make_no_room,
    what_the_server_says_of_the_room_stays,
    refuses_invitations_that_it_cannot_send,
    the_first_events_come_in_the_order_of_the_specification,
    a_room_can_be_encrypted_from_the_start,
);

covers! {
    "POST /_matrix/client/v3/createRoom":
        works = makes_a_private_room_of_the_default_version,
        400 = refuses_what_makes_no_room,
        403 = refuses_invitations_that_it_cannot_send;
}

async fn makes_a_private_room_of_the_default_version(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    // From version 12 on, a room's id is the hash of its create event and names no server.
    assert!(room.starts_with('!') && !room.contains(':'), "{room}");
    assert_eq!(
        content(&alice, &room, "m.room.create").await["room_version"],
        "12"
    );
    assert_eq!(
        content(&alice, &room, "m.room.join_rules").await["join_rule"],
        "invite"
    );
    let visibility = content(&alice, &room, "m.room.history_visibility").await;
    assert_eq!(visibility["history_visibility"], "shared");
    let levels = content(&alice, &room, "m.room.power_levels").await;
    assert!(
        levels["users"].get(&alice.id).is_none(),
        "creators are not listed: {levels}"
    );
    let member = alice.state(&room, "m.room.member", &alice.id).await.ok();
    assert_eq!(member["membership"], "join");
    server
        .user("bob")
        .await
        .join(&room)
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn presets_decide_who_may_join(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for (request, rule) in [
        (json!({"preset": "public_chat"}), "public"),
        (json!({"preset": "private_chat"}), "invite"),
        (json!({"preset": "trusted_private_chat"}), "invite"),
        (json!({"visibility": "public"}), "public"),
        (json!({"visibility": "private"}), "invite"),
        (
            json!({"visibility": "public", "preset": "private_chat"}),
            "invite",
        ),
    ] {
        let room = alice.create_room_with(request).await;
        assert_eq!(
            content(&alice, &room, "m.room.join_rules").await["join_rule"],
            rule
        );
        let status = bob.join(&room).await.status;
        assert_eq!(status, if rule == "public" { 200 } else { 403 });
    }
}

async fn trusted_invitees_are_as_powerful_as_the_creator(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let mut request = json!({
        "preset": "trusted_private_chat",
        "invite": [bob.id],
        "room_version": "11",
    });
    let room = alice.create_room_with(request.clone()).await;
    let levels = content(&alice, &room, "m.room.power_levels").await;
    assert_eq!(levels["users"], json!({&alice.id: 100, &bob.id: 100}));
    request["room_version"] = json!("12");
    let room = alice.create_room_with(request).await;
    let create = content(&alice, &room, "m.room.create").await;
    assert_eq!(create["additional_creators"], json!([bob.id]));
}

async fn names_and_describes_the_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({
        "name": "Kitchen",
        "topic": "What is for dinner?",
        "creation_content": {"m.federate": false, "type": "org.example.kind"},
    });
    let room = alice.create_room_with(request).await;
    assert_eq!(
        content(&alice, &room, "m.room.name").await["name"],
        "Kitchen"
    );
    assert_eq!(
        content(&alice, &room, "m.room.topic").await["topic"],
        "What is for dinner?"
    );
    let create = content(&alice, &room, "m.room.create").await;
    assert_eq!(create["m.federate"], false);
    assert_eq!(create["type"], "org.example.kind");
}

async fn sets_initial_state_and_power_levels(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({
        "initial_state": [
            {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}},
            {"type": "org.example.note", "state_key": "x", "content": {"text": "hello"}},
        ],
        "power_level_content_override": {"events_default": 7},
    });
    let room = alice.create_room_with(request).await;
    let visibility = content(&alice, &room, "m.room.history_visibility").await;
    assert_eq!(visibility["history_visibility"], "joined");
    assert_eq!(
        alice.state(&room, "org.example.note", "x").await.ok(),
        json!({"text": "hello"})
    );
    let levels = content(&alice, &room, "m.room.power_levels").await;
    assert_eq!(levels["events_default"], 7);
    assert_eq!(
        levels["ban"], 50,
        "the override replaces only what it names: {levels}"
    );
}

async fn gives_the_room_an_alias(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({"room_alias_name": "tea", "preset": "public_chat"});
    let room = alice.create_room_with(request).await;
    let canonical = content(&alice, &room, "m.room.canonical_alias").await;
    assert_eq!(canonical["alias"], "#tea:localhost");
    let joined = server.user("bob").await.join("#tea:localhost").await.ok();
    assert_eq!(text(&joined, "room_id"), room);
}

async fn the_room_calls_itself_by_no_other_alias(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = |content: Value| {
        let named = json!({"type": "m.room.canonical_alias", "content": content});
        json!({"room_alias_name": "tea", "initial_state": [named]})
    };
    for (content, errcode) in [
        (json!({"alias": "#milk:localhost"}), "M_BAD_ALIAS"),
        (json!({"alias": "#tea:elsewhere.example"}), "M_BAD_ALIAS"),
        (
            json!({"alias": "#tea:localhost", "alt_aliases": ["#milk:localhost"]}),
            "M_BAD_ALIAS",
        ),
        (json!({"alias": "tea"}), "M_INVALID_PARAM"),
    ] {
        alice
            .post("/createRoom", request(content))
            .await
            .refused(400, errcode);
    }
    let own = json!({"alias": "#tea:localhost", "alt_aliases": ["#tea:localhost"]});
    let room = alice.create_room_with(request(own.clone())).await;
    assert_eq!(content(&alice, &room, "m.room.canonical_alias").await, own);
}

async fn invites_whom_it_names(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let request = json!({"invite": [bob.id], "is_direct": true});
    let room = alice.create_room_with(request).await;
    let member = alice.state(&room, "m.room.member", &bob.id).await.ok();
    assert_eq!(member["membership"], "invite");
    assert_eq!(member["is_direct"], true);
    bob.join(&room).await.ok();
}

async fn knows_every_room_version(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for version in 1..=12 {
        let request = json!({"room_version": version.to_string(), "preset": "public_chat"});
        let room = alice.create_room_with(request).await;
        assert_eq!(
            room.ends_with(":localhost"),
            version < 12,
            "{room} of version {version}"
        );
        bob.join(&room).await.ok();
        let event = bob.send(&room, "hello").await;
        let page = alice.messages(&room, "dir=b&limit=1").await.ok();
        assert_eq!(
            page["chunk"][0]["event_id"], event,
            "version {version}: {page}"
        );
    }
}

async fn rooms_made_alike_at_one_time_are_two(server: &TestServer) {
    // The clock of the tests stands still.
    let alice = server.user("alice").await;
    let mut rooms = Vec::new();
    for _ in 0..12 {
        rooms.push(alice.create_room().await);
    }
    let (one, other) = tokio::join!(alice.create_room(), alice.create_room());
    rooms.extend([one, other]);
    let made = rooms.len();
    rooms.sort();
    rooms.dedup();
    assert_eq!(rooms.len(), made);
}

async fn refuses_an_alias_that_is_taken(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({"room_alias_name": "tea"});
    alice.create_room_with(request.clone()).await;
    let bob = server.user("bob").await;
    for _ in 0..2 {
        bob.post("/createRoom", request.clone())
            .await
            .refused(400, "M_ROOM_IN_USE");
    }
    let rooms = bob.sync(None).await["rooms"].clone();
    assert!(
        rooms.get("join").is_none_or(|joined| joined == &json!({})),
        "a room is left: {rooms}"
    );
}

async fn refuses_what_makes_no_room(server: &TestServer) {
    let alice = server.user("alice").await;
    alice
        .request(http::Method::POST, "/createRoom", "{".to_owned())
        .await
        .refused(400, "M_NOT_JSON");
    for body in [
        json!([]),
        json!({"name": 5}),
        json!({"invite": "bob"}),
        json!({"preset": {}}),
        json!({"initial_state": [{"type": 5, "content": {}}]}),
        json!({"initial_state": [{"type": "org.example.x", "content": 5}]}),
        json!({"power_level_content_override": []}),
        json!({"creation_content": "m.space"}),
    ] {
        alice
            .post("/createRoom", body)
            .await
            .refused(400, "M_BAD_JSON");
    }
    let unknown = json!({"room_version": "99"});
    alice
        .post("/createRoom", unknown)
        .await
        .refused(400, "M_UNSUPPORTED_ROOM_VERSION");
    for body in [
        json!({"preset": "secret_chat"}),
        json!({"visibility": "friends"}),
        json!({"room_alias_name": ""}),
        json!({"room_alias_name": "with space"}),
    ] {
        alice
            .post("/createRoom", body)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    for body in [
        json!({"room_alias_name": "a:b"}),
        json!({"room_alias_name": "a".repeat(300)}),
        json!({"invite": ["no user id"]}),
        json!({"name": "a".repeat(70_000)}),
    ] {
        let answer = alice.post("/createRoom", body).await;
        assert!([400, 413].contains(&answer.status), "{}", answer.text);
        assert!(answer.body["errcode"].is_string(), "{}", answer.text);
    }
}

async fn what_is_named_counts_more_than_initial_state(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({
        "name": "Kitchen",
        "topic": "Dinner",
        "initial_state": [
            {"type": "m.room.name", "content": {"name": "Cellar"}},
            {"type": "m.room.topic", "content": {"topic": "Wine"}},
        ],
    });
    let room = alice.create_room_with(request).await;
    assert_eq!(
        content(&alice, &room, "m.room.name").await,
        json!({"name": "Kitchen"})
    );
    let text = json!([{"body": "Dinner", "mimetype": "text/plain"}]);
    assert_eq!(
        content(&alice, &room, "m.room.topic").await,
        json!({"topic": "Dinner", "m.topic": {"m.text": text}})
    );
    let page = alice.messages(&room, "dir=b&limit=50").await.ok();
    assert!(!page.to_string().contains("Cellar"), "{page}");
}

async fn settings_that_contradict_the_rules_make_no_room(server: &TestServer) {
    let alice = server.user("alice").await;
    for request in [
        // Creators stand above all levels.
        json!({"power_level_content_override": {"users": {&alice.id: 100}}}),
        // The creator could not set the name.
        json!({
            "room_version": "11",
            "name": "Kitchen",
            "power_level_content_override": {"users": {&alice.id: 0}},
        }),
        json!({"power_level_content_override": {"ban": "high"}}),
        json!({"power_level_content_override": {"users": {"nobody": 1}}}),
        json!({"initial_state": [{"type": "m.room.create", "content": {}}]}),
        json!({"creation_content": {"additional_creators": "bob"}}),
        json!({
            "preset": "trusted_private_chat",
            "invite": ["@bob:localhost"],
            "creation_content": {"additional_creators": "bob"},
        }),
        json!({"creation_content": {"additional_creators": ["bob"]}}),
        json!({"invite": [alice.id]}),
    ] {
        alice
            .post("/createRoom", request.clone())
            .await
            .refused(400, "M_INVALID_ROOM_STATE");
    }
    let rooms = alice.sync(None).await["rooms"].clone();
    assert!(
        rooms.get("join").is_none_or(|joined| joined == &json!({})),
        "a room is left: {rooms}"
    );
}

async fn what_the_server_says_of_the_room_stays(server: &TestServer) {
    let alice = server.user("alice").await;
    let forged = json!({
        "creator": "@mallory:localhost",
        "room_version": "1",
        "m.federate": false,
        "predecessor": {"room_id": "!old:localhost"},
    });
    for version in ["10", "11", "12"] {
        let request = json!({"room_version": version, "creation_content": forged});
        let room = alice.create_room_with(request).await;
        let create = content(&alice, &room, "m.room.create").await;
        assert_eq!(create["room_version"], version);
        assert_eq!(create["m.federate"], false);
        assert_eq!(create["predecessor"]["room_id"], "!old:localhost");
        if version == "10" {
            assert_eq!(create["creator"], alice.id);
        } else {
            assert!(create.get("creator").is_none(), "{create}");
        }
    }
}

async fn refuses_invitations_that_it_cannot_send(server: &TestServer) {
    let alice = server.user("alice").await;
    let by_address = json!([{
        "id_server": "identity.example",
        "id_access_token": "abc",
        "medium": "email",
        "address": "bob@example.org",
    }]);
    alice
        .post("/createRoom", json!({"invite_3pid": by_address}))
        .await
        .refused(403, "M_FORBIDDEN");
    // Whose server does not answer is left out.
    let room = alice
        .create_room_with(json!({"invite": ["@bob:elsewhere.example"]}))
        .await;
    let absent = alice.state(&room, "m.room.member", "@bob:elsewhere.example");
    absent.await.refused(404, "M_NOT_FOUND");
    // A name that is given twice is one invitation.
    let bob = server.user("bob").await;
    let room = alice
        .create_room_with(json!({"invite": [bob.id, bob.id]}))
        .await;
    bob.join(&room).await.ok();
}

async fn the_first_events_come_in_the_order_of_the_specification(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({
        "room_alias_name": "tea",
        "name": "Tea",
        "topic": "Drinks",
        "invite": ["@bob:localhost"],
        "initial_state": [
            {"type": "org.example.b", "content": {}},
            {"type": "org.example.a", "content": {}},
        ],
    });
    let room = alice.create_room_with(request).await;
    let page = alice.messages(&room, "dir=f&limit=50").await.ok();
    let events = page["chunk"].as_array().unwrap().iter();
    let kinds: Vec<_> = events.map(|event| text(event, "type")).collect();
    assert_eq!(
        kinds,
        [
            "m.room.create",
            "m.room.member",
            "m.room.power_levels",
            "m.room.canonical_alias",
            "m.room.join_rules",
            "m.room.history_visibility",
            "m.room.guest_access",
            "org.example.b",
            "org.example.a",
            "m.room.name",
            "m.room.topic",
            "m.room.member",
        ]
    );
}

async fn a_room_can_be_encrypted_from_the_start(server: &TestServer) {
    let alice = server.user("alice").await;
    let encryption = json!({"algorithm": "m.megolm.v1.aes-sha2"});
    let state = json!({"type": "m.room.encryption", "content": encryption});
    let room = alice
        .create_room_with(
            json!({"initial_state": [state], "creation_content": {"type": "m.space"}}),
        )
        .await;
    assert_eq!(
        content(&alice, &room, "m.room.encryption").await,
        encryption
    );
    let create = content(&alice, &room, "m.room.create").await;
    assert_eq!(create["type"], "m.space");
}

/// The content of a state event with an empty key.
async fn content(user: &User, room: &str, kind: &str) -> Value {
    user.state(room, kind, "").await.ok()
}
