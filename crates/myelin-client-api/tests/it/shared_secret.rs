//! `GET` and `POST /_synapse/admin/v1/register`

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use myelin_accounts::RegistrationSettings;
use myelin_testkit::{Answer, TestServer, three_modes};
use serde_json::{Value, json};
use sha1::Sha1;

use crate::accounts::{Accounts, access_token, change_account};

three_modes!(
    who_knows_the_secret_registers,
    a_nonce_is_used_once,
    a_nonce_lives_a_minute,
    a_wrong_signature_is_refused,
    without_a_secret_there_is_nothing,
);

const PATH: &str = "/_synapse/admin/v1/register";

async fn start(beside: &TestServer) -> Option<TestServer> {
    let registration = RegistrationSettings {
        shared_secret: Some("sesame".to_owned()),
        ..RegistrationSettings::default()
    };
    TestServer::start_registering(beside.mode(), registration).await
}

async fn nonce(server: &TestServer) -> String {
    let body = server.get(PATH).await.ok();
    body["nonce"].as_str().unwrap().to_owned()
}

fn mac(parts: &[&str]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(b"sesame").unwrap();
    mac.update(parts.join("\0").as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// What the tool sends.
fn signed(nonce: &str, name: &str, admin: bool) -> Value {
    let role = if admin { "admin" } else { "notadmin" };
    json!({
        "nonce": nonce,
        "username": name,
        "password": "wonderland",
        "admin": admin,
        "mac": mac(&[nonce, name, "wonderland", role]),
    })
}

async fn register(server: &TestServer, name: &str, admin: bool) -> Answer {
    let body = signed(&nonce(server).await, name, admin);
    server.post(PATH, body).await
}

async fn who_knows_the_secret_registers(server: &TestServer) {
    let Some(server) = start(server).await else {
        return;
    };
    let api = Accounts { server: &server };
    let answer = register(&server, "alice", true).await;
    api.assert_alive(&access_token(&answer)).await;
    assert_eq!(answer.body["user_id"], "@alice:localhost");
    assert_eq!(answer.body["home_server"], "localhost");
    assert!(answer.body["device_id"].is_string());
    access_token(&api.login(json!({})).await);
    change_account(&server, "@alice:localhost", |user| assert!(user.admin)).await;
    let answer = register(&server, "bob", false).await;
    access_token(&answer);
    change_account(&server, "@bob:localhost", |user| assert!(!user.admin)).await;

    let answer = register(&server, "alice", false).await;
    assert_eq!(answer.code(), (400, "M_USER_IN_USE"));
    let answer = register(&server, "not a name", false).await;
    assert_eq!(answer.code(), (400, "M_INVALID_USERNAME"));

    let nonce = nonce(&server).await;
    let parts = [&*nonce, "carol", "wonderland", "notadmin", "bot"];
    let mut body = signed(&nonce, "carol", false);
    body["user_type"] = "bot".into();
    body["mac"] = mac(&parts).into();
    body["inhibit_login"] = true.into();
    let answer = server.post(PATH, body).await.ok();
    assert_eq!(answer.get("access_token"), None);
    server.stop().await;
}

async fn a_nonce_is_used_once(server: &TestServer) {
    let Some(server) = start(server).await else {
        return;
    };
    let nonce = nonce(&server).await;
    let register = |name| server.post(PATH, signed(&nonce, name, false));
    let (a, b) = tokio::join!(register("alice"), register("bob"));
    let mut codes = [a.code(), b.code()];
    codes.sort_unstable();
    assert_eq!(codes, [(200, ""), (400, "M_UNKNOWN")]);
    let answer = register("carol").await;
    assert_eq!(answer.code(), (400, "M_UNKNOWN"));
    server.stop().await;
}

async fn a_nonce_lives_a_minute(server: &TestServer) {
    let Some(server) = start(server).await else {
        return;
    };
    let late = nonce(&server).await;
    server.clock().advance(Duration::from_mins(1));
    let answer = server.post(PATH, signed(&late, "alice", false)).await;
    assert_eq!(answer.code(), (400, "M_UNKNOWN"));
    for made_up in ["", "1.2", "99999999999999.abc.00", "."] {
        let answer = server.post(PATH, signed(made_up, "alice", false)).await;
        assert_eq!(answer.code(), (400, "M_UNKNOWN"), "{made_up}");
    }
    server.stop().await;
}

async fn a_wrong_signature_is_refused(server: &TestServer) {
    let Some(server) = start(server).await else {
        return;
    };
    let nonce = nonce(&server).await;
    for (key, value) in [
        ("mac", json!("00")),
        ("mac", json!("not hexadecimal")),
        ("password", json!("another")),
        ("username", json!("bob")),
        ("admin", json!(true)),
        ("user_type", json!("bot")),
    ] {
        let mut body = signed(&nonce, "alice", false);
        body[key] = value;
        let answer = server.post(PATH, body).await;
        assert_eq!(answer.code(), (403, "M_FORBIDDEN"), "{key}");
    }
    let answer = server.post(PATH, json!({"nonce": nonce})).await;
    assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));
    access_token(&server.post(PATH, signed(&nonce, "alice", false)).await);
    server.stop().await;
}

async fn without_a_secret_there_is_nothing(server: &TestServer) {
    let answer = server.get(PATH).await;
    assert_eq!(answer.code(), (400, "M_UNKNOWN"));
    let answer = server.post(PATH, signed("1.2.3", "alice", false)).await;
    assert_eq!(answer.code(), (400, "M_UNKNOWN"));
}
