//! Guests: `POST /_matrix/client/v3/register?kind=guest`, what they may call, and how they stay.

use http::Method;
use myelin_accounts::RegistrationSettings;
use myelin_testkit::{Answer, TestServer, User, encode, three_modes, wait_until};
use serde_json::{Value, json};

use crate::accounts::{Accounts, REGISTER, WHOAMI, access_token};

three_modes!(
    a_guest_is_registered_without_further_ado,
    a_guest_calls_what_the_specification_allows,
    a_guest_becomes_a_user_of_the_same_name,
    nobody_becomes_somebody_else,
    a_guest_stays_as_long_as_the_room_lets_guests_in,
);

async fn start(beside: &TestServer) -> Option<TestServer> {
    let registration = RegistrationSettings {
        open: true,
        guests: true,
        ..RegistrationSettings::default()
    };
    TestServer::start_registering(beside.mode(), registration).await
}

async fn guest(server: &TestServer, body: Value) -> Answer {
    server.post(&format!("{REGISTER}?kind=guest"), body).await
}

async fn a_guest_is_registered_without_further_ado(server: &TestServer) {
    let Some(server) = start(server).await else {
        return;
    };
    let api = Accounts { server: &server };
    let body = json!({"username": "alice", "password": "x", "device_id": "MINE"});
    let answer = guest(&server, body).await;
    let token = access_token(&answer);
    assert_ne!(answer.body["user_id"], "@alice:localhost");
    assert_ne!(answer.body["device_id"], "MINE");
    let whoami = api.get(WHOAMI, &token).await.ok();
    assert_eq!(whoami["is_guest"], true);
    assert_eq!(whoami["user_id"], answer.body["user_id"]);
    server.stop().await;
}

async fn a_guest_calls_what_the_specification_allows(server: &TestServer) {
    let Some(server) = start(server).await else {
        return;
    };
    let api = Accounts { server: &server };
    let token = access_token(&guest(&server, json!({})).await);
    for path in ["/sync", "/devices", "/account/whoami"] {
        let answer = api.get(&format!("/_matrix/client/v3{path}"), &token).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    for (method, path) in [
        (Method::POST, "/createRoom"),
        (Method::POST, "/rooms/!a:localhost/invite"),
        (Method::POST, "/account/password"),
        (Method::POST, "/delete_devices"),
        (Method::DELETE, "/devices/X"),
        (Method::GET, "/admin/whois/@alice:localhost"),
    ] {
        let path = format!("/_matrix/client/v3{path}");
        let answer = api.call(method, &path, &token, json!({})).await;
        assert_eq!(answer.code(), (403, "M_GUEST_ACCESS_FORBIDDEN"), "{path}");
    }
    api.post_as("/_matrix/client/v3/logout", &token).await.ok();
    server.stop().await;
}

async fn a_guest_becomes_a_user_of_the_same_name(server: &TestServer) {
    let Some(server) = start(server).await else {
        return;
    };
    let api = Accounts { server: &server };
    let answer = guest(&server, json!({})).await;
    let token = access_token(&answer);
    let id = answer.body["user_id"].as_str().unwrap();
    let name = id.trim_start_matches('@').trim_end_matches(":localhost");
    let taken = api.register(name, json!({})).await;
    assert_eq!(taken.code(), (400, "M_USER_IN_USE"));
    let upgraded = api
        .register(name, json!({ "guest_access_token": token }))
        .await;
    assert_eq!(upgraded.body["user_id"], id);
    let whoami = api.get(WHOAMI, &access_token(&upgraded)).await.ok();
    assert_ne!(whoami["is_guest"], true);
    let login = json!({"identifier": {"type": "m.id.user", "user": id}});
    access_token(&api.login(login).await);
    // Only once: it is no guest's token any more.
    let again = api
        .register(name, json!({ "guest_access_token": token }))
        .await;
    assert_eq!(again.code(), (403, "M_FORBIDDEN"));
    server.stop().await;
}

async fn nobody_becomes_somebody_else(server: &TestServer) {
    let Some(server) = start(server).await else {
        return;
    };
    let api = Accounts { server: &server };
    let alice = access_token(&api.register("alice", json!({})).await);
    let token = access_token(&guest(&server, json!({})).await);
    for (name, token) in [("alice", &token), ("bob", &token), ("alice", &alice)] {
        let keys = json!({ "guest_access_token": token });
        let answer = api.register(name, keys).await;
        assert_eq!(answer.code(), (403, "M_FORBIDDEN"), "{name}");
    }
    let keys = json!({"guest_access_token": token, "username": null});
    let answer = api.register("", keys).await;
    assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));
    server.stop().await;
}

async fn a_guest_stays_as_long_as_the_room_lets_guests_in(server: &TestServer) {
    let Some(server) = start(server).await else {
        return;
    };
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let guest = server.user_from(&guest(&server, json!({})).await.ok());
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let join = format!("/rooms/{}/join", encode(&room));
    let refused = guest.post(&join, json!({})).await;
    assert_eq!(refused.status, 403, "{refused:?}");

    let access = |access: &str| {
        let content = json!({ "guest_access": access });
        alice.set_state(&room, "m.room.guest_access", "", content)
    };
    access("can_join").await.ok();
    guest.post(&join, json!({})).await.ok();
    guest.send(&room, "hello").await;
    access("forbidden").await.ok();
    let membership = async |user: &User| {
        let body = alice.state(&room, "m.room.member", &user.id).await.ok();
        body["membership"].clone()
    };
    wait_until("the guest is gone", async || {
        membership(&guest).await == "leave"
    })
    .await;
    assert_eq!(membership(&bob).await, "join");
    server.stop().await;
}
