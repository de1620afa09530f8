//! Invitations to addresses, once an identity server knows whose these are.

use std::sync::Arc;

use http::Method;
use myelin_core::{event, signing_key::SigningKey};
use myelin_testkit::{Peer, TestServer, User, covers, encode, pdu, three_modes};
use serde_json::{Value, json};

three_modes!(
    an_invitation_is_exchanged,
    only_what_was_signed_is_exchanged,
    a_revoked_key_invites_nobody,
    a_key_without_an_address_is_always_valid,
    a_bound_address_is_invited_here,
    a_bound_address_is_invited_elsewhere,
    what_is_no_invitation_is_passed_over,
);

covers! {
    "PUT /_matrix/federation/v1/exchange_third_party_invite/{roomId}":
        works = an_invitation_is_exchanged,
        outsider = only_what_was_signed_is_exchanged;
    "PUT /_matrix/federation/v1/3pid/onbind":
        works = a_bound_address_is_invited_here;
}

const BOB: &str = "@bob:peer.example";

fn identity() -> SigningKey {
    SigningKey::from_seed("1", [7; 32])
}

fn sign(key: &SigningKey, sender: &str, mxid: &str) -> Value {
    let mut signed = json!({"mxid": mxid, "sender": sender, "token": "token"});
    let signature = key.sign_base64(signed.to_string().as_bytes());
    signed["signatures"] = json!({"identity.example": {key.key_id(): signature}});
    signed
}

/// A room of alice's with an invitation to an address.
async fn room(alice: &User) -> String {
    let room = alice.create_room().await;
    let pending = json!({
        "display_name": "b...@example.org",
        "key_validity_url": "https://identity.example/valid",
        "public_key": identity().public_key_base64(),
    });
    let set = alice.set_state(&room, "m.room.third_party_invite", "token", pending);
    set.await.ok();
    room
}

fn exchange(alice: &User, user: &str, signed: &Value) -> Value {
    json!({
        "type": "m.room.member",
        "sender": alice.id,
        "state_key": user,
        "content": {
            "membership": "invite",
            "third_party_invite": {"display_name": "bob", "signed": signed},
        },
    })
}

fn exchange_path(room: &str) -> String {
    let room = encode(room);
    format!("/_matrix/federation/v1/exchange_third_party_invite/{room}")
}

/// The identity server, which says this of its key.
fn identity_server(server: &TestServer, valid: bool) -> Arc<Peer> {
    let peer = Peer::start(server.network(), "identity.example");
    peer.answer(Method::GET, "/valid", move |_| {
        (200, json!({"valid": valid}))
    });
    peer
}

/// A peer that signs the invitations that it is sent.
fn signing_peer(server: &TestServer) -> Arc<Peer> {
    let peer = Peer::start(server.network(), "peer.example");
    let signer = peer.server.clone();
    let path = "/_matrix/federation/v2/invite/";
    peer.answer(Method::PUT, path, move |request| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let version = body["room_version"].as_str().unwrap().try_into().unwrap();
        let invite = event::parse(body["event"].to_string().as_bytes(), &version).unwrap();
        let signed = event::add_signature(&invite, &version, &signer).unwrap();
        (200, json!({"event": pdu(&signed)}))
    });
    peer
}

async fn an_invitation_is_exchanged(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(&alice).await;
    let identity_server = identity_server(server, true);
    let peer = signing_peer(server);
    let signed = sign(&identity(), &alice.id, BOB);
    let answer = peer
        .put(
            server,
            &exchange_path(&room),
            exchange(&alice, BOB, &signed),
        )
        .await
        .ok();
    assert_eq!(answer, json!({}));
    let member = alice.state(&room, "m.room.member", BOB).await.ok();
    assert_eq!(member["membership"], "invite");
    assert_eq!(member["third_party_invite"]["signed"], signed);
    let asked = peer.received();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].path.starts_with("/_matrix/federation/v2/invite/"));
    let asked = identity_server.received();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let key = encode(&identity().public_key_base64());
    assert_eq!(asked[0].path, format!("/valid?public_key={key}"));
}

async fn a_revoked_key_invites_nobody(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(&alice).await;
    let identity_server = identity_server(server, false);
    let peer = signing_peer(server);
    let signed = sign(&identity(), &alice.id, BOB);
    let exchange = async || {
        let path = exchange_path(&room);
        let answer = peer
            .put(server, &path, exchange(&alice, BOB, &signed))
            .await;
        answer.refused(403, "M_FORBIDDEN")
    };
    assert!(exchange().await.contains("it has been revoked"));
    identity_server.answer(Method::GET, "/valid", |_| (500, json!({"valid": true})));
    assert!(exchange().await.contains("identity.example answered 500"));
    identity_server.answer(Method::GET, "/valid", |_| (200, json!(["valid"])));
    assert!(exchange().await.contains("cannot be read"));
    server.network().set_cut_off("identity.example", true);
    assert!(exchange().await.contains("cannot be asked"));
    assert_eq!(peer.received().len(), 0);
    let member = alice.state(&room, "m.room.member", BOB).await;
    member.refused(404, "M_NOT_FOUND");
}

async fn a_key_without_an_address_is_always_valid(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let pending = json!({
        "display_name": "b...@example.org",
        "key_validity_url": "https://identity.example/valid",
        "public_key": SigningKey::from_seed("1", [8; 32]).public_key_base64(),
        "public_keys": [{"public_key": identity().public_key_base64()}],
    });
    let set = alice.set_state(&room, "m.room.third_party_invite", "token", pending);
    set.await.ok();
    let peer = signing_peer(server);
    let signed = sign(&identity(), &alice.id, BOB);
    let body = exchange(&alice, BOB, &signed);
    peer.put(server, &exchange_path(&room), body).await.ok();
    let member = alice.state(&room, "m.room.member", BOB).await.ok();
    assert_eq!(member["membership"], "invite");
}

async fn only_what_was_signed_is_exchanged(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = room(&alice).await;
    let peer = signing_peer(server);
    let path = exchange_path(&room);
    let good = sign(&identity(), &alice.id, BOB);
    let forged = sign(&SigningKey::from_seed("1", [8; 32]), &alice.id, BOB);
    let of_other = sign(&identity(), &alice.id, "@eve:peer.example");
    for signed in [forged, of_other] {
        let body = exchange(&alice, BOB, &signed);
        peer.put(server, &path, body)
            .await
            .refused(403, "M_FORBIDDEN");
    }
    let foreign = exchange(&alice, "@bob:other.example", &good);
    peer.put(server, &path, foreign)
        .await
        .refused(403, "M_FORBIDDEN");
    let mut from_elsewhere = exchange(&alice, BOB, &good);
    from_elsewhere["sender"] = json!("@mallory:peer.example");
    peer.put(server, &path, from_elsewhere)
        .await
        .refused(400, "M_INVALID_PARAM");
    let mut join = exchange(&alice, BOB, &good);
    join["content"]["membership"] = json!("join");
    peer.put(server, &path, join)
        .await
        .refused(400, "M_INVALID_PARAM");
    let unheard = exchange_path("!unheard:localhost");
    peer.put(server, &unheard, exchange(&alice, BOB, &good))
        .await
        .refused(404, "M_NOT_FOUND");
    let absent = alice.state(&room, "m.room.member", BOB).await;
    absent.refused(404, "M_NOT_FOUND");
}

fn bound(room: &str, sender: &str, user: &User, signed: &Value) -> Value {
    let invite = json!({
        "medium": "email",
        "address": "carol@example.org",
        "mxid": user.id,
        "room_id": room,
        "sender": sender,
        "signed": signed,
    });
    json!({
        "medium": "email",
        "address": "carol@example.org",
        "mxid": user.id,
        "invites": [invite],
    })
}

async fn tell(server: &TestServer, body: Value) -> Value {
    let request = http::Request::put("/_matrix/federation/v1/3pid/onbind");
    let request = request.body(body.to_string()).unwrap();
    server.call(request).await.ok()
}

async fn a_bound_address_is_invited_here(server: &TestServer) {
    let alice = server.user("alice").await;
    let carol = server.user("carol").await;
    let room = room(&alice).await;
    let asked = identity_server(server, true);
    let signed = sign(&identity(), &alice.id, &carol.id);
    let answer = tell(server, bound(&room, &alice.id, &carol, &signed)).await;
    assert_eq!(answer, json!({}));
    let invited = carol.sync(None).await["rooms"]["invite"][&room].clone();
    assert!(invited.is_object());
    assert_eq!(asked.received().len(), 1);
    carol.join(&room).await.ok();
}

async fn a_bound_address_is_invited_elsewhere(server: &TestServer) {
    let carol = server.user("carol").await;
    let peer = Peer::start(server.network(), "peer.example");
    let path = "/_matrix/federation/v1/exchange_third_party_invite/";
    peer.answer(Method::PUT, path, |_| (200, json!({})));
    let signed = sign(&identity(), BOB, &carol.id);
    tell(server, bound("!room:peer.example", BOB, &carol, &signed)).await;
    let asked = peer.received();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].path, format!("{path}!room:peer.example"));
    assert_eq!(asked[0].body["sender"], BOB);
    assert_eq!(asked[0].body["state_key"], carol.id);
    let told = &asked[0].body["content"]["third_party_invite"]["signed"];
    assert_eq!(*told, signed);
}

async fn what_is_no_invitation_is_passed_over(server: &TestServer) {
    let alice = server.user("alice").await;
    let carol = server.user("carol").await;
    let room = room(&alice).await;
    let forged = sign(&SigningKey::from_seed("1", [8; 32]), &alice.id, &carol.id);
    tell(server, bound(&room, &alice.id, &carol, &forged)).await;
    let signed = sign(&identity(), &alice.id, &carol.id);
    // A peer that is not there.
    tell(server, bound(&room, "@x:nowhere.example", &carol, &signed)).await;
    let told = carol.sync(None).await;
    assert!(told["rooms"]["invite"].get(&room).is_none(), "{told}");
}
