//! `GET /_matrix/client/v1/mutual_rooms`

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    shows_the_rooms_in_which_both_are,
    shows_them_in_parts,
    shows_nothing_with_who_is_unknown,
    refuses_what_is_no_other_user,
);

covers! {
    "GET /_matrix/client/v1/mutual_rooms":
        works = shows_the_rooms_in_which_both_are,
        400 = refuses_what_is_no_other_user;
}

fn path(user: &str) -> String {
    format!("/_matrix/client/v1/mutual_rooms?user_id={}", encode(user))
}

async fn mutual(user: &User, other: &str) -> Value {
    user.get(&path(other)).await.ok()
}

async fn shows_the_rooms_in_which_both_are(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let [one, left, invited, _] = [
        alice.create_public_room().await,
        alice.create_public_room().await,
        alice.create_public_room().await,
        alice.create_public_room().await,
    ];
    bob.join(&one).await.ok();
    bob.join(&left).await.ok();
    bob.leave(&left).await.ok();
    alice.invite(&invited, &bob).await.ok();
    let shared = json!({"joined": [one], "count": 1});
    assert_eq!(mutual(&alice, &bob.id).await, shared);
    assert_eq!(mutual(&bob, &alice.id).await, shared);
    let nothing = json!({"joined": [], "count": 0});
    assert_eq!(mutual(&carol, &alice.id).await, nothing);
}

async fn shows_them_in_parts(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let mut rooms = std::collections::BTreeSet::new();
    for _ in 0..103 {
        let room = alice.create_public_room().await;
        bob.join(&room).await.ok();
        rooms.insert(room);
    }
    let first = mutual(&alice, &bob.id).await;
    assert_eq!(first["joined"].as_array().unwrap().len(), 100);
    assert_eq!(first["count"], 103);
    let token = text(&first, "next_batch");
    let rest = format!("{}&from={}", path(&bob.id), encode(&token));
    let rest = alice.get(&rest).await.ok();
    assert_eq!(rest["joined"].as_array().unwrap().len(), 3);
    assert_eq!(rest["count"], 103);
    assert!(rest["next_batch"].is_null(), "{rest}");
    for part in [first, rest] {
        for room in part["joined"].as_array().unwrap() {
            assert!(rooms.remove(room.as_str().unwrap()), "{room}");
        }
    }
    assert!(rooms.is_empty());
}

async fn shows_nothing_with_who_is_unknown(server: &TestServer) {
    let alice = server.user("alice").await;
    for other in ["@nobody:localhost", "@x:elsewhere.example"] {
        let nothing = json!({"joined": [], "count": 0});
        assert_eq!(mutual(&alice, other).await, nothing);
    }
}

async fn refuses_what_is_no_other_user(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    for query in [
        path("nonsense"),
        path(&alice.id),
        format!("{}&from=nonsense", path(&bob.id)),
        format!("{}&from=-1", path(&bob.id)),
    ] {
        let answer = alice.get(&query).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{query}");
    }
    alice
        .get("/_matrix/client/v1/mutual_rooms")
        .await
        .refused(400, "M_MISSING_PARAM");
}
