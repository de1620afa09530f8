//! `POST /_matrix/client/v3/user/{userId}/filter` and
//! `GET /_matrix/client/v3/user/{userId}/filter/{filterId}`

use http::Method;
use myelin_testkit::{TestServer, encode, text, three_modes};
use serde_json::json;

use crate::covers;

three_modes!(
    what_is_uploaded_can_be_read,
    the_same_filter_has_the_same_id,
    an_unknown_filter_is_not_found,
    each_user_has_their_own,
    what_is_no_filter_is_refused,
);

covers! {
    "POST /_matrix/client/v3/user/{userId}/filter":
        works = what_is_uploaded_can_be_read,
        400 = what_is_no_filter_is_refused,
        other_user = each_user_has_their_own;
    "GET /_matrix/client/v3/user/{userId}/filter/{filterId}":
        works = what_is_uploaded_can_be_read,
        404 = an_unknown_filter_is_not_found,
        other_user = each_user_has_their_own;
}

fn path(user: &str) -> String {
    format!("/user/{}/filter", encode(user))
}

async fn what_is_uploaded_can_be_read(server: &TestServer) {
    let alice = server.user("alice").await;
    for filter in [
        json!({}),
        json!({
            "room": {
                "timeline": {"limit": 10, "types": ["m.room.*"], "not_senders": ["@a:b"]},
                "state": {"lazy_load_members": true},
                "include_leave": true,
            },
            "event_fields": ["type", "content.body"],
            "event_format": "client",
            "org.example.unknown": [1, 2],
        }),
    ] {
        let answer = alice.post(&path(&alice.id), filter.clone()).await.ok();
        let id = text(&answer, "filter_id");
        assert!(!id.starts_with('{'));
        let path = format!("{}/{}", path(&alice.id), encode(&id));
        assert_eq!(alice.get(&path).await.ok(), filter);
    }
}

async fn the_same_filter_has_the_same_id(server: &TestServer) {
    let alice = server.user("alice").await;
    let upload = async |body: &str| {
        let path = path(&alice.id);
        let answer = alice.request(Method::POST, &path, body.to_owned()).await;
        text(&answer.ok(), "filter_id")
    };
    let first = upload(r#"{"room": {"rooms": []}, "presence": {}}"#).await;
    let same = upload(r#"{"presence":{},"room":{"rooms":[]}}"#).await;
    assert_eq!(first, same);
    assert_ne!(first, upload("{}").await);
}

async fn an_unknown_filter_is_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    for id in ["0", "nonsense", "a%00b"] {
        let path = format!("{}/{id}", path(&alice.id));
        alice.get(&path).await.refused(404, "M_NOT_FOUND");
    }
}

async fn each_user_has_their_own(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let answer = alice.post(&path(&alice.id), json!({})).await.ok();
    let id = text(&answer, "filter_id");
    bob.post(&path(&alice.id), json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    bob.get(&format!("{}/{id}", path(&alice.id)))
        .await
        .refused(403, "M_FORBIDDEN");
    bob.get(&format!("{}/{id}", path(&bob.id)))
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn what_is_no_filter_is_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    for (body, errcode) in [
        ("[]", "M_BAD_JSON"),
        ("{", "M_NOT_JSON"),
        (r#"{"room": 1}"#, "M_BAD_JSON"),
        (
            r#"{"room": {"timeline": {"types": "m.room.message"}}}"#,
            "M_BAD_JSON",
        ),
        (r#"{"event_format": "odd"}"#, "M_BAD_JSON"),
    ] {
        let path = path(&alice.id);
        let answer = alice.request(Method::POST, &path, body.to_owned()).await;
        assert_eq!(answer.code(), (400, errcode), "{body}");
    }
    let large = json!({"room": {"rooms": ["x".repeat(70_000)]}});
    let answer = alice.post(&path(&alice.id), large).await;
    answer.refused(413, "M_TOO_LARGE");
}
