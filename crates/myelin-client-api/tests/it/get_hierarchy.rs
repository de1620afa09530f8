//! `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    walks_the_tree_depth_first,
    pages_through_the_tree,
    rooms_in_circles_are_shown_once,
    shows_what_may_be_told,
    strangers_see_no_tree,
    refuses_bad_parameters_and_other_walks,
);

covers! {
    "GET /_matrix/client/v1/rooms/{roomId}/hierarchy":
        works = walks_the_tree_depth_first,
        400 = refuses_bad_parameters_and_other_walks,
        403 = strangers_see_no_tree,
        outsider = strangers_see_no_tree;
}

/// A space with a space and rooms in it.
struct Tree {
    alice: User,
    root: String,
}

async fn walks_the_tree_depth_first(server: &TestServer) {
    let tree = Tree::plant(server).await;
    let found = get(&tree.alice, &tree.root, "").await.ok();
    assert_eq!(names(&found), ["root", "b", "inner", "x", "y", "a"]);
    assert!(found.get("next_batch").is_none());
    let root = &found["rooms"][0];
    assert_eq!(root["room_type"], "m.space");
    assert_eq!(root["num_joined_members"], 1);
    let children = root["children_state"].as_array().unwrap();
    assert_eq!(children.len(), 3);
    let first = &children[0];
    assert_eq!(first["type"], "m.space.child");
    assert_eq!(first["state_key"], found["rooms"][1]["room_id"]);
    assert_eq!(first["sender"], tree.alice.id);
    assert_eq!(first["content"]["order"], "1");
    assert!(first["origin_server_ts"].is_u64());
    assert_eq!(found["rooms"][1]["children_state"], json!([]));
    for (query, wanted) in [
        ("max_depth=0", vec!["root"]),
        ("max_depth=1", vec!["root", "b", "inner", "a"]),
        ("suggested_only=true", vec!["root", "inner", "y"]),
        ("suggested_only=true&max_depth=1", vec!["root", "inner"]),
    ] {
        let found = get(&tree.alice, &tree.root, query).await.ok();
        assert_eq!(names(&found), wanted, "{query}");
    }
    // What is taken out of the space is gone.
    let child = text(first, "state_key");
    let kind = "m.space.child";
    let answer = tree
        .alice
        .set_state(&tree.root, kind, &child, json!({}))
        .await;
    answer.ok();
    let found = get(&tree.alice, &tree.root, "").await.ok();
    assert_eq!(names(&found), ["root", "inner", "x", "y", "a"]);
    // A room that is no space is alone.
    let found = get(&tree.alice, &child, "").await.ok();
    assert_eq!(names(&found), ["b"]);
}

async fn pages_through_the_tree(server: &TestServer) {
    let tree = Tree::plant(server).await;
    for limit in 1..7 {
        let mut found = Vec::new();
        let mut from = String::new();
        loop {
            let query = format!("limit={limit}{from}");
            let page = get(&tree.alice, &tree.root, &query).await.ok();
            let rooms: Vec<String> = names(&page).into_iter().map(str::to_owned).collect();
            assert!(rooms.len() <= limit);
            found.extend(rooms);
            let Some(next) = page["next_batch"].as_str() else {
                break;
            };
            from = format!("&from={}", encode(next));
        }
        assert_eq!(found, ["root", "b", "inner", "x", "y", "a"], "by {limit}");
    }
}

async fn rooms_in_circles_are_shown_once(server: &TestServer) {
    let tree = Tree::plant(server).await;
    let found = get(&tree.alice, &tree.root, "").await.ok();
    let inner = text(&found["rooms"][2], "room_id");
    for child in [&inner, &tree.root] {
        put(&tree.alice, &inner, child, json!({"order": "0"})).await;
    }
    let found = get(&tree.alice, &tree.root, "").await.ok();
    assert_eq!(names(&found), ["root", "b", "inner", "x", "y", "a"]);
    let mut from = String::new();
    for page in 0.. {
        assert!(page < 12, "pages without end");
        let query = format!("limit=1{from}");
        let found = get(&tree.alice, &tree.root, &query).await.ok();
        let Some(next) = found["next_batch"].as_str() else {
            break;
        };
        from = format!("&from={}", encode(next));
    }
}

async fn shows_what_may_be_told(server: &TestServer) {
    let tree = Tree::plant(server).await;
    let bob = server.user("bob").await;
    let hidden = room(&tree.alice, "hidden", json!({"preset": "private_chat"})).await;
    put(&tree.alice, &tree.root, &hidden, json!({"order": "0"})).await;
    put(&tree.alice, &tree.root, "!unknown:localhost", json!({})).await;
    let all = ["root", "hidden", "b", "inner", "x", "y", "a"];
    let found = get(&tree.alice, &tree.root, "").await.ok();
    assert_eq!(names(&found), all);
    let found = get(&bob, &tree.root, "").await.ok();
    assert_eq!(names(&found), ["root", "b", "inner", "x", "y", "a"]);
    tree.alice.invite(&hidden, &bob).await.ok();
    let found = get(&bob, &tree.root, "").await.ok();
    assert_eq!(names(&found), all);
}

async fn strangers_see_no_tree(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let space = json!({"preset": "private_chat", "creation_content": {"type": "m.space"}});
    let closed = room(&alice, "closed", space).await;
    for room in [&*closed, "!nowhere:localhost"] {
        get(&bob, room, "").await.refused(403, "M_FORBIDDEN");
    }
    let open = alice.create_public_room().await;
    let ban = json!({"membership": "ban"});
    alice
        .set_state(&open, "m.room.member", &bob.id, ban)
        .await
        .ok();
    get(&bob, &open, "").await.refused(403, "M_FORBIDDEN");
}

async fn refuses_bad_parameters_and_other_walks(server: &TestServer) {
    let tree = Tree::plant(server).await;
    let page = get(&tree.alice, &tree.root, "limit=2&max_depth=2").await;
    let from = encode(&text(&page.ok(), "next_batch"));
    let page = get(&tree.alice, &tree.root, &format!("max_depth=2&from={from}")).await;
    assert_eq!(names(&page.ok()), ["inner", "x", "y", "a"]);
    let other = tree.alice.create_public_room().await;
    for (room, query) in [
        (&tree.root, format!("max_depth=1&from={from}")),
        (&tree.root, format!("from={from}")),
        (
            &tree.root,
            format!("max_depth=2&suggested_only=true&from={from}"),
        ),
        (&other, format!("max_depth=2&from={from}")),
        (&tree.root, "from=nonsense".to_owned()),
        (&tree.root, "from=h30_0_".to_owned()),
        (&tree.root, "limit=0".to_owned()),
        (&tree.root, "limit=-1".to_owned()),
        (&tree.root, "max_depth=-1".to_owned()),
        (&tree.root, "suggested_only=perhaps".to_owned()),
    ] {
        let answer = get(&tree.alice, room, &query).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
}

impl Tree {
    async fn plant(server: &TestServer) -> Self {
        let alice = server.user("alice").await;
        let space = json!({"preset": "public_chat", "creation_content": {"type": "m.space"}});
        let open = json!({"preset": "public_chat"});
        let root = room(&alice, "root", space.clone()).await;
        let inner = room(&alice, "inner", space).await;
        let mut rooms = Vec::new();
        for name in ["a", "b", "x", "y"] {
            rooms.push(room(&alice, name, open.clone()).await);
        }
        let [a, b, x, y] = &rooms[..] else {
            panic!("four rooms");
        };
        put(&alice, &root, a, json!({})).await;
        put(&alice, &root, b, json!({"order": "1"})).await;
        put(
            &alice,
            &root,
            &inner,
            json!({"order": "2", "suggested": true}),
        )
        .await;
        put(&alice, &inner, y, json!({"order": "2", "suggested": true})).await;
        put(&alice, &inner, x, json!({"order": "1"})).await;
        Self { alice, root }
    }
}

async fn room(user: &User, name: &str, mut body: Value) -> String {
    body["name"] = name.into();
    user.create_room_with(body).await
}

/// Makes a room the child of a space.
async fn put(user: &User, space: &str, child: &str, mut content: Value) {
    content["via"] = json!(["localhost"]);
    let answer = user.set_state(space, "m.space.child", child, content).await;
    answer.ok();
}

async fn get(user: &User, room: &str, query: &str) -> Answer {
    let path = format!(
        "/_matrix/client/v1/rooms/{}/hierarchy?{query}",
        encode(room)
    );
    user.get(&path).await
}

fn names(answer: &Value) -> Vec<&str> {
    let rooms = answer["rooms"].as_array().unwrap().iter();
    rooms.map(|room| room["name"].as_str().unwrap()).collect()
}
