//! `/_matrix/client/v3/directory/room/{roomAlias}`, `/_matrix/client/v3/rooms/{roomId}/aliases`,
//! and what `m.room.canonical_alias` may name

use http::Method;
use myelin_testkit::{Answer, TestServer, User, encode, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    a_room_gets_another_name,
    a_name_is_given_once,
    two_rooms_race_for_a_name,
    only_members_name_a_room,
    refuses_what_is_no_alias_of_ours,
    unknown_aliases_are_not_found,
    who_gave_the_name_takes_it,
    a_room_stops_calling_itself_so,
    the_name_goes_though_the_room_keeps_calling_itself_so,
    members_list_the_names,
    strangers_list_names_of_rooms_that_all_may_read,
    a_room_calls_itself_only_what_leads_to_it,
    refuses_what_is_no_canonical_alias,
);

covers! {
    "PUT /_matrix/client/v3/directory/room/{roomAlias}":
        works = a_room_gets_another_name,
        400 = refuses_what_is_no_alias_of_ours,
        403 = only_members_name_a_room,
        409 = a_name_is_given_once;
    "GET /_matrix/client/v3/directory/room/{roomAlias}":
        works = a_room_gets_another_name,
        400 = refuses_what_is_no_alias_of_ours,
        404 = unknown_aliases_are_not_found;
    "DELETE /_matrix/client/v3/directory/room/{roomAlias}":
        works = who_gave_the_name_takes_it,
        403 = who_gave_the_name_takes_it,
        404 = unknown_aliases_are_not_found;
    "GET /_matrix/client/v3/rooms/{roomId}/aliases":
        works = members_list_the_names,
        400 = refuses_what_is_no_alias_of_ours,
        403 = strangers_list_names_of_rooms_that_all_may_read,
        outsider = strangers_list_names_of_rooms_that_all_may_read;
}

async fn a_room_gets_another_name(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    for (user, alias) in [
        (&alice, "#tea:localhost"),
        (&bob, "#T\u{e4}\u{1f375}-/%?:localhost"),
    ] {
        assert_eq!(put(user, alias, &room).await.ok(), json!({}));
        let path = format!("/_matrix/client/v3{}", path(alias));
        let found = server.get(&path).await.ok();
        assert_eq!(found, json!({"room_id": room, "servers": ["localhost"]}));
        let carol = server.user(&format!("carol{}", alias.len())).await;
        carol.join(alias).await.ok();
    }
}

async fn a_name_is_given_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let other = alice.create_room().await;
    put(&alice, "#tea:localhost", &room).await.ok();
    for room in [&room, &other] {
        put(&alice, "#tea:localhost", room)
            .await
            .refused(409, "M_UNKNOWN");
    }
    let request = json!({"room_alias_name": "tea"});
    alice
        .post("/createRoom", request)
        .await
        .refused(400, "M_ROOM_IN_USE");
    // Another case is another name.
    put(&alice, "#Tea:localhost", &other).await.ok();
}

async fn two_rooms_race_for_a_name(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let other = alice.create_room().await;
    let (one, another) = tokio::join!(
        put(&alice, "#tea:localhost", &room),
        put(&alice, "#tea:localhost", &other),
    );
    let mut statuses = [one.status, another.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

async fn only_members_name_a_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for room in [&*room, "!nowhere:localhost"] {
        put(&bob, "#tea:localhost", room)
            .await
            .refused(403, "M_FORBIDDEN");
    }
}

async fn refuses_what_is_no_alias_of_ours(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let long = format!("#{}:localhost", "a".repeat(255));
    for alias in [
        "tea",
        "#tea",
        "!tea:localhost",
        "#tea:elsewhere.example",
        "#with space:localhost",
        "#nul\0:localhost",
        "#:localhost",
        &long,
    ] {
        put(&alice, alias, &room)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    let message = alice
        .get(&path("tea"))
        .await
        .refused(400, "M_INVALID_PARAM");
    assert!(message.starts_with("In the path:"), "{message}");
    alice
        .get("/rooms/nonsense/aliases")
        .await
        .refused(400, "M_INVALID_PARAM");
    let path = path("#tea:localhost");
    for (body, errcode) in [
        (json!({}), "M_MISSING_PARAM"),
        (json!([]), "M_BAD_JSON"),
        (json!({"room_id": 5}), "M_BAD_JSON"),
    ] {
        alice.put(&path, body).await.refused(400, errcode);
    }
}

async fn unknown_aliases_are_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    for alias in ["#nowhere:localhost", "#tea:elsewhere.example"] {
        delete(&alice, alias).await.refused(404, "M_NOT_FOUND");
    }
    let path = path("#nowhere:localhost");
    alice.get(&path).await.refused(404, "M_NOT_FOUND");
}

async fn who_gave_the_name_takes_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let [bob, carol] = [server.user("bob").await, server.user("carol").await];
    let room = alice.create_public_room().await;
    for user in [&bob, &carol] {
        user.join(&room).await.ok();
    }
    put(&bob, "#tea:localhost", &room).await.ok();
    for user in [&carol, &server.user("dave").await] {
        delete(user, "#tea:localhost")
            .await
            .refused(403, "M_FORBIDDEN");
    }
    assert_eq!(delete(&bob, "#tea:localhost").await.ok(), json!({}));
    delete(&bob, "#tea:localhost")
        .await
        .refused(404, "M_NOT_FOUND");
    // So may who decides what the room is called.
    put(&bob, "#tea:localhost", &room).await.ok();
    delete(&alice, "#tea:localhost").await.ok();
    // Who gave it and has left may, too.
    put(&bob, "#tea:localhost", &room).await.ok();
    bob.leave(&room).await.ok();
    delete(&bob, "#tea:localhost").await.ok();
}

async fn a_room_stops_calling_itself_so(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice
        .create_room_with(json!({"room_alias_name": "tea"}))
        .await;
    for alias in ["#chai:localhost", "#mate:localhost"] {
        put(&alice, alias, &room).await.ok();
    }
    let content = json!({
        "alias": "#tea:localhost",
        "alt_aliases": ["#chai:localhost", "#mate:localhost"],
    });
    set_canonical(&alice, &room, content).await.ok();
    delete(&alice, "#chai:localhost").await.ok();
    assert_eq!(
        canonical(&alice, &room).await,
        json!({"alias": "#tea:localhost", "alt_aliases": ["#mate:localhost"]})
    );
    delete(&alice, "#tea:localhost").await.ok();
    assert_eq!(
        canonical(&alice, &room).await,
        json!({"alt_aliases": ["#mate:localhost"]})
    );
}

async fn the_name_goes_though_the_room_keeps_calling_itself_so(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    put(&bob, "#tea:localhost", &room).await.ok();
    let content = json!({"alias": "#tea:localhost"});
    set_canonical(&alice, &room, content.clone()).await.ok();
    delete(&bob, "#tea:localhost").await.ok();
    assert_eq!(canonical(&alice, &room).await, content);
    alice
        .get(&path("#tea:localhost"))
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn members_list_the_names(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    assert_eq!(list(&alice, &room).await.ok(), json!({"aliases": []}));
    for alias in ["#b:localhost", "#a:localhost"] {
        put(&alice, alias, &room).await.ok();
    }
    let names = json!({"aliases": ["#a:localhost", "#b:localhost"]});
    assert_eq!(list(&alice, &room).await.ok(), names);
}

async fn strangers_list_names_of_rooms_that_all_may_read(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    put(&alice, "#tea:localhost", &room).await.ok();
    for room in [&*room, "!nowhere:localhost"] {
        list(&bob, room).await.refused(403, "M_FORBIDDEN");
    }
    bob.join(&room).await.ok();
    list(&bob, &room).await.ok();
    bob.leave(&room).await.ok();
    list(&bob, &room).await.refused(403, "M_FORBIDDEN");
    let open = json!({"history_visibility": "world_readable"});
    alice
        .set_state(&room, "m.room.history_visibility", "", open)
        .await
        .ok();
    for user in [&bob, &server.user("carol").await] {
        let names = json!({"aliases": ["#tea:localhost"]});
        assert_eq!(list(user, &room).await.ok(), names);
    }
}

async fn a_room_calls_itself_only_what_leads_to_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let other = alice.create_room().await;
    put(&alice, "#tea:localhost", &room).await.ok();
    put(&alice, "#other:localhost", &other).await.ok();
    for content in [
        json!({"alias": "#nowhere:localhost"}),
        json!({"alias": "#other:localhost"}),
        json!({"alias": "#tea:elsewhere.example"}),
        json!({"alias": "#tea:localhost", "alt_aliases": ["#other:localhost"]}),
    ] {
        set_canonical(&alice, &room, content)
            .await
            .refused(400, "M_BAD_ALIAS");
    }
    let content = json!({"alias": "#tea:localhost", "alt_aliases": ["#tea:localhost"]});
    set_canonical(&alice, &room, content).await.ok();
    // What stands there may stay, though it leads nowhere by now.
    let bob = server.user("bob").await;
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await.ok();
    put(&bob, "#mate:localhost", &room).await.ok();
    let content = json!({"alias": "#mate:localhost"});
    set_canonical(&alice, &room, content).await.ok();
    delete(&bob, "#mate:localhost").await.ok();
    let content = json!({"alias": "#mate:localhost", "alt_aliases": ["#tea:localhost"]});
    set_canonical(&alice, &room, content).await.ok();
    // And none is needed at all.
    set_canonical(&alice, &room, json!({})).await.ok();
    set_canonical(&alice, &room, json!({"alias": ""}))
        .await
        .ok();
    // Under another key it is any other state.
    let content = json!({"alias": "#nowhere:localhost"});
    alice
        .set_state(&room, "m.room.canonical_alias", "x", content)
        .await
        .ok();
}

async fn refuses_what_is_no_canonical_alias(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for content in [
        json!({"alias": "tea"}),
        json!({"alias": 5}),
        json!({"alias": "#with space:localhost"}),
        json!({"alt_aliases": "#tea:localhost"}),
        json!({"alt_aliases": null}),
        json!({"alt_aliases": [5]}),
        json!({"alt_aliases": ["tea"]}),
    ] {
        set_canonical(&alice, &room, content)
            .await
            .refused(400, "M_INVALID_PARAM");
    }
}

fn path(alias: &str) -> String {
    format!("/directory/room/{}", encode(alias))
}

async fn put(user: &User, alias: &str, room: &str) -> Answer {
    user.put(&path(alias), json!({"room_id": room})).await
}

async fn delete(user: &User, alias: &str) -> Answer {
    user.request(Method::DELETE, &path(alias), String::new())
        .await
}

async fn list(user: &User, room: &str) -> Answer {
    user.get(&format!("/rooms/{}/aliases", encode(room))).await
}

async fn set_canonical(user: &User, room: &str, content: Value) -> Answer {
    user.set_state(room, "m.room.canonical_alias", "", content)
        .await
}

async fn canonical(user: &User, room: &str) -> Value {
    user.state(room, "m.room.canonical_alias", "").await.ok()
}
