//! `GET /_matrix/client/api/v1/publicRooms`, and
//! `GET`, `PUT` and `DELETE /_matrix/client/api/v1/directory/room/{roomAlias}`

use http::Method;
use myelin_testkit::{TestServer, text, three_modes};
use serde_json::json;

use super::{call, get, post, put, with_token};

three_modes!(
    lists_public_rooms_that_have_an_alias,
    names_and_unnames_rooms,
    strangers_name_nothing,
    refuses_what_is_no_alias,
);

const TEA: &str = "/directory/room/%23tea%3Alocalhost";

async fn lists_public_rooms_that_have_an_alias(server: &TestServer) {
    let alice = server.user("alice").await;
    for body in [
        json!({}),
        json!({"visibility": "private", "room_alias_name": "private"}),
    ] {
        post(server, &alice, "/createRoom", body).await.ok();
    }
    let body = json!({"room_alias_name": "kitchen", "name": "Kitchen", "topic": "Dinner"});
    let room = post(server, &alice, "/createRoom", body).await.ok();
    let list = get(server, &alice, "/publicRooms").await.ok();
    let wanted = json!([{
        "aliases": ["#kitchen:localhost"],
        "name": "Kitchen",
        "num_joined_members": 1,
        "room_id": room["room_id"],
        "topic": "Dinner",
    }]);
    assert_eq!(list["chunk"], wanted);
    assert_eq!(
        (&list["start"], &list["end"]),
        (&json!("START"), &json!("END"))
    );
}

async fn names_and_unnames_rooms(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = post(server, &alice, "/createRoom", json!({})).await.ok();
    let room = text(&room, "room_id");
    call(server, Method::GET, TEA, "")
        .await
        .refused(404, "M_NOT_FOUND");
    put(server, &alice, TEA, json!({"room_id": room}))
        .await
        .ok();
    let found = call(server, Method::GET, TEA, "").await.ok();
    assert_eq!(found, json!({"room_id": room, "servers": ["localhost"]}));
    let path = with_token(&alice, TEA);
    let answer = call(server, Method::DELETE, &path, "").await;
    assert_eq!(answer.ok(), json!({}));
    call(server, Method::GET, TEA, "")
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn strangers_name_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let body = json!({"room_alias_name": "tea"});
    let room = post(server, &alice, "/createRoom", body).await.ok();
    let path = with_token(&bob, TEA);
    call(server, Method::DELETE, &path, "")
        .await
        .refused(403, "M_FORBIDDEN");
    let path = "/directory/room/%23coffee%3Alocalhost";
    put(server, &bob, path, json!({"room_id": room["room_id"]}))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn refuses_what_is_no_alias(server: &TestServer) {
    let alice = server.user("alice").await;
    call(server, Method::GET, "/directory/room/tea", "")
        .await
        .refused(400, "M_INVALID_PARAM");
    put(server, &alice, TEA, json!({}))
        .await
        .refused(400, "M_BAD_JSON");
    put(server, &alice, TEA, json!({"room_id": "tea"}))
        .await
        .refused(400, "M_INVALID_PARAM");
}
