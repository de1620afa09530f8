//! `GET /_matrix/client/v1/rooms/{roomId}/hierarchy` with rooms that this server is not in

use http::Method;
use myelin_testkit::{
    Answer, Peer, TestServer, User, encode, text, three_modes, three_modes_federated,
};
use serde_json::{Value, json};

three_modes!(
    asks_the_servers_that_the_space_names,
    asks_only_about_spaces_below,
    believes_nobody_about_what_a_user_may_enter,
    a_page_asks_a_few_times,
    a_bad_server_hides_its_rooms_alone,
);
three_modes_federated!(walks_into_spaces_of_another_server);

const QUERY: &str = "/_matrix/federation/v1/hierarchy/";

async fn walk(user: &User, room: &str, query: &str) -> Answer {
    let path = format!(
        "/_matrix/client/v1/rooms/{}/hierarchy?{query}",
        encode(room)
    );
    user.get(&path).await
}

fn names(found: &Value) -> Vec<String> {
    let rooms = found["rooms"].as_array().unwrap();
    rooms.iter().map(|room| text(room, "name")).collect()
}

async fn space(user: &User, name: &str, children: &[(&str, &str)]) -> String {
    let body = json!({
        "name": name, "preset": "public_chat", "creation_content": {"type": "m.space"},
    });
    let space = user.create_room_with(body).await;
    for (index, (child, server)) in children.iter().enumerate() {
        let content = json!({"via": [server], "order": format!("{index:03}")});
        user.set_state(&space, "m.space.child", child, content)
            .await
            .ok();
    }
    space
}

/// A room as the peer tells of it.
fn told(name: &str, rule: &str) -> Value {
    json!({
        "room_id": format!("!{name}:peer.example"),
        "name": name,
        "num_joined_members": 3,
        "world_readable": false,
        "guest_can_join": false,
        "join_rule": rule,
        "room_version": "10",
    })
}

fn child(name: &str) -> Value {
    json!({
        "type": "m.space.child",
        "state_key": format!("!{name}:peer.example"),
        "content": {"via": ["peer.example"], "order": name},
        "sender": "@bob:peer.example",
        "origin_server_ts": 1,
    })
}

fn told_space(name: &str, children: &[&str]) -> Value {
    let mut space = told(name, "public");
    space["room_type"] = "m.space".into();
    space["children_state"] = children.iter().map(|name| child(name)).collect();
    space
}

async fn walks_into_spaces_of_another_server(here: &TestServer, there: &TestServer) {
    let alice = here.user("alice").await;
    let bob = there.user("bob").await;
    let name = |name: &str| json!({"name": name, "preset": "public_chat"});
    let leaf = bob.create_room_with(name("leaf")).await;
    let hidden = bob.create_room_with(json!({"name": "hidden"})).await;
    let server = "there.example";
    let inner = space(&bob, "inner", &[(&leaf, server), (&hidden, server)]).await;
    let own = alice.create_room_with(name("own")).await;
    let root = space(&alice, "root", &[(&inner, server), (&own, "localhost")]).await;
    let found = walk(&alice, &root, "").await.ok();
    assert_eq!(names(&found), ["root", "inner", "leaf", "own"]);
    assert_eq!(
        found["rooms"][1]["children_state"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Page by page, though no node remembers where it was.
    let mut paged = Vec::new();
    let mut query = "limit=1".to_owned();
    loop {
        let page = walk(&alice, &root, &query).await.ok();
        paged.extend(names(&page));
        let Some(next) = page["next_batch"].as_str() else {
            break;
        };
        query = format!("limit=1&from={}", encode(next));
    }
    assert_eq!(paged, ["root", "inner", "leaf", "own"]);
    here.network().set_cut_off("there.example", true);
    let other = space(&alice, "other", &[(&leaf, server), (&own, "localhost")]).await;
    let found = walk(&alice, &other, "").await.ok();
    assert_eq!(names(&found), ["other", "own"]);
}

async fn asks_the_servers_that_the_space_names(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    peer.answer(Method::GET, QUERY, |_| {
        let rooms = [told("a", "public"), told("b", "knock")];
        (
            200,
            json!({"room": told_space("s", &["a", "b"]), "children": rooms, "inaccessible_children": []}),
        )
    });
    let room = "!s:peer.example";
    let root = space(&alice, "root", &[(room, "peer.example")]).await;
    let found = walk(&alice, &root, "suggested_only=false").await.ok();
    assert_eq!(names(&found), ["root", "s", "a", "b"]);
    let asked: Vec<String> = peer
        .received()
        .into_iter()
        .map(|asked| asked.path)
        .collect();
    assert_eq!(
        asked,
        [format!(
            "{QUERY}{}",
            encode(room).replace("%21", "!").replace("%3A", ":")
        )]
    );
}

async fn asks_only_about_spaces_below(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    peer.answer(Method::GET, &format!("{QUERY}!s:"), |_| {
        let mut inner = told("t", "public");
        inner["room_type"] = "m.space".into();
        (
            200,
            json!({
                "room": told_space("s", &["a", "gone", "t"]),
                "children": [told("a", "public"), inner],
                "inaccessible_children": ["!gone:peer.example"],
            }),
        )
    });
    peer.answer(Method::GET, &format!("{QUERY}!t:"), |_| {
        (
            200,
            json!({"room": told_space("t", &["s"]), "children": [], "inaccessible_children": []}),
        )
    });
    // A room of another server that the user knows only the id of.
    let found = walk(&alice, "!s:peer.example", "").await.ok();
    // They are in each other, and shown once.
    assert_eq!(names(&found), ["s", "a", "t"]);
    assert_eq!(peer.received().len(), 2);
}

async fn believes_nobody_about_what_a_user_may_enter(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let club = alice.create_room().await;
    peer.answer(Method::GET, QUERY, move |_| {
        let mut restricted = told("restricted", "restricted");
        restricted["allowed_room_ids"] = json!([club]);
        let mut readable = told("readable", "invite");
        readable["world_readable"] = true.into();
        let names = ["closed", "open", "readable", "restricted"];
        let rooms = [told("closed", "invite"), told("open", "public"), readable, restricted];
        (
            200,
            json!({"room": told_space("s", &names), "children": rooms, "inaccessible_children": []}),
        )
    });
    let found = walk(&alice, "!s:peer.example", "").await.ok();
    assert_eq!(names(&found), ["s", "open", "readable", "restricted"]);
    let found = walk(&bob, "!s:peer.example", "").await.ok();
    assert_eq!(names(&found), ["s", "open", "readable"]);
}

async fn a_page_asks_a_few_times(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    let ids: Vec<String> = (10..35)
        .map(|number| format!("!r{number}:peer.example"))
        .collect();
    let children: Vec<(&str, &str)> = ids.iter().map(|id| (&**id, "peer.example")).collect();
    let root = space(&alice, "root", &children).await;
    peer.answer(Method::GET, QUERY, |request| {
        let path = request.uri().path().to_owned();
        let name = path
            .rsplit_once('!')
            .unwrap()
            .1
            .split_once(':')
            .unwrap()
            .0
            .to_owned();
        let mut room = told(&name, "public");
        room["children_state"] = json!([]);
        (
            200,
            json!({"room": room, "children": [], "inaccessible_children": []}),
        )
    });
    let mut found = Vec::new();
    let mut query = String::new();
    loop {
        let before = peer.received().len();
        let page = walk(&alice, &root, &query).await.ok();
        // And once for the place where it goes on, if another node has found the way there.
        assert!(peer.received().len() - before <= 10 + 1);
        found.extend(names(&page));
        let Some(next) = page["next_batch"].as_str() else {
            break;
        };
        query = format!("from={}", encode(next));
    }
    assert_eq!(found.len(), 26);
    let asked = peer.received().len();
    assert!((25..=28).contains(&asked), "{asked}");
}

async fn a_bad_server_hides_its_rooms_alone(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let alice = server.user("alice").await;
    let own = alice
        .create_room_with(json!({"name": "own", "preset": "public_chat"}))
        .await;
    let answers = [
        (
            200,
            json!({"room": told("another", "public"), "children": []}),
        ),
        (200, json!({"room": 1})),
        (200, json!([])),
        (
            200,
            json!({"room": told_space("s", &[]), "long": "a".repeat(3_000_000)}),
        ),
        (403, json!({})),
        (500, json!({})),
    ];
    let root = space(
        &alice,
        "root",
        &[("!s:peer.example", "peer.example"), (&own, "localhost")],
    )
    .await;
    for (status, body) in answers {
        peer.answer(Method::GET, QUERY, move |_| (status, body.clone()));
        let found = walk(&alice, &root, "").await.ok();
        assert_eq!(names(&found), ["root", "own"], "{status}");
        walk(&alice, "!s:peer.example", "")
            .await
            .refused(403, "M_FORBIDDEN");
    }
    // Nonsense among the children spoils nothing.
    peer.answer(Method::GET, QUERY, |_| {
        let mut space = told_space("s", &["a"]);
        let states = space["children_state"].as_array_mut().unwrap();
        states.push(json!({"type": "m.space.child", "state_key": "nonsense", "content": {}}));
        states.push(json!({"content": {"via": ["x"]}, "sender": "x", "origin_server_ts": 1}));
        (
            200,
            json!({"room": space, "children": [1, {}, told("a", "public")], "inaccessible_children": ["?"]}),
        )
    });
    let found = walk(&alice, &root, "").await.ok();
    assert_eq!(names(&found), ["root", "s", "a", "own"]);
}
