//! `GET`, `PUT` and `DELETE` of `/_matrix/client/v3/user/{userId}/account_data/{type}` and of
//! `/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`

use http::Method;
use myelin_accounts::ignored_users;
use myelin_store::account_data;
use myelin_testkit::{Answer, TestServer, User, encode, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    what_is_set_can_be_read,
    what_is_deleted_is_not_found,
    an_empty_object_deletes,
    each_user_has_their_own,
    types_of_the_server_are_refused,
    what_is_no_object_is_refused,
    what_cannot_be_named_or_is_too_large_is_refused,
    data_may_be_kept_for_rooms_one_is_not_in,
    changes_made_at_once_are_all_kept,
    sync_is_told_of_each_change_once,
    the_ignored_users_are_read_from_their_list,
);

covers! {
    "GET /_matrix/client/v3/user/{userId}/account_data/{type}":
        works = what_is_set_can_be_read,
        403 = each_user_has_their_own,
        404 = what_is_deleted_is_not_found,
        other_user = each_user_has_their_own;
    "PUT /_matrix/client/v3/user/{userId}/account_data/{type}":
        works = what_is_set_can_be_read,
        400 = what_is_no_object_is_refused,
        403 = each_user_has_their_own,
        405 = types_of_the_server_are_refused,
        other_user = each_user_has_their_own;
    "DELETE /_matrix/client/v3/user/{userId}/account_data/{type}":
        works = what_is_deleted_is_not_found,
        other_user = each_user_has_their_own;
    "DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{userId}/account_data/{type}":
        works = what_is_deleted_is_not_found,
        other_user = each_user_has_their_own;
    "GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}":
        works = what_is_set_can_be_read,
        400 = what_cannot_be_named_or_is_too_large_is_refused,
        403 = each_user_has_their_own,
        404 = what_is_deleted_is_not_found,
        outsider = data_may_be_kept_for_rooms_one_is_not_in,
        other_user = each_user_has_their_own;
    "PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}":
        works = what_is_set_can_be_read,
        400 = what_is_no_object_is_refused,
        403 = each_user_has_their_own,
        405 = types_of_the_server_are_refused,
        outsider = data_may_be_kept_for_rooms_one_is_not_in,
        other_user = each_user_has_their_own;
    "DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}":
        works = what_is_deleted_is_not_found,
        outsider = data_may_be_kept_for_rooms_one_is_not_in,
        other_user = each_user_has_their_own;
    "DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{userId}/rooms/{roomId}/account_data/{type}":
        works = what_is_deleted_is_not_found,
        outsider = data_may_be_kept_for_rooms_one_is_not_in,
        other_user = each_user_has_their_own;
}

const UNSTABLE: &str = "/_matrix/client/unstable/org.matrix.msc3391";

/// The path of a type, for a room or for none.
fn path(user: &str, room: Option<&str>, kind: &str) -> String {
    let room = room.map_or_else(String::new, |room| format!("/rooms/{}", encode(room)));
    format!("/user/{}{room}/account_data/{}", encode(user), encode(kind))
}

async fn delete(user: &User, path: &str) -> Answer {
    user.request(Method::DELETE, path, String::new()).await
}

async fn what_is_set_can_be_read(server: &TestServer) {
    let alice = server.user("alice").await;
    let (one, two) = (alice.create_room().await, alice.create_room().await);
    let places = [None, Some(one.as_str()), Some(two.as_str())];
    for kind in [
        "m.direct",
        "org.example.\u{e4} /?",
        "m.secret_storage.key.x",
    ] {
        for number in 0..2 {
            for (place, room) in places.iter().enumerate() {
                let content = json!({"n": number, "place": place, "float": 0.5, "null": null});
                let path = path(&alice.id, *room, kind);
                assert_eq!(alice.put(&path, content.clone()).await.ok(), json!({}));
                assert_eq!(alice.get(&path).await.ok(), content);
            }
        }
        let first = alice.get(&path(&alice.id, None, kind)).await.ok();
        assert_eq!(first["place"], 0, "each place has its own");
    }
}

async fn what_is_deleted_is_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for prefix in ["", UNSTABLE] {
        for room in [None, Some(room.as_str())] {
            let path = path(&alice.id, room, "org.example.x");
            alice.get(&path).await.refused(404, "M_NOT_FOUND");
            alice.put(&path, json!({"a": 1})).await.ok();
            // The second time there is nothing to delete.
            for _ in 0..2 {
                let answer = delete(&alice, &format!("{prefix}{path}")).await;
                assert_eq!(answer.ok(), json!({}));
                alice.get(&path).await.refused(404, "M_NOT_FOUND");
            }
            alice.put(&path, json!({"a": 2})).await.ok();
            assert_eq!(alice.get(&path).await.ok(), json!({"a": 2}));
            delete(&alice, &path).await.ok();
        }
    }
}

async fn an_empty_object_deletes(server: &TestServer) {
    let alice = server.user("alice").await;
    let path = path(&alice.id, None, "org.example.x");
    alice.put(&path, json!({"a": 1})).await.ok();
    alice.put(&path, json!({})).await.ok();
    alice.get(&path).await.refused(404, "M_NOT_FOUND");
}

async fn each_user_has_their_own(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    for room in [None, Some(room.as_str())] {
        let path = path(&alice.id, room, "m.direct");
        alice.put(&path, json!({"a": 1})).await.ok();
        bob.get(&path).await.refused(403, "M_FORBIDDEN");
        bob.put(&path, json!({"b": 1}))
            .await
            .refused(403, "M_FORBIDDEN");
        for prefix in ["", UNSTABLE] {
            let answer = delete(&bob, &format!("{prefix}{path}")).await;
            answer.refused(403, "M_FORBIDDEN");
        }
        assert_eq!(alice.get(&path).await.ok(), json!({"a": 1}));
    }
}

async fn types_of_the_server_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for room in [None, Some(room.as_str())] {
        for kind in ["m.fully_read", "m.push_rules"] {
            let path = path(&alice.id, room, kind);
            let answer = alice.put(&path, json!({"event_id": "$x"})).await;
            answer.refused(405, "M_BAD_JSON");
            delete(&alice, &path).await.refused(405, "M_BAD_JSON");
        }
    }
}

async fn what_is_no_object_is_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for room in [None, Some(room.as_str())] {
        let path = path(&alice.id, room, "m.direct");
        for (body, errcode) in [
            ("{", "M_NOT_JSON"),
            ("[]", "M_BAD_JSON"),
            ("1", "M_BAD_JSON"),
            (r#"{"a": "\ud800"}"#, "M_BAD_JSON"),
        ] {
            let answer = alice.request(Method::PUT, &path, body.to_owned()).await;
            assert_eq!(answer.code(), (400, errcode), "{body}");
        }
    }
}

async fn what_cannot_be_named_or_is_too_large_is_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let long = "x".repeat(1_025);
    for (room, kind) in [
        (Some("nonsense"), "m.tag"),
        (Some("!a\0:localhost"), "m.tag"),
        (None, "a\0b"),
        (None, long.as_str()),
    ] {
        let path = path(&alice.id, room, kind);
        let answer = alice.put(&path, json!({"a": 1})).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{path}");
        let answer = delete(&alice, &path).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{path}");
    }
    let nonsense = path(&alice.id, Some("nonsense"), "m.tag");
    alice.get(&nonsense).await.refused(400, "M_INVALID_PARAM");
    let large = json!({"a": "x".repeat(600 * 1024)});
    let answer = alice.put(&path(&alice.id, None, "m.direct"), large).await;
    answer.refused(413, "M_TOO_LARGE");
}

async fn data_may_be_kept_for_rooms_one_is_not_in(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    for room in [room.as_str(), "!nowhere:example.org"] {
        let path = path(&bob.id, Some(room), "org.example.x");
        bob.put(&path, json!({"a": 1})).await.ok();
        assert_eq!(bob.get(&path).await.ok(), json!({"a": 1}));
        delete(&bob, &path).await.ok();
        bob.put(&path, json!({"a": 2})).await.ok();
        let answer = delete(&bob, &format!("{UNSTABLE}{path}")).await;
        assert_eq!(answer.ok(), json!({}));
    }
}

async fn changes_made_at_once_are_all_kept(server: &TestServer) {
    let alice = server.user("alice").await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..6 {
        let alice = alice.clone();
        tasks.spawn(async move {
            let path = path(&alice.id, None, &format!("org.example.{number}"));
            alice.put(&path, json!({"n": number})).await.ok();
            let same = path_of_same(&alice);
            alice.put(&same, json!({"n": number})).await.ok();
        });
    }
    tasks.join_all().await;
    for number in 0..6 {
        let path = path(&alice.id, None, &format!("org.example.{number}"));
        assert_eq!(alice.get(&path).await.ok(), json!({"n": number}));
    }
    let last = alice.get(&path_of_same(&alice)).await.ok();
    assert!(last["n"].is_number(), "{last}");
}

fn path_of_same(user: &User) -> String {
    path(&user.id, None, "org.example.same")
}

/// What `/sync` reads, as the store tells it.
async fn sync_is_told_of_each_change_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let store = server.stores().remove(0);
    let user = number(server, &alice).await;
    let start = store.live().catch_up().await.unwrap();
    let (global, local) = (
        path(&alice.id, None, "m.direct"),
        path(&alice.id, Some(&room), "org.example.x"),
    );
    alice.put(&global, json!({"a": 1})).await.ok();
    alice.put(&local, json!({"b": 1})).await.ok();
    delete(&alice, &global).await.ok();
    let end = store.live().catch_up().await.unwrap();
    let changed = account_data::list_changed(&mut store.read(), user, (start, end)).await;
    let shown: Vec<_> = changed
        .unwrap()
        .into_iter()
        .map(|data| (data.key.event_type, data.content))
        .collect();
    assert_eq!(
        shown,
        [
            ("org.example.x".to_owned(), r#"{"b":1}"#.into()),
            ("m.direct".to_owned(), "{}".into()),
        ]
    );
}

async fn the_ignored_users_are_read_from_their_list(server: &TestServer) {
    let alice = server.user("alice").await;
    let user = number(server, &alice).await;
    let store = server.stores().remove(0);
    let ignored = async || -> Vec<String> {
        let found = ignored_users(&store, &mut store.read(), user).await;
        let found = found.unwrap().into_iter();
        found.map(|id| id.to_string()).collect()
    };
    let path = path(&alice.id, None, "m.ignored_user_list");
    assert!(ignored().await.is_empty());
    let set = async |content: Value| alice.put(&path, content).await.ok();
    set(json!({"ignored_users": {"@bob:localhost": {}, "nobody": {}, "@c:d": 1}})).await;
    assert_eq!(ignored().await, ["@bob:localhost", "@c:d"]);
    for odd in [json!({"ignored_users": ["@bob:localhost"]}), json!({})] {
        set(odd).await;
        assert!(ignored().await.is_empty());
    }
}

async fn number(server: &TestServer, user: &User) -> i64 {
    let store = server.stores().remove(0);
    let number = store.find_interned(user.id.as_bytes()).await.unwrap();
    number.unwrap()
}
