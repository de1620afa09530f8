//! `/_matrix/client/v3/directory/list/room/{roomId}` and `/_matrix/client/v3/publicRooms`

use myelin_testkit::{Mode, TestServer, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    a_room_is_published_and_hidden_again,
    only_who_names_the_room_publishes_it,
    strangers_publish_nothing,
    unknown_rooms_are_not_found,
    shows_what_a_room_is,
    follows_the_state_of_rooms,
    lists_the_largest_rooms_first_page_by_page,
    finds_rooms_by_words_and_types,
    needs_a_login,
    refuses_bad_requests,
    a_page_costs_a_page,
);

covers! {
    "GET /_matrix/client/v3/directory/list/room/{roomId}":
        works = a_room_is_published_and_hidden_again,
        404 = unknown_rooms_are_not_found;
    "PUT /_matrix/client/v3/directory/list/room/{roomId}":
        works = a_room_is_published_and_hidden_again,
        403 = only_who_names_the_room_publishes_it,
        404 = unknown_rooms_are_not_found,
        outsider = strangers_publish_nothing;
    "GET /_matrix/client/v3/publicRooms":
        works = lists_the_largest_rooms_first_page_by_page,
        401 = needs_a_login;
    "POST /_matrix/client/v3/publicRooms":
        works = finds_rooms_by_words_and_types,
        400 = refuses_bad_requests;
}

async fn a_room_is_published_and_hidden_again(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let visibility = async || {
        let path = format!("/_matrix/client/v3{}", path(&room));
        text(&server.get(&path).await.ok(), "visibility")
    };
    assert_eq!(visibility().await, "private");
    for (body, visible) in [
        (json!({"visibility": "public"}), "public"),
        (json!({"visibility": "public"}), "public"),
        (json!({"visibility": "private"}), "private"),
        (json!({"visibility": "private"}), "private"),
        (json!({}), "public"),
    ] {
        assert_eq!(alice.put(&path(&room), body).await.ok(), json!({}));
        assert_eq!(visibility().await, visible);
        let listed = rooms(&alice.get("/publicRooms").await.ok());
        assert_eq!(listed.contains(&room), visible == "public");
    }
    let published = json!({"visibility": "public"});
    let room = alice.create_room_with(published).await;
    let listed = rooms(&alice.get("/publicRooms").await.ok());
    assert!(listed.contains(&room), "{listed:?}");
}

async fn only_who_names_the_room_publishes_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let body = json!({"visibility": "public"});
    bob.put(&path(&room), body.clone())
        .await
        .refused(403, "M_FORBIDDEN");
    let levels = json!({"users": {&bob.id: 50}});
    alice
        .set_state(&room, "m.room.power_levels", "", levels)
        .await
        .ok();
    bob.put(&path(&room), body).await.ok();
}

async fn strangers_publish_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.put(&path(&room), json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn unknown_rooms_are_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    let path = path("!nowhere:localhost");
    alice
        .put(&path, json!({}))
        .await
        .refused(404, "M_NOT_FOUND");
    alice.get(&path).await.refused(404, "M_NOT_FOUND");
    // A user's id was interned, too, but is no room.
    alice
        .get("/directory/list/room/nonsense")
        .await
        .refused(400, "M_INVALID_PARAM");
}

async fn shows_what_a_room_is(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({
        "visibility": "public",
        "name": "Kitchen",
        "topic": "What is for dinner?",
        "room_alias_name": "kitchen",
        "creation_content": {"type": "m.space"},
        "initial_state": [
            {"type": "m.room.avatar", "content": {"url": "mxc://localhost/abc"}},
            {"type": "m.room.guest_access", "content": {"guest_access": "can_join"}},
            {
                "type": "m.room.history_visibility",
                "content": {"history_visibility": "world_readable"},
            },
        ],
    });
    let room = alice.create_room_with(request).await;
    let bare = alice
        .create_room_with(json!({"visibility": "public"}))
        .await;
    let page = alice.get("/publicRooms").await.ok();
    assert_eq!(
        *find(&page, &room),
        json!({
            "room_id": room,
            "name": "Kitchen",
            "topic": "What is for dinner?",
            "canonical_alias": "#kitchen:localhost",
            "avatar_url": "mxc://localhost/abc",
            "num_joined_members": 1,
            "join_rule": "public",
            "room_type": "m.space",
            "guest_can_join": true,
            "world_readable": true,
        })
    );
    assert_eq!(
        *find(&page, &bare),
        json!({
            "room_id": bare,
            "num_joined_members": 1,
            "join_rule": "public",
            "guest_can_join": false,
            "world_readable": false,
        })
    );
    assert_eq!(page["total_room_count_estimate"], 2);
}

async fn follows_the_state_of_rooms(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let request = json!({"visibility": "public", "name": "Kitchen", "topic": "Tea"});
    let room = alice.create_room_with(request).await;
    let shown = async || find(&alice.get("/publicRooms").await.ok(), &room).clone();
    let name = json!({"name": "Living room"});
    let named = alice.set_state(&room, "m.room.name", "", name).await.ok();
    bob.join(&room).await.ok();
    let now = shown().await;
    assert_eq!(now["name"], "Living room");
    assert_eq!(now["num_joined_members"], 2);
    alice
        .set_state(&room, "m.room.topic", "", json!({}))
        .await
        .ok();
    // State of other keys is no fact about the room.
    let other = json!({"name": "Cellar"});
    alice.set_state(&room, "m.room.name", "x", other).await.ok();
    bob.leave(&room).await.ok();
    let now = shown().await;
    assert_eq!(now["name"], "Living room");
    assert!(now.get("topic").is_none(), "{now}");
    assert_eq!(now["num_joined_members"], 1);

    let redact = format!(
        "/rooms/{}/redact/{}/1",
        encode(&room),
        encode(&text(&named, "event_id"))
    );
    alice.put(&redact, json!({})).await.ok();
    assert!(shown().await.get("name").is_none());
    // The redaction of what is no longer the state changes nothing.
    let name = json!({"name": "Attic"});
    let old = alice.set_state(&room, "m.room.name", "", name).await.ok();
    let name = json!({"name": "Roof"});
    alice.set_state(&room, "m.room.name", "", name).await.ok();
    let redact = format!(
        "/rooms/{}/redact/{}/2",
        encode(&room),
        encode(&text(&old, "event_id"))
    );
    alice.put(&redact, json!({})).await.ok();
    assert_eq!(shown().await["name"], "Roof");
}

async fn lists_the_largest_rooms_first_page_by_page(server: &TestServer) {
    let alice = server.user("alice").await;
    let [bob, carol] = [server.user("bob").await, server.user("carol").await];
    let mut all = Vec::new();
    for size in [1, 2, 3, 1, 2] {
        let room = alice
            .create_room_with(json!({"visibility": "public"}))
            .await;
        for user in [&bob, &carol].into_iter().take(size - 1) {
            user.join(&room).await.ok();
        }
        all.push((size, room));
    }
    alice.create_public_room().await;
    let whole = alice.get("/publicRooms").await.ok();
    let listed = rooms(&whole);
    assert_eq!(listed.len(), all.len(), "{whole}");
    let sizes = whole["chunk"].as_array().unwrap().iter();
    let sizes: Vec<_> = sizes
        .map(|room| room["num_joined_members"].as_i64().unwrap())
        .collect();
    assert_eq!(sizes, [3, 2, 2, 1, 1]);
    assert!(whole.get("next_batch").is_none() && whole.get("prev_batch").is_none());

    let get = async |since: &str| {
        let path = format!("/publicRooms?limit=2{since}");
        alice.get(&path).await.ok()
    };
    let since = |token: &Value| format!("&since={}", token.as_str().unwrap());
    let first = get("").await;
    assert_eq!(rooms(&first), listed[..2]);
    assert!(first.get("prev_batch").is_none(), "{first}");
    let second = get(&since(&first["next_batch"])).await;
    assert_eq!(rooms(&second), listed[2..4]);
    let third = get(&since(&second["next_batch"])).await;
    assert_eq!(rooms(&third), listed[4..]);
    assert!(third.get("next_batch").is_none(), "{third}");
    let back = get(&since(&third["prev_batch"])).await;
    assert_eq!(rooms(&back), listed[2..4]);
    let start = get(&since(&back["prev_batch"])).await;
    assert_eq!(rooms(&start), listed[..2]);
    assert!(start.get("prev_batch").is_none(), "{start}");
    let again = get(&since(&start["next_batch"])).await;
    assert_eq!(rooms(&again), listed[2..4]);
}

async fn finds_rooms_by_words_and_types(server: &TestServer) {
    let alice = server.user("alice").await;
    let create = async |request: Value| {
        let mut request = request;
        request["visibility"] = json!("public");
        alice.create_room_with(request).await
    };
    let kitchen = create(json!({"name": "The \u{c4}rger Kitchen"})).await;
    let garden = create(json!({"topic": "kitchen gardens"})).await;
    let space = create(json!({
        "room_alias_name": "kitchens",
        "creation_content": {"type": "m.space"},
    }))
    .await;
    let other = create(json!({"name": "Cellar"})).await;
    let search = async |body: Value| {
        let mut found = rooms(&alice.post("/publicRooms", body).await.ok());
        found.sort();
        found
    };
    let sorted = |rooms: &[&String]| {
        let mut rooms: Vec<String> = rooms.iter().map(|room| (*room).clone()).collect();
        rooms.sort();
        rooms
    };
    let by = |term: &str| json!({"filter": {"generic_search_term": term}});
    let all = sorted(&[&kitchen, &garden, &space, &other]);
    assert_eq!(search(json!({})).await, all);
    assert_eq!(search(by("")).await, all);
    let kitchens = sorted(&[&kitchen, &garden, &space]);
    assert_eq!(search(by("KITCHEN")).await, kitchens);
    assert_eq!(search(by("\u{e4}rger k")).await, [kitchen.as_str()]);
    assert_eq!(search(by("attic")).await, [""; 0]);
    let types = |types: Value| json!({"filter": {"room_types": types}});
    assert_eq!(search(types(json!(["m.space"]))).await, [space.as_str()]);
    let plain = sorted(&[&kitchen, &garden, &other]);
    assert_eq!(search(types(json!([null]))).await, plain);
    assert_eq!(search(types(json!([null, "m.space"]))).await, all);
    assert_eq!(search(types(json!([]))).await, [""; 0]);
    assert_eq!(search(types(Value::Null)).await, all);

    let mut body = json!({"limit": 1, "filter": {"generic_search_term": "kitchen"}});
    let mut found = Vec::new();
    loop {
        let page = alice.post("/publicRooms", body.clone()).await.ok();
        found.extend(rooms(&page));
        let Some(next) = page.get("next_batch") else {
            break;
        };
        body["since"] = next.clone();
    }
    found.sort();
    assert_eq!(found, kitchens);
    let other_network = json!({"third_party_instance_id": "irc-example"});
    assert_eq!(search(other_network).await, [""; 0]);
    let all_networks = json!({"include_all_networks": true});
    assert_eq!(search(all_networks).await, all);
}

async fn needs_a_login(server: &TestServer) {
    let alice = server.user("alice").await;
    server
        .get("/_matrix/client/v3/publicRooms")
        .await
        .refused(401, "M_MISSING_TOKEN");
    alice.get("/publicRooms?server=localhost").await.ok();
}

async fn refuses_bad_requests(server: &TestServer) {
    let alice = server.user("alice").await;
    for query in ["limit=many", "limit=-1", "since=nonsense", "since=n1"] {
        alice
            .get(&format!("/publicRooms?{query}"))
            .await
            .refused(400, "M_INVALID_PARAM");
    }
    for (body, errcode) in [
        (json!([]), "M_BAD_JSON"),
        (json!({"limit": "x"}), "M_BAD_JSON"),
        (json!({"filter": 5}), "M_BAD_JSON"),
        (json!({"since": "x"}), "M_INVALID_PARAM"),
        (
            json!({"include_all_networks": true, "third_party_instance_id": "irc"}),
            "M_INVALID_PARAM",
        ),
    ] {
        alice.post("/publicRooms", body).await.refused(400, errcode);
    }
    let room = alice.create_public_room().await;
    alice
        .put(&path(&room), json!({"visibility": "friends"}))
        .await
        .refused(400, "M_INVALID_PARAM");
}

async fn a_page_costs_a_page(server: &TestServer) {
    if server.mode() != Mode::Sqlite {
        // Nodes that share a database look at its log from time to time.
        return;
    }
    let alice = server.user("alice").await;
    let publish = async || {
        let request = json!({"visibility": "public", "name": "x", "topic": "y"});
        alice.create_room_with(request).await
    };
    let rows_read = async || {
        server.counted().await;
        let store = &server.stores()[0];
        let before = store.counts().rows_read;
        alice.get("/publicRooms?limit=3").await.ok();
        store.counts().rows_read - before
    };
    for _ in 0..4 {
        publish().await;
    }
    rows_read().await;
    let few = rows_read().await;
    for _ in 0..12 {
        publish().await;
    }
    rows_read().await;
    assert_eq!(rows_read().await, few);
}

fn path(room: &str) -> String {
    format!("/directory/list/room/{}", encode(room))
}

fn rooms(page: &Value) -> Vec<String> {
    let chunk = page["chunk"].as_array().unwrap().iter();
    chunk.map(|room| text(room, "room_id")).collect()
}

#[track_caller]
fn find<'a>(page: &'a Value, room: &str) -> &'a Value {
    let mut chunk = page["chunk"].as_array().unwrap().iter();
    chunk.find(|found| found["room_id"] == *room).unwrap()
}
