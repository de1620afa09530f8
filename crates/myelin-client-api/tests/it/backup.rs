//! `/_matrix/client/v3/room_keys/…`

use http::Method;
use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Map, Value, json};

use crate::covers;

three_modes!(
    a_backup_is_made_shown_and_described_anew,
    what_does_not_fit_the_backup_is_refused,
    a_deleted_backup_is_gone_and_its_version_burnt,
    keys_are_stored_shown_and_deleted,
    the_better_key_is_kept,
    keys_go_to_the_current_backup,
    unknown_backups_are_not_found,
    each_user_has_their_own_backups,
    keys_for_rooms_that_one_is_not_in_are_kept,
    odd_keys_are_refused,
    keys_stored_side_by_side_are_counted,
    a_large_backup_is_shown_whole,
);

covers! {
    "POST /_matrix/client/v3/room_keys/version":
        works = a_backup_is_made_shown_and_described_anew;
    "GET /_matrix/client/v3/room_keys/version":
        works = a_backup_is_made_shown_and_described_anew,
        404 = unknown_backups_are_not_found;
    "GET /_matrix/client/v3/room_keys/version/{version}":
        works = a_backup_is_made_shown_and_described_anew,
        404 = unknown_backups_are_not_found;
    "PUT /_matrix/client/v3/room_keys/version/{version}":
        works = a_backup_is_made_shown_and_described_anew,
        400 = what_does_not_fit_the_backup_is_refused,
        404 = unknown_backups_are_not_found;
    "DELETE /_matrix/client/v3/room_keys/version/{version}":
        works = a_deleted_backup_is_gone_and_its_version_burnt,
        404 = unknown_backups_are_not_found;
    "PUT /_matrix/client/v3/room_keys/keys":
        works = keys_are_stored_shown_and_deleted,
        403 = keys_go_to_the_current_backup,
        404 = unknown_backups_are_not_found;
    "PUT /_matrix/client/v3/room_keys/keys/{roomId}":
        works = keys_are_stored_shown_and_deleted,
        403 = keys_go_to_the_current_backup,
        404 = unknown_backups_are_not_found,
        outsider = keys_for_rooms_that_one_is_not_in_are_kept;
    "PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}":
        works = keys_are_stored_shown_and_deleted,
        403 = keys_go_to_the_current_backup,
        outsider = keys_for_rooms_that_one_is_not_in_are_kept;
    "GET /_matrix/client/v3/room_keys/keys":
        works = keys_are_stored_shown_and_deleted,
        404 = unknown_backups_are_not_found;
    "GET /_matrix/client/v3/room_keys/keys/{roomId}":
        works = keys_are_stored_shown_and_deleted,
        404 = unknown_backups_are_not_found,
        outsider = keys_for_rooms_that_one_is_not_in_are_kept;
    "GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}":
        works = keys_are_stored_shown_and_deleted,
        404 = unknown_backups_are_not_found,
        outsider = keys_for_rooms_that_one_is_not_in_are_kept;
    "DELETE /_matrix/client/v3/room_keys/keys":
        works = keys_are_stored_shown_and_deleted,
        404 = unknown_backups_are_not_found;
    "DELETE /_matrix/client/v3/room_keys/keys/{roomId}":
        works = keys_are_stored_shown_and_deleted,
        404 = unknown_backups_are_not_found,
        outsider = keys_for_rooms_that_one_is_not_in_are_kept;
    "DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}":
        works = keys_are_stored_shown_and_deleted,
        404 = unknown_backups_are_not_found,
        outsider = keys_for_rooms_that_one_is_not_in_are_kept;
}

const ROOM: &str = "!room:localhost";

fn method_of(public_key: &str) -> Value {
    json!({
        "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
        "auth_data": {"public_key": public_key, "signatures": {}},
    })
}

async fn create(user: &User) -> String {
    let answer = user.post("/room_keys/version", method_of("abc")).await;
    text(&answer.ok(), "version")
}

fn key(first_message_index: u32, forwarded_count: u32, is_verified: bool) -> Value {
    json!({
        "first_message_index": first_message_index,
        "forwarded_count": forwarded_count,
        "is_verified": is_verified,
        "session_data": {"ciphertext": "abc", "n": [first_message_index, forwarded_count]},
    })
}

/// The path of keys: all, a room's, or one session's.
fn path(place: &[&str], version: &str) -> String {
    let parts = place.iter().map(|part| encode(part));
    let path: Vec<_> = std::iter::once("/room_keys/keys".into())
        .chain(parts)
        .collect();
    format!("{}?version={version}", path.join("/"))
}

async fn get(user: &User, place: &[&str], version: &str) -> Answer {
    user.get(&path(place, version)).await
}

async fn put(user: &User, place: &[&str], version: &str, body: Value) -> Answer {
    user.put(&path(place, version), body).await
}

async fn delete(user: &User, place: &[&str], version: &str) -> Answer {
    let path = path(place, version);
    user.request(Method::DELETE, &path, String::new()).await
}

async fn a_backup_is_made_shown_and_described_anew(server: &TestServer) {
    let alice = server.user("alice").await;
    let version = create(&alice).await;
    let mut shown = method_of("abc");
    for (name, value) in [("count", json!(0)), ("etag", json!("0"))] {
        shown[name] = value;
    }
    shown["version"] = version.as_str().into();
    assert_eq!(alice.get("/room_keys/version").await.ok(), shown);
    let path = format!("/room_keys/version/{version}");
    assert_eq!(alice.get(&path).await.ok(), shown);
    let mut anew = method_of("def");
    assert_eq!(alice.put(&path, anew.clone()).await.ok(), json!({}));
    anew["version"] = version.as_str().into();
    alice.put(&path, anew.clone()).await.ok();
    shown["auth_data"] = anew["auth_data"].clone();
    assert_eq!(alice.get(&path).await.ok(), shown);
    // The next one is the current one, and the first is still there.
    let next = create(&alice).await;
    assert_ne!(next, version);
    let current = alice.get("/room_keys/version").await.ok();
    assert_eq!(current["version"], next.as_str());
    assert_eq!(alice.get(&path).await.ok(), shown);
}

async fn what_does_not_fit_the_backup_is_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let version = create(&alice).await;
    let path = format!("/room_keys/version/{version}");
    let mut other = method_of("abc");
    other["algorithm"] = "org.example.other".into();
    alice
        .put(&path, other)
        .await
        .refused(400, "M_INVALID_PARAM");
    let mut other = method_of("abc");
    other["version"] = "99".into();
    alice
        .put(&path, other)
        .await
        .refused(400, "M_INVALID_PARAM");
    let large = method_of(&"x".repeat(70_000));
    alice
        .put(&path, large.clone())
        .await
        .refused(413, "M_TOO_LARGE");
    let answer = alice.post("/room_keys/version", large).await;
    answer.refused(413, "M_TOO_LARGE");
    let answer = alice
        .post("/room_keys/version", json!({"algorithm": "a"}))
        .await;
    answer.refused(400, "M_MISSING_PARAM");
}

async fn a_deleted_backup_is_gone_and_its_version_burnt(server: &TestServer) {
    let alice = server.user("alice").await;
    let first = create(&alice).await;
    let second = create(&alice).await;
    put(&alice, &[ROOM, "s"], &second, key(1, 1, true))
        .await
        .ok();
    let path = format!("/room_keys/version/{second}");
    for _twice in 0..2 {
        let answer = alice.request(Method::DELETE, &path, String::new()).await;
        assert_eq!(answer.ok(), json!({}));
    }
    alice.get(&path).await.refused(404, "M_NOT_FOUND");
    get(&alice, &[], &second).await.refused(404, "M_NOT_FOUND");
    let current = alice.get("/room_keys/version").await.ok();
    assert_eq!(current["version"], first.as_str());
    put(&alice, &[ROOM, "s"], &first, key(1, 1, true))
        .await
        .ok();
    let third = create(&alice).await;
    assert!(![first, second].contains(&third));
    let keys = get(&alice, &[], &third).await.ok();
    assert_eq!(keys, json!({"rooms": {}}));
}

async fn keys_are_stored_shown_and_deleted(server: &TestServer) {
    let alice = server.user("alice").await;
    let version = create(&alice).await;
    let other = "!other:elsewhere.example";
    let all = json!({"rooms": {
        ROOM: {"sessions": {"one": key(1, 0, false), "tw/o": key(2, 0, true)}},
        other: {"sessions": {"one": key(3, 0, false)}},
    }});
    let answer = put(&alice, &[], &version, all.clone()).await.ok();
    assert_eq!(answer, json!({"count": 3, "etag": "1"}));
    // What is there already changes nothing.
    let answer = put(&alice, &[], &version, all.clone()).await.ok();
    assert_eq!(answer, json!({"count": 3, "etag": "1"}));
    assert_eq!(get(&alice, &[], &version).await.ok(), all);
    let room = json!({"sessions": {"three": key(4, 0, false)}});
    let answer = put(&alice, &[ROOM], &version, room).await.ok();
    assert_eq!(answer, json!({"count": 4, "etag": "2"}));
    let answer = put(&alice, &[ROOM, "four"], &version, key(5, 0, false))
        .await
        .ok();
    assert_eq!(answer, json!({"count": 5, "etag": "3"}));
    let shown = get(&alice, &[ROOM], &version).await.ok();
    let sessions = shown["sessions"].as_object().unwrap();
    let names: Vec<_> = sessions.keys().collect();
    assert_eq!(names, ["four", "one", "three", "tw/o"]);
    let shown = get(&alice, &[ROOM, "tw/o"], &version).await.ok();
    assert_eq!(shown, key(2, 0, true));
    let info = alice.get("/room_keys/version").await.ok();
    assert_eq!((&info["count"], &info["etag"]), (&json!(5), &json!("3")));
    let gone = delete(&alice, &[ROOM, "tw/o"], &version).await.ok();
    assert_eq!(gone, json!({"count": 4, "etag": "4"}));
    let gone = delete(&alice, &[ROOM, "tw/o"], &version).await.ok();
    assert_eq!(gone, json!({"count": 4, "etag": "4"}));
    let answer = get(&alice, &[ROOM, "tw/o"], &version).await;
    answer.refused(404, "M_NOT_FOUND");
    let gone = delete(&alice, &[ROOM], &version).await.ok();
    assert_eq!(gone, json!({"count": 1, "etag": "5"}));
    let shown = get(&alice, &[ROOM], &version).await.ok();
    assert_eq!(shown, json!({"sessions": {}}));
    let gone = delete(&alice, &[], &version).await.ok();
    assert_eq!(gone, json!({"count": 0, "etag": "6"}));
    assert_eq!(get(&alice, &[], &version).await.ok(), json!({"rooms": {}}));
}

async fn the_better_key_is_kept(server: &TestServer) {
    let alice = server.user("alice").await;
    let version = create(&alice).await;
    let kept = async |new: &Value| {
        put(&alice, &[ROOM, "s"], &version, new.clone()).await.ok();
        get(&alice, &[ROOM, "s"], &version).await.ok() == *new
    };
    for (new, is_kept) in [
        (key(5, 5, false), true),
        (key(6, 0, false), false),
        (key(5, 6, false), false),
        (key(5, 4, false), true),
        (key(4, 9, false), true),
        (key(9, 9, true), true),
        (key(0, 0, false), false),
        (key(9, 9, true), true),
        (key(9, 10, true), false),
        (key(8, 10, true), true),
    ] {
        assert_eq!(kept(&new).await, is_kept, "{new}");
    }
}

async fn keys_go_to_the_current_backup(server: &TestServer) {
    let alice = server.user("alice").await;
    let old = create(&alice).await;
    put(&alice, &[ROOM, "s"], &old, key(1, 1, true)).await.ok();
    let current = create(&alice).await;
    let room = json!({"sessions": {"s": key(0, 0, true)}});
    for (place, body) in [
        (&[][..], json!({"rooms": {ROOM: &room}})),
        (&[ROOM], room.clone()),
        (&[ROOM, "s"], key(0, 0, true)),
    ] {
        let answer = put(&alice, place, &old, body).await;
        assert_eq!(answer.body["current_version"], current.as_str());
        answer.refused(403, "M_WRONG_ROOM_KEYS_VERSION");
    }
    // It can still be read, and emptied.
    let shown = get(&alice, &[ROOM, "s"], &old).await.ok();
    assert_eq!(shown, key(1, 1, true));
    delete(&alice, &[], &old).await.ok();
}

async fn unknown_backups_are_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    alice
        .get("/room_keys/version")
        .await
        .refused(404, "M_NOT_FOUND");
    let room = json!({"sessions": {"s": key(0, 0, true)}});
    for version in ["1", "0", "-1", "01", "nonsense", "99999999999999999999"] {
        let path = format!("/room_keys/version/{version}");
        alice.get(&path).await.refused(404, "M_NOT_FOUND");
        let answer = alice.put(&path, method_of("abc")).await;
        answer.refused(404, "M_NOT_FOUND");
        let answer = alice.request(Method::DELETE, &path, String::new()).await;
        answer.refused(404, "M_NOT_FOUND");
        for (place, body) in [
            (&[][..], json!({"rooms": {ROOM: &room}})),
            (&[ROOM], room.clone()),
            (&[ROOM, "s"], key(0, 0, true)),
        ] {
            let answer = get(&alice, place, version).await;
            answer.refused(404, "M_NOT_FOUND");
            let answer = put(&alice, place, version, body).await;
            answer.refused(404, "M_NOT_FOUND");
            let answer = delete(&alice, place, version).await;
            answer.refused(404, "M_NOT_FOUND");
        }
    }
    let answer = alice.get("/room_keys/keys").await;
    answer.refused(400, "M_MISSING_PARAM");
}

async fn each_user_has_their_own_backups(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let version = create(&alice).await;
    put(&alice, &[ROOM, "s"], &version, key(1, 1, true))
        .await
        .ok();
    get(&bob, &[], &version).await.refused(404, "M_NOT_FOUND");
    assert_eq!(create(&bob).await, version);
    assert_eq!(get(&bob, &[], &version).await.ok(), json!({"rooms": {}}));
    delete(&bob, &[], &version).await.ok();
    get(&alice, &[ROOM, "s"], &version).await.ok();
}

async fn keys_for_rooms_that_one_is_not_in_are_kept(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let version = create(&bob).await;
    let sessions = json!({"sessions": {"one": key(1, 1, true)}});
    put(&bob, &[&room], &version, sessions).await.ok();
    put(&bob, &[&room, "two"], &version, key(1, 1, true))
        .await
        .ok();
    get(&bob, &[&room, "one"], &version).await.ok();
    let shown = get(&bob, &[&room], &version).await.ok();
    assert_eq!(shown["sessions"].as_object().unwrap().len(), 2);
    delete(&bob, &[&room, "one"], &version).await.ok();
    let left = delete(&bob, &[&room], &version).await.ok();
    assert_eq!(left["count"], 0);
}

async fn odd_keys_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let version = create(&alice).await;
    for (name, odd) in [
        ("first_message_index", json!(-1)),
        ("first_message_index", json!("1")),
        ("forwarded_count", json!(0.5)),
        ("is_verified", json!("yes")),
        ("session_data", json!("abc")),
    ] {
        let mut body = key(1, 1, true);
        body[name] = odd;
        let answer = put(&alice, &[ROOM, "s"], &version, body).await;
        answer.refused(400, "M_BAD_JSON");
    }
    let mut missing = key(1, 1, true);
    missing.as_object_mut().unwrap().remove("session_data");
    let answer = put(&alice, &[ROOM, "s"], &version, missing).await;
    answer.refused(400, "M_MISSING_PARAM");
    let mut large = key(1, 1, true);
    large["session_data"]["ciphertext"] = "x".repeat(70_000).into();
    let answer = put(&alice, &[ROOM, "s"], &version, large).await;
    answer.refused(413, "M_TOO_LARGE");
    let long = "x".repeat(256);
    for place in [[&long, "s"], [ROOM, &long]] {
        let answer = put(&alice, &place, &version, key(1, 1, true)).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
    assert_eq!(get(&alice, &[], &version).await.ok(), json!({"rooms": {}}));
}

async fn keys_stored_side_by_side_are_counted(server: &TestServer) {
    let alice = server.user("alice").await;
    let version = create(&alice).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..5 {
        let (alice, version) = (alice.clone(), version.clone());
        tasks.spawn(async move {
            let session = format!("s{number}");
            let answer = put(&alice, &[ROOM, &session], &version, key(1, 1, true)).await;
            answer.ok();
        });
    }
    tasks.join_all().await;
    let info = alice.get("/room_keys/version").await.ok();
    assert_eq!((&info["count"], &info["etag"]), (&json!(5), &json!("5")));
}

async fn a_large_backup_is_shown_whole(server: &TestServer) {
    let alice = server.user("alice").await;
    let version = create(&alice).await;
    let mut rooms = Map::new();
    for room in 0..3 {
        let sessions = (0..400).map(|session| (format!("s{session:04}"), key(room, 0, true)));
        let sessions: Map<_, _> = sessions.collect();
        rooms.insert(format!("!r{room}:localhost"), json!({"sessions": sessions}));
    }
    let all = json!({"rooms": rooms});
    let stored = put(&alice, &[], &version, all.clone()).await.ok();
    assert_eq!(stored["count"], 1_200);
    assert_eq!(get(&alice, &[], &version).await.ok(), all);
    let path = format!("/room_keys/version/{version}");
    alice
        .request(Method::DELETE, &path, String::new())
        .await
        .ok();
}
