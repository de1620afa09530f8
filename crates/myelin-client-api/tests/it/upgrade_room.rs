//! `POST /_matrix/client/v3/rooms/{roomId}/upgrade`

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::{covers, membership::act};

three_modes!(
    another_room_takes_the_place,
    carries_what_the_room_is,
    the_old_room_falls_silent,
    names_and_listing_move,
    upgrades_between_all_kinds_of_versions,
    creators_are_named_anew,
    levels_are_said_as_the_new_version_says_them,
    bans_stay_though_there_are_many,
    a_space_keeps_its_children,
    a_repeated_request_gets_the_same_room,
    power_decides_who_upgrades,
    strangers_upgrade_nothing,
    who_has_little_power_upgrades_as_far_as_it_goes,
    settings_follow_their_users,
    refuses_versions_unheard_of,
);

covers! {
    "POST /_matrix/client/v3/rooms/{roomId}/upgrade":
        works = another_room_takes_the_place,
        400 = refuses_versions_unheard_of,
        403 = power_decides_who_upgrades,
        outsider = strangers_upgrade_nothing;
}

async fn another_room_takes_the_place(server: &TestServer) {
    let alice = server.user("alice").await;
    for version in ["10", "12"] {
        let old = alice.create_room().await;
        let new = upgraded(&alice, &old, version).await;
        assert_ne!(new, old);
        let create = content(&alice, &new, "m.room.create").await;
        assert_eq!(create["room_version"], version);
        assert_eq!(create["predecessor"]["room_id"], old);
        let tombstone = content(&alice, &old, "m.room.tombstone").await;
        assert_eq!(tombstone["replacement_room"], new);
        assert!(tombstone["body"].is_string());
        let page = alice.messages(&old, "dir=b&limit=20").await.ok();
        let events = page["chunk"].as_array().unwrap();
        let mut tombstones = events
            .iter()
            .filter(|event| event["type"] == "m.room.tombstone");
        let tombstone = tombstones.next().unwrap();
        if version == "10" {
            assert_eq!(create["predecessor"]["event_id"], tombstone["event_id"]);
            assert_eq!(create["creator"], alice.id);
        } else {
            assert!(create["predecessor"].get("event_id").is_none(), "{create}");
        }
        alice.send(&new, "here we are").await;
    }
}

async fn carries_what_the_room_is(server: &TestServer) {
    let alice = server.user("alice").await;
    let carried = [
        (
            "m.room.join_rules",
            json!({"join_rule": "restricted", "allow": [
                {"type": "m.room_membership", "room_id": "!space:localhost"},
            ]}),
        ),
        (
            "m.room.history_visibility",
            json!({"history_visibility": "joined"}),
        ),
        ("m.room.guest_access", json!({"guest_access": "forbidden"})),
        ("m.room.name", json!({"name": "Kitchen"})),
        ("m.room.topic", json!({"topic": "Dinner"})),
        ("m.room.avatar", json!({"url": "mxc://localhost/abc"})),
        (
            "m.room.encryption",
            json!({"algorithm": "m.megolm.v1.aes-sha2"}),
        ),
        (
            "m.room.server_acl",
            json!({"allow": ["*"], "deny": ["evil.example"]}),
        ),
    ];
    let left = [
        ("org.example.x", json!({"a": 1})),
        ("m.room.pinned_events", json!({"pinned": []})),
    ];
    let state: Vec<_> = carried
        .iter()
        .chain(&left)
        .map(|(kind, content)| json!({"type": kind, "content": content}))
        .collect();
    let request = json!({
        "room_version": "11",
        "initial_state": state,
        "creation_content": {"type": "org.example.kind", "m.federate": false},
    });
    let old = alice.create_room_with(request).await;
    let new = upgraded(&alice, &old, "12").await;
    for (kind, content) in &carried {
        assert_eq!(self::content(&alice, &new, kind).await, *content, "{kind}");
    }
    for (kind, _) in &left {
        alice
            .state(&new, kind, "")
            .await
            .refused(404, "M_NOT_FOUND");
    }
    let create = content(&alice, &new, "m.room.create").await;
    assert_eq!(create["type"], "org.example.kind");
    assert_eq!(create["m.federate"], false);
}

async fn the_old_room_falls_silent(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let old = alice.create_public_room().await;
    bob.join(&old).await.ok();
    upgraded(&alice, &old, "12").await;
    bob.send_event(&old, "m.room.message", "1", json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    let levels = content(&alice, &old, "m.room.power_levels").await;
    assert_eq!(levels["events_default"], 50);
    assert_eq!(levels["invite"], 50);
    alice.send(&old, "the last word").await;
}

async fn names_and_listing_move(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({"room_alias_name": "tea", "visibility": "public"});
    let old = alice.create_room_with(request).await;
    let chai = format!("/directory/room/{}", encode("#chai:localhost"));
    alice.put(&chai, json!({"room_id": old})).await.ok();
    let new = upgraded(&alice, &old, "12").await;
    for alias in ["#tea:localhost", "#chai:localhost"] {
        let found = alice
            .get(&format!("/directory/room/{}", encode(alias)))
            .await;
        assert_eq!(text(&found.ok(), "room_id"), new);
    }
    let canonical = content(&alice, &new, "m.room.canonical_alias").await;
    assert_eq!(canonical, json!({"alias": "#tea:localhost"}));
    assert_eq!(
        content(&alice, &old, "m.room.canonical_alias").await,
        json!({})
    );
    let listed = alice.get("/publicRooms").await.ok();
    let rooms = listed["chunk"].as_array().unwrap();
    assert_eq!(rooms.len(), 1, "{listed}");
    assert_eq!(rooms[0]["room_id"], new);
    assert_eq!(rooms[0]["canonical_alias"], "#tea:localhost");
}

async fn upgrades_between_all_kinds_of_versions(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for (from, to) in [
        ("1", "12"),
        ("1", "2"),
        ("12", "12"),
        ("12", "11"),
        ("6", "7"),
    ] {
        let request = json!({"room_version": from, "preset": "public_chat"});
        let old = alice.create_room_with(request).await;
        bob.join(&old).await.ok();
        let new = upgraded(&alice, &old, to).await;
        bob.join(&new).await.ok();
        bob.send(&new, "hello").await;
        let name = json!({"name": format!("{from} to {to}")});
        alice.set_state(&new, "m.room.name", "", name).await.ok();
        let levels = content(&alice, &new, "m.room.power_levels").await;
        let users = levels["users"].as_object().unwrap();
        assert_eq!(users.contains_key(&alice.id), to != "12", "{levels}");
    }
}

async fn creators_are_named_anew(server: &TestServer) {
    let alice = server.user("alice").await;
    let [bob, carol] = [server.user("bob").await, server.user("carol").await];
    let request = json!({
        "room_version": "12",
        "preset": "public_chat",
        "creation_content": {"additional_creators": [bob.id]},
    });
    let old = alice.create_room_with(request).await;
    // Creators of the old room are none of the new one unless they are named.
    let body = json!({"new_version": "12", "additional_creators": [carol.id]});
    let new = text(
        &act(&alice, &old, "upgrade", body).await.ok(),
        "replacement_room",
    );
    let create = content(&alice, &new, "m.room.create").await;
    assert_eq!(create["additional_creators"], json!([carol.id]));
    carol.join(&new).await.ok();
    let name = json!({"name": "ours"});
    carol
        .set_state(&new, "m.room.name", "", name.clone())
        .await
        .ok();
    bob.join(&new).await.ok();
    bob.set_state(&new, "m.room.name", "", name)
        .await
        .refused(403, "M_FORBIDDEN");
    // Where creators do not stand above all, they get a level that reaches everything.
    let body = json!({"new_version": "11", "additional_creators": [bob.id]});
    let older = text(
        &act(&alice, &old, "upgrade", body).await.ok(),
        "replacement_room",
    );
    let create = content(&alice, &older, "m.room.create").await;
    assert!(create.get("additional_creators").is_none(), "{create}");
    let levels = content(&alice, &older, "m.room.power_levels").await;
    assert_eq!(levels["users"], json!({&alice.id: 150, &bob.id: 150}));
}

async fn levels_are_said_as_the_new_version_says_them(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let levels = json!({
        "users": {&alice.id: "100", &bob.id: " 50 "},
        "events": {"m.room.name": "60"},
        "ban": "70",
        "notifications": {"room": "20"},
    });
    let request = json!({"room_version": "9", "power_level_content_override": levels});
    let old = alice.create_room_with(request).await;
    let new = upgraded(&alice, &old, "12").await;
    let levels = content(&alice, &new, "m.room.power_levels").await;
    assert_eq!(levels["users"], json!({&bob.id: 50}));
    assert_eq!(
        levels["events"],
        json!({"m.room.name": 60, "m.room.tombstone": 150})
    );
    assert_eq!(levels["ban"], 70);
    assert_eq!(levels["notifications"]["room"], 20);
}

async fn bans_stay_though_there_are_many(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let old = alice.create_public_room().await;
    let ban = async |user: &str| {
        let body = json!({"user_id": user, "reason": "spam"});
        act(&alice, &old, "ban", body).await.ok();
    };
    ban(&bob.id).await;
    for number in 0..130 {
        ban(&format!("@spammer{number}:elsewhere.example")).await;
    }
    act(
        &alice,
        &old,
        "unban",
        json!({"user_id": "@spammer0:elsewhere.example"}),
    )
    .await
    .ok();
    let new = upgraded(&alice, &old, "12").await;
    bob.join(&new).await.refused(403, "M_FORBIDDEN");
    let state = alice
        .get(&format!("/rooms/{}/state", encode(&new)))
        .await
        .ok();
    let members = state.as_array().unwrap().iter();
    let banned = members.filter(|event| event["content"]["membership"] == "ban");
    assert_eq!(banned.count(), 130);
    let member = alice.state(&new, "m.room.member", &bob.id).await.ok();
    assert_eq!(member["reason"], "spam");
}

async fn a_space_keeps_its_children(server: &TestServer) {
    let alice = server.user("alice").await;
    for (kind, keeps) in [("m.space", true), ("org.example.kind", false)] {
        let request = json!({"creation_content": {"type": kind}});
        let old = alice.create_room_with(request).await;
        for (child, content) in [
            ("!a:localhost", json!({"via": ["localhost"], "order": "b"})),
            ("!gone:localhost", json!({})),
        ] {
            alice
                .set_state(&old, "m.space.child", child, content)
                .await
                .ok();
        }
        let new = upgraded(&alice, &old, "12").await;
        let child = alice.state(&new, "m.space.child", "!a:localhost").await;
        if keeps {
            assert_eq!(child.ok(), json!({"via": ["localhost"], "order": "b"}));
        } else {
            child.refused(404, "M_NOT_FOUND");
        }
        alice
            .state(&new, "m.space.child", "!gone:localhost")
            .await
            .refused(404, "M_NOT_FOUND");
    }
}

async fn a_repeated_request_gets_the_same_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let old = alice.create_room().await;
    let (one, other) = tokio::join!(upgrade(&alice, &old, "12"), upgrade(&alice, &old, "12"));
    let new = text(&one.ok(), "replacement_room");
    assert_eq!(text(&other.ok(), "replacement_room"), new);
    assert_eq!(upgraded(&alice, &old, "12").await, new);
    let page = alice.messages(&old, "dir=b&limit=50").await.ok();
    let events = page["chunk"].as_array().unwrap().iter();
    let tombstones = events.filter(|event| event["type"] == "m.room.tombstone");
    assert_eq!(tombstones.count(), 1, "{page}");
    assert_ne!(upgraded(&alice, &old, "11").await, new);
}

async fn power_decides_who_upgrades(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let old = alice
        .create_room_with(json!({"preset": "public_chat", "room_version": "11"}))
        .await;
    bob.join(&old).await.ok();
    upgrade(&bob, &old, "12").await.refused(403, "M_FORBIDDEN");
    alice
        .state(&old, "m.room.tombstone", "")
        .await
        .refused(404, "M_NOT_FOUND");
    let rooms = bob.sync(None).await["rooms"]["join"].clone();
    assert_eq!(
        rooms.as_object().unwrap().len(),
        1,
        "no room is left: {rooms}"
    );
}

async fn strangers_upgrade_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let old = alice.create_public_room().await;
    for room in [&*old, "!nowhere:localhost"] {
        upgrade(&bob, room, "12").await.refused(403, "M_FORBIDDEN");
    }
}

async fn who_has_little_power_upgrades_as_far_as_it_goes(server: &TestServer) {
    let alice = server.user("alice").await;
    let [bob, carol] = [server.user("bob").await, server.user("carol").await];
    let request = json!({"preset": "public_chat", "room_version": "11", "room_alias_name": "tea"});
    let old = alice.create_room_with(request).await;
    for user in [&bob, &carol] {
        user.join(&old).await.ok();
    }
    act(&alice, &old, "ban", json!({"user_id": "@eve:localhost"}))
        .await
        .ok();
    let mut levels = content(&alice, &old, "m.room.power_levels").await;
    levels["users"][&bob.id] = json!(10);
    levels["events"]["m.room.tombstone"] = json!(10);
    alice
        .set_state(&old, "m.room.power_levels", "", levels.clone())
        .await
        .ok();
    let new = upgraded(&bob, &old, "11").await;
    // What bob may not do in the old room is left undone.
    assert_eq!(content(&bob, &old, "m.room.power_levels").await, levels);
    carol.send(&old, "still here").await;
    // The new room is as the old one was, though bob could not have made it so there.
    assert_eq!(content(&bob, &new, "m.room.power_levels").await, levels);
    let banned = bob
        .state(&new, "m.room.member", "@eve:localhost")
        .await
        .ok();
    assert_eq!(banned["membership"], "ban");
    alice.join("#tea:localhost").await.ok();
    alice.send(&new, "hello").await;
}

async fn settings_follow_their_users(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let old = alice.create_public_room().await;
    bob.join(&old).await.ok();
    for user in [&alice, &bob] {
        let path = format!(
            "/user/{}/rooms/{}/tags/m.favourite",
            encode(&user.id),
            encode(&old)
        );
        user.put(&path, json!({"order": 0.5})).await.ok();
        let path = format!("/user/{}/account_data/m.direct", encode(&user.id));
        let direct = json!({"@carol:localhost": ["!other:localhost", old]});
        user.put(&path, direct).await.ok();
        let path = format!("/pushrules/global/room/{}", encode(&old));
        user.put(&path, json!({"actions": []})).await.ok();
    }
    let new = upgraded(&alice, &old, "12").await;
    let push_rule = async |user: &User, room: &str| {
        let path = format!("/pushrules/global/room/{}", encode(room));
        user.get(&path).await.status
    };
    assert_eq!(push_rule(&alice, &new).await, 200);
    assert_eq!(push_rule(&bob, &new).await, 404);
    let tags = async |user: &User, room: &str| {
        let path = format!("/user/{}/rooms/{}/tags", encode(&user.id), encode(room));
        user.get(&path).await.ok()["tags"].clone()
    };
    let direct = async |user: &User| {
        let path = format!("/user/{}/account_data/m.direct", encode(&user.id));
        user.get(&path).await.ok()["@carol:localhost"].clone()
    };
    let favourite = json!({"m.favourite": {"order": 0.5}});
    assert_eq!(tags(&alice, &new).await, favourite);
    assert_eq!(tags(&bob, &new).await, json!({}));
    bob.join(&new).await.ok();
    assert_eq!(tags(&bob, &new).await, favourite);
    for user in [&alice, &bob] {
        assert_eq!(direct(user).await, json!(["!other:localhost", old, new]));
        assert_eq!(push_rule(user, &new).await, 200);
    }
    // A room that only claims to have replaced another gets nothing.
    let claim = json!({
        "preset": "public_chat",
        "creation_content": {"predecessor": {"room_id": old}},
    });
    let claimed = alice.create_room_with(claim).await;
    bob.join(&claimed).await.ok();
    assert_eq!(tags(&bob, &claimed).await, json!({}));
    assert_eq!(push_rule(&bob, &claimed).await, 404);
}

async fn refuses_versions_unheard_of(server: &TestServer) {
    let alice = server.user("alice").await;
    let old = alice.create_room().await;
    upgrade(&alice, &old, "99")
        .await
        .refused(400, "M_UNSUPPORTED_ROOM_VERSION");
    for (body, errcode) in [
        (json!({}), "M_MISSING_PARAM"),
        (json!([]), "M_BAD_JSON"),
        (json!({"new_version": 12}), "M_BAD_JSON"),
        (
            json!({"new_version": "12", "additional_creators": ["bob"]}),
            "M_INVALID_PARAM",
        ),
    ] {
        act(&alice, &old, "upgrade", body)
            .await
            .refused(400, errcode);
    }
}

async fn upgrade(user: &User, room: &str, version: &str) -> Answer {
    act(user, room, "upgrade", json!({"new_version": version})).await
}

/// The id of the new room.
async fn upgraded(user: &User, room: &str, version: &str) -> String {
    text(&upgrade(user, room, version).await.ok(), "replacement_room")
}

/// The content of a state event with an empty key.
async fn content(user: &User, room: &str, kind: &str) -> Value {
    user.state(room, kind, "").await.ok()
}
