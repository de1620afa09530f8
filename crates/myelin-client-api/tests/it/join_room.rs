//! `POST /_matrix/client/v3/join/{roomIdOrAlias}` and `POST /_matrix/client/v3/rooms/{roomId}/join`

use http::Method;
use myelin_core::signing_key::SigningKey;
use myelin_testkit::{Peer, TestServer, encode, text, three_modes};
use serde_json::json;

use crate::{
    covers,
    membership::{act, member},
};

three_modes!(
    joins_a_public_room_by_id_and_alias,
    joins_without_a_body,
    says_why,
    joins_a_private_room_only_with_an_invite,
    joining_twice_does_nothing,
    rejoins_after_leaving,
    refuses_rooms_that_are_not_there,
    refuses_what_is_no_room,
    the_banned_stay_out,
    joins_with_what_an_identity_server_has_signed,
    refuses_bad_bodies,
);

covers! {
    "POST /_matrix/client/v3/join/{roomIdOrAlias}":
        works = joins_a_public_room_by_id_and_alias,
        403 = joins_a_private_room_only_with_an_invite;
    "POST /_matrix/client/v3/rooms/{roomId}/join":
        works = joins_a_public_room_by_id_and_alias,
        403 = the_banned_stay_out,
        outsider = says_why;
}

/// Clients that have nothing to say send nothing at all.
async fn joins_without_a_body(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let paths = [
        format!("/join/{}", encode(&room)),
        format!("/rooms/{}/join", encode(&room)),
    ];
    for (name, path) in ["bob", "carol"].into_iter().zip(paths) {
        let user = server.user(name).await;
        user.request(Method::POST, &path, String::new()).await.ok();
    }
}

async fn joins_a_public_room_by_id_and_alias(server: &TestServer) {
    let alice = server.user("alice").await;
    let request = json!({"preset": "public_chat", "room_alias_name": "tea"});
    let room = alice.create_room_with(request).await;
    let paths = [
        format!("/join/{}", encode(&room)),
        format!("/join/{room}"),
        "/join/%23tea%3Alocalhost".to_owned(),
        format!("/rooms/{}/join", encode(&room)),
    ];
    for (number, path) in paths.iter().enumerate() {
        let user = server.user(&format!("user{number}")).await;
        let answer = user.post(path, json!({})).await.ok();
        assert_eq!(text(&answer, "room_id"), room, "{path}");
        user.send(&room, "here I am").await;
        let member = alice.state(&room, "m.room.member", &user.id).await.ok();
        assert_eq!(member["membership"], "join");
    }
}

async fn joins_a_private_room_only_with_an_invite(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await.ok();
}

async fn joining_twice_does_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let newest = async || alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"].clone();
    let before = newest().await;
    for _ in 0..3 {
        assert_eq!(text(&alice.join(&room).await.ok(), "room_id"), room);
    }
    assert_eq!(newest().await, before);
}

async fn rejoins_after_leaving(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    bob.leave(&room).await.ok();
    bob.join(&room).await.ok();
    bob.send(&room, "back again").await;
}

async fn refuses_rooms_that_are_not_there(server: &TestServer) {
    let alice = server.user("alice").await;
    alice
        .join("!nowhere:localhost")
        .await
        .refused(404, "M_NOT_FOUND");
    alice
        .join("#nowhere:localhost")
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn refuses_what_is_no_room(server: &TestServer) {
    let alice = server.user("alice").await;
    for name in ["nonsense", "@alice:localhost", "#", "%00"] {
        let answer = alice.join(name).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text);
        answer.refused(400, "M_INVALID_PARAM");
    }
}

async fn says_why(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    for (name, path) in [
        ("bob", format!("/rooms/{room}/join")),
        ("carol", format!("/join/{room}?via=localhost")),
    ] {
        let user = server.user(name).await;
        user.post(&path, json!({"reason": "curious"})).await.ok();
        assert_eq!(member(&alice, &room, &user).await["reason"], "curious");
    }
}

async fn the_banned_stay_out(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    act(&alice, &room, "ban", json!({"user_id": bob.id}))
        .await
        .ok();
    act(&bob, &room, "join", json!({}))
        .await
        .refused(403, "M_FORBIDDEN");
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
}

async fn joins_with_what_an_identity_server_has_signed(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let identity = SigningKey::from_seed("1", [7; 32]);
    let identity_server = Peer::start(server.network(), "identity.example");
    identity_server.answer(Method::GET, "/valid", |_| (200, json!({"valid": true})));
    for version in ["6", "12"] {
        let room = alice
            .create_room_with(json!({"room_version": version}))
            .await;
        let signed = sign(&identity, &alice.id, &bob.id);
        let body = |signed: &serde_json::Value| json!({"third_party_signed": signed});
        act(&bob, &room, "join", body(&signed))
            .await
            .refused(403, "M_FORBIDDEN");
        let pending = json!({
            "display_name": "b...@example.org",
            "key_validity_url": "https://identity.example/valid",
            "public_key": identity.public_key_base64(),
        });
        alice
            .set_state(&room, "m.room.third_party_invite", "token", pending)
            .await
            .ok();
        // Signed for another user, or by another server.
        let other = server.user(&format!("carol{version}")).await;
        act(&other, &room, "join", body(&signed))
            .await
            .refused(403, "M_FORBIDDEN");
        let forged = sign(&SigningKey::from_seed("1", [8; 32]), &alice.id, &bob.id);
        act(&bob, &room, "join", body(&forged))
            .await
            .refused(403, "M_FORBIDDEN");
        for answer in [json!({"valid": false}), json!({})] {
            identity_server.answer(Method::GET, "/valid", move |_| (200, answer.clone()));
            let refused = act(&bob, &room, "join", body(&signed)).await;
            let message = refused.refused(403, "M_FORBIDDEN");
            assert!(message.contains("key of the identity server"), "{message}");
        }
        identity_server.answer(Method::GET, "/valid", |_| (200, json!({"valid": true})));
        act(&bob, &room, "join", body(&signed)).await.ok();
        assert_eq!(member(&alice, &room, &bob).await["membership"], "join");
        let page = alice.messages(&room, "dir=b&limit=2").await.ok();
        let invite = &page["chunk"][1];
        assert_eq!(invite["sender"], alice.id, "{page}");
        assert_eq!(
            invite["content"]["third_party_invite"]["signed"], signed,
            "{page}"
        );
    }
}

fn sign(key: &SigningKey, sender: &str, mxid: &str) -> serde_json::Value {
    let mut signed = json!({"mxid": mxid, "sender": sender, "token": "token"});
    let signature = key.sign_base64(signed.to_string().as_bytes());
    signed["signatures"] = json!({"identity.example": {key.key_id(): signature}});
    signed
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    for path in [format!("/rooms/{room}/join"), format!("/join/{room}")] {
        for body in [
            json!([]),
            json!({"reason": 5}),
            json!({"third_party_signed": 5}),
        ] {
            alice.post(&path, body).await.refused(400, "M_BAD_JSON");
        }
    }
}
