//! `POST /_matrix/client/v3/user_directory/search`

use http::Method;
use myelin_testkit::{TestServer, User, encode, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    finds_who_shares_a_room,
    finds_who_is_in_an_open_room,
    finds_by_the_beginnings_of_words,
    shows_display_name_and_avatar,
    the_best_matches_come_first,
    says_when_there_are_more,
    refuses_what_is_no_search,
);

covers! {
    "POST /_matrix/client/v3/user_directory/search":
        works = finds_who_shares_a_room,
        400 = refuses_what_is_no_search;
}

async fn search(user: &User, term: &str) -> Vec<String> {
    let answer = user.post("/user_directory/search", json!({"search_term": term}));
    let answer = answer.await.ok();
    let users = answer["results"].as_array().unwrap().iter();
    users
        .map(|user| user["user_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn call_oneself(user: &User, name: &str) {
    let path = format!("/profile/{}/displayname", encode(&user.id));
    user.put(&path, json!({"displayname": name})).await.ok();
}

async fn finds_who_shares_a_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    server.user("bobby").await;
    let room = alice.create_room().await;
    assert!(search(&alice, "bob").await.is_empty());
    alice.invite(&room, &bob).await.ok();
    assert!(
        search(&alice, "bob").await.is_empty(),
        "invited is not joined"
    );
    bob.join(&room).await.ok();
    assert_eq!(search(&alice, "bob").await, [bob.id.as_str()]);
    assert_eq!(search(&bob, "al").await, [alice.id.as_str()]);
    assert!(
        search(&alice, "alice").await.is_empty(),
        "nobody finds themselves"
    );
    bob.leave(&room).await.ok();
    assert!(search(&alice, "bob").await.is_empty());
}

async fn finds_who_is_in_an_open_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = bob.create_room().await;
    let set = async |kind: &str, key: &str, value: &str| {
        let content = json!({key: value});
        bob.set_state(&room, kind, "", content).await.ok();
    };
    for (kind, key, open, closed) in [
        ("m.room.join_rules", "join_rule", "public", "invite"),
        (
            "m.room.history_visibility",
            "history_visibility",
            "world_readable",
            "shared",
        ),
    ] {
        assert!(search(&alice, "bob").await.is_empty(), "{kind}");
        set(kind, key, open).await;
        assert_eq!(search(&alice, "bob").await, [bob.id.as_str()], "{kind}");
        set(kind, key, closed).await;
    }
    let other = json!({"preset": "public_chat"});
    bob.create_room_with(other).await;
    assert_eq!(search(&alice, "bob").await, [bob.id.as_str()]);
}

async fn finds_by_the_beginnings_of_words(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob.the-builder").await;
    bob.create_public_room().await;
    call_oneself(&bob, "Robert \u{c4}rger (Bauamt)").await;
    for (term, found) in [
        ("bob", true),
        ("BUILD", true),
        ("builder bob", true),
        ("robert", true),
        ("ROB bau", true),
        ("\u{e4}r", true),
        ("@bob", true),
        ("@bob.the-builder:localhost", true),
        ("@bob.the-builder:elsewhere", false),
        ("@robert", false),
        ("obert", false),
        ("robert smith", false),
        ("", false),
        ("()", false),
    ] {
        assert_eq!(!search(&alice, term).await.is_empty(), found, "{term}");
    }
    call_oneself(&bob, "Bobby").await;
    assert!(
        search(&alice, "robert").await.is_empty(),
        "a name of before"
    );
    assert_eq!(search(&alice, "bobby").await.len(), 1);
    assert_eq!(search(&alice, "builder").await.len(), 1);
}

async fn shows_display_name_and_avatar(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    bob.create_public_room().await;
    let result = async || -> Value {
        let body = json!({"search_term": "bob"});
        let answer = alice.post("/user_directory/search", body).await.ok();
        assert_eq!(answer["limited"], false);
        answer["results"][0].clone()
    };
    assert_eq!(result().await, json!({"user_id": bob.id}));
    call_oneself(&bob, "Bob").await;
    let avatar = "mxc://localhost/bob";
    let path = format!("/profile/{}/avatar_url", encode(&bob.id));
    bob.put(&path, json!({"avatar_url": avatar})).await.ok();
    assert_eq!(
        result().await,
        json!({"user_id": bob.id, "display_name": "Bob", "avatar_url": avatar})
    );
}

async fn the_best_matches_come_first(server: &TestServer) {
    let alice = server.user("alice").await;
    for name in ["bob1", "bob2", "bob"] {
        let user = server.user(name).await;
        user.create_public_room().await;
        if name == "bob2" {
            call_oneself(&user, "The Second").await;
        }
    }
    assert_eq!(
        search(&alice, "bob").await,
        ["@bob:localhost", "@bob2:localhost", "@bob1:localhost"]
    );
}

async fn says_when_there_are_more(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    for number in 0..12 {
        let user = server.user(&format!("bob{number:02}")).await;
        user.join(&room).await.ok();
    }
    for (limit, shown, limited) in [
        (json!(null), 10, true),
        (json!(12), 12, false),
        (json!(11), 11, true),
        (json!(1_000), 12, false),
        (json!(0), 0, true),
    ] {
        let mut body = json!({"search_term": "bob"});
        if limit.is_number() {
            body["limit"] = limit.clone();
        }
        let answer = alice.post("/user_directory/search", body).await.ok();
        assert_eq!(
            answer["results"].as_array().unwrap().len(),
            shown,
            "{limit}"
        );
        assert_eq!(answer["limited"], limited, "{limit}");
    }
}

async fn refuses_what_is_no_search(server: &TestServer) {
    let alice = server.user("alice").await;
    for (body, errcode) in [
        ("{}", "M_MISSING_PARAM"),
        (r#"{"search_term": 1}"#, "M_BAD_JSON"),
        (r#"{"search_term": "a", "limit": -1}"#, "M_BAD_JSON"),
        ("{", "M_NOT_JSON"),
    ] {
        let path = "/user_directory/search";
        let answer = alice.request(Method::POST, path, body.to_owned()).await;
        assert_eq!(answer.code(), (400, errcode), "{body}");
    }
}
