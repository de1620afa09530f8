//! `GET /_matrix/client/v3/capabilities`, `GET /_matrix/client/v3/voip/turnServer`,
//! `GET /.well-known/matrix/client`, `GET /.well-known/matrix/support` and
//! `GET /.well-known/matrix/policy_server`

use myelin_http::{HttpSettings, Support};
use myelin_testkit::{TestServer, three_modes};
use serde_json::{Value, json};

use crate::{accounts::change_account, covers};

three_modes!(
    says_what_it_can,
    says_to_administrators_that_they_may_moderate,
    says_that_it_has_no_turn_server,
    says_where_it_is,
    says_who_helps,
    says_the_key_of_its_policy_server,
    says_nothing_that_is_not_configured,
);

covers! {
    "GET /_matrix/client/v3/capabilities":
        works = says_what_it_can;
    "GET /_matrix/client/v3/voip/turnServer":
        works = says_that_it_has_no_turn_server;
    "GET /.well-known/matrix/client":
        works = says_where_it_is,
        404 = says_nothing_that_is_not_configured;
    "GET /.well-known/matrix/support":
        works = says_who_helps,
        404 = says_nothing_that_is_not_configured;
    "GET /.well-known/matrix/policy_server":
        works = says_the_key_of_its_policy_server,
        404 = says_the_key_of_its_policy_server;
}

const CLIENT: &str = "/.well-known/matrix/client";
const SUPPORT: &str = "/.well-known/matrix/support";

async fn says_what_it_can(server: &TestServer) {
    let alice = server.user("alice").await;
    let answer = alice.get("/capabilities").await.ok();
    let capabilities = &answer["capabilities"];
    let versions = &capabilities["m.room_versions"];
    assert_eq!(versions["default"], "12");
    let available = versions["available"].as_object().unwrap();
    assert_eq!(available.len(), 12);
    assert!(available.values().all(|stability| stability == "stable"));
    for version in available.keys() {
        let body = json!({"room_version": version});
        alice.post("/createRoom", body).await.ok();
    }
    for (capability, enabled) in [
        ("m.change_password", true),
        ("m.set_displayname", true),
        ("m.set_avatar_url", true),
        ("m.profile_fields", true),
        ("m.get_login_token", true),
        ("m.3pid_changes", false),
        ("m.forget_forced_upon_leave", false),
    ] {
        assert_eq!(capabilities[capability]["enabled"], enabled, "{capability}");
    }
}

async fn says_to_administrators_that_they_may_moderate(server: &TestServer) {
    let alice = server.user("alice").await;
    let moderation = async || {
        let answer = alice.get("/capabilities").await.ok();
        answer["capabilities"]["m.account_moderation"].clone()
    };
    assert_eq!(moderation().await, json!(null));
    change_account(server, &alice.id, |user| user.admin = true).await;
    assert_eq!(moderation().await, json!({"lock": true, "suspend": true}));
}

async fn says_that_it_has_no_turn_server(server: &TestServer) {
    let alice = server.user("alice").await;
    assert_eq!(alice.get("/voip/turnServer").await.ok(), json!({}));
}

async fn says_where_it_is(server: &TestServer) {
    let answer = server.get(CLIENT).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    let base_url = "http://localhost:8008";
    assert_eq!(answer.ok(), json!({"m.homeserver": {"base_url": base_url}}));
}

async fn says_the_key_of_its_policy_server(server: &TestServer) {
    let path = "/.well-known/matrix/policy_server";
    server.get(path).await.refused(404, "M_NOT_FOUND");
    let key = "6yhHGKhCiXTSEN2ksjV7kX_N6rBQZ3Xb-M7LlC6NS-s";
    let settings = HttpSettings {
        policy_server_key: key.to_owned(),
        ..HttpSettings::default()
    };
    server.restart_with(settings).await;
    let answer = server.get(path).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(answer.ok(), json!({"public_keys": {"ed25519": key}}));
}

async fn says_who_helps(server: &TestServer) {
    let told = async |support: Support| -> Value {
        let settings = HttpSettings {
            support,
            ..HttpSettings::default()
        };
        server.restart_with(settings).await;
        server.get(SUPPORT).await.ok()
    };
    let all = Support {
        page: "https://example.org/help".to_owned(),
        admin_matrix_id: "@admin:example.org".to_owned(),
        admin_email: "admin@example.org".to_owned(),
        security_email: "security@example.org".to_owned(),
    };
    let admin = json!({
        "role": "m.role.admin",
        "matrix_id": "@admin:example.org",
        "email_address": "admin@example.org",
    });
    let security = json!({"role": "m.role.security", "email_address": "security@example.org"});
    assert_eq!(
        told(all.clone()).await,
        json!({"support_page": "https://example.org/help", "contacts": [admin, security]})
    );
    let only_page = Support {
        page: all.page,
        ..Support::default()
    };
    let answer = told(only_page).await;
    assert_eq!(answer, json!({"support_page": "https://example.org/help"}));
    let only_security = Support {
        security_email: all.security_email,
        ..Support::default()
    };
    assert_eq!(told(only_security).await, json!({"contacts": [security]}));
}

async fn says_nothing_that_is_not_configured(server: &TestServer) {
    server.get(SUPPORT).await.refused(404, "M_NOT_FOUND");
    let settings = HttpSettings {
        base_url: String::new(),
        ..HttpSettings::default()
    };
    server.restart_with(settings).await;
    server.get(CLIENT).await.refused(404, "M_NOT_FOUND");
}
