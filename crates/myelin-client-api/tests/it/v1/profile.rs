//! `GET /_matrix/client/api/v1/profile/{userId}` and its parts

use http::Method;
use myelin_testkit::{TestServer, encode, three_modes};
use serde_json::json;

use super::{call, put};

three_modes!(
    what_is_not_set_is_null,
    what_is_set_is_shown_in_rooms,
    others_cannot_set_it,
);

async fn what_is_not_set_is_null(server: &TestServer) {
    let alice = server.user("alice").await;
    let path = format!("/profile/{}", encode(&alice.id));
    let profile = call(server, Method::GET, &path, "").await.ok();
    assert_eq!(profile, json!({"displayname": null, "avatar_url": null}));
    for key in ["displayname", "avatar_url"] {
        let field = call(server, Method::GET, &format!("{path}/{key}"), "").await;
        assert_eq!(field.ok(), json!({key: null}));
    }
    let path = "/profile/%40nobody%3Alocalhost";
    call(server, Method::GET, path, "")
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn what_is_set_is_shown_in_rooms(server: &TestServer) {
    let alice = server.user("alice").await;
    let path = format!("/profile/{}/displayname", encode(&alice.id));
    let body = json!({"displayname": "Alice"});
    put(server, &alice, &path, body.clone()).await.ok();
    assert_eq!(call(server, Method::GET, &path, "").await.ok(), body);
    let room = alice.create_room().await;
    let member = alice.state(&room, "m.room.member", &alice.id).await.ok();
    assert_eq!(member["displayname"], "Alice");
    put(server, &alice, &path, json!({"displayname": null}))
        .await
        .ok();
    let unset = json!({"displayname": null});
    assert_eq!(call(server, Method::GET, &path, "").await.ok(), unset);
}

async fn others_cannot_set_it(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let path = format!("/profile/{}/displayname", encode(&alice.id));
    put(server, &bob, &path, json!({"displayname": "Bob"}))
        .await
        .refused(403, "M_FORBIDDEN");
    put(server, &alice, &path, json!({"displayname": 5}))
        .await
        .refused(400, "M_BAD_JSON");
}
