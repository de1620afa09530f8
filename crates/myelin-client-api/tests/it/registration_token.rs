//! Registration with tokens: `m.login.registration_token`, and
//! `GET /_matrix/client/v1/register/m.login.registration_token/validity`

use std::{sync::Arc, time::Duration};

use myelin_accounts::{
    NewRegistrationToken, RegistrationSettings, RegistrationTokenError, Terms,
    create_registration_token, delete_registration_token,
};
use myelin_core::{environment::Clock, server::Server, signing_key::SigningKey};
use myelin_testkit::{Answer, SeededChance, TestServer, three_modes};
use serde_json::{Value, json};

use crate::{
    accounts::{Accounts, REGISTER, access_token},
    covers,
};

three_modes!(
    a_token_opens_a_closed_server,
    a_token_is_used_as_often_as_it_says,
    a_use_that_has_begun_counts,
    a_token_that_was_deleted_is_worth_nothing,
    tokens_expire,
    tokens_keep_to_the_grammar,
    a_page_takes_the_token,
);

covers! {
    "GET /_matrix/client/v1/register/m.login.registration_token/validity":
        works = a_token_opens_a_closed_server,
        403 = a_token_opens_a_closed_server;
}

const VALIDITY: &str = "/_matrix/client/v1/register/m.login.registration_token/validity";

/// A closed server and what makes tokens on it.
struct Closed {
    server: TestServer,
    maker: Server,
}

struct StoppedClock(u64);

impl Clock for StoppedClock {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

impl Closed {
    async fn start(beside: &TestServer, terms: bool) -> Option<Self> {
        let registration = RegistrationSettings {
            terms: terms.then(|| Terms {
                name: "<Rules>".to_owned(),
                url: "https://example.org/?a&b".to_owned(),
                version: "1".to_owned(),
            }),
            ..RegistrationSettings::default()
        };
        let server = TestServer::start_registering(beside.mode(), registration).await?;
        let maker = Server {
            name: "localhost".try_into().unwrap(),
            key: SigningKey::from_seed("test", [1; 32]),
            clock: Arc::new(StoppedClock(server.now_ms())),
            chance: Arc::new(SeededChance::new(99)),
        };
        Some(Self { server, maker })
    }

    async fn make(&self, new: NewRegistrationToken) -> Result<String, RegistrationTokenError> {
        create_registration_token(&self.maker, &self.server.stores()[0], new).await
    }

    async fn token(&self, uses_allowed: Option<u32>) -> String {
        let new = NewRegistrationToken {
            uses_allowed,
            ..NewRegistrationToken::default()
        };
        self.make(new).await.unwrap()
    }

    async fn register(&self, username: &str, auth: Value) -> Answer {
        let api = Accounts {
            server: &self.server,
        };
        api.register(username, json!({ "auth": auth })).await
    }

    async fn is_valid(&self, token: &str) -> Value {
        let answer = self.server.get(&format!("{VALIDITY}?token={token}")).await;
        answer.ok()["valid"].clone()
    }
}

fn with_token(token: &str, session: &Value) -> Value {
    json!({"type": "m.login.registration_token", "token": token, "session": session})
}

async fn a_token_opens_a_closed_server(server: &TestServer) {
    let Some(closed) = Closed::start(server, false).await else {
        return;
    };
    let validity = format!("{VALIDITY}?token=x");
    let answer = closed.server.get(&validity).await;
    answer.refused(403, "M_FORBIDDEN");

    let token = closed.token(None).await;
    assert_eq!(token.len(), 16);
    assert_eq!(closed.is_valid(&token).await, true);
    assert_eq!(closed.is_valid("x").await, false);
    closed
        .server
        .get(VALIDITY)
        .await
        .refused(400, "M_MISSING_PARAM");
    let challenge = closed.register("alice", Value::Null).await;
    let flows = json!([{"stages": ["m.login.registration_token"]}]);
    assert_eq!(challenge.body["flows"], flows);
    let session = &challenge.body["session"];
    let wrong = closed.register("alice", with_token("x", session)).await;
    assert_eq!(wrong.code(), (401, "M_UNAUTHORIZED"));
    assert_eq!(wrong.body["flows"], flows);
    let dummy = json!({"type": "m.login.dummy", "session": session});
    let answer = closed.register("alice", dummy).await;
    assert_eq!(answer.code(), (401, "M_UNRECOGNIZED"));
    access_token(&closed.register("alice", with_token(&token, session)).await);
    // In one request, too.
    access_token(
        &closed
            .register("bob", with_token(&token, &Value::Null))
            .await,
    );
    closed.server.stop().await;
}

async fn a_token_is_used_as_often_as_it_says(server: &TestServer) {
    let Some(closed) = Closed::start(server, false).await else {
        return;
    };
    let token = closed.token(Some(2)).await;
    let register = |name| closed.register(name, with_token(&token, &Value::Null));
    let (a, b, c) = tokio::join!(register("alice"), register("bob"), register("carol"));
    let mut statuses = [a.status, b.status, c.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 401], "{a:?} {b:?} {c:?}");
    assert_eq!(closed.is_valid(&token).await, false);
    let answer = register("dave").await;
    assert_eq!(answer.code(), (401, "M_UNAUTHORIZED"));
    closed.server.stop().await;
}

/// With terms to be accepted after it, the token is held by a session meanwhile.
async fn a_use_that_has_begun_counts(server: &TestServer) {
    let Some(closed) = Closed::start(server, true).await else {
        return;
    };
    let token = closed.token(Some(1)).await;
    let challenge = closed.register("alice", Value::Null).await;
    let stages = json!(["m.login.registration_token", "m.login.terms"]);
    assert_eq!(challenge.body["flows"], json!([{ "stages": stages }]));
    let session = &challenge.body["session"];
    let terms = json!({"type": "m.login.terms", "session": session});
    // Not before the token.
    let answer = closed.register("alice", terms.clone()).await;
    assert_eq!(answer.code(), (401, "M_UNRECOGNIZED"));
    let held = closed.register("alice", with_token(&token, session)).await;
    assert_eq!(held.status, 401);
    assert_eq!(held.body.get("errcode"), None);
    assert_eq!(
        held.body["completed"],
        json!(["m.login.registration_token"])
    );
    // Done is done, whatever is sent for it.
    let again = closed.register("alice", with_token("x", session)).await;
    assert_eq!(again.body, held.body);

    assert_eq!(closed.is_valid(&token).await, false);
    let other = closed
        .register("bob", with_token(&token, &Value::Null))
        .await;
    assert_eq!(other.code(), (401, "M_UNAUTHORIZED"));
    access_token(&closed.register("alice", terms).await);
    assert_eq!(closed.is_valid(&token).await, false);

    // A session that comes to nothing gives the use back.
    let token = closed.token(Some(1)).await;
    let held = closed
        .register("bob", with_token(&token, &Value::Null))
        .await;
    assert_eq!(held.body["completed"].as_array().unwrap().len(), 1);
    assert_eq!(closed.is_valid(&token).await, false);
    closed.server.clock().advance(Duration::from_mins(15));
    assert_eq!(closed.is_valid(&token).await, true);
    closed.server.stop().await;
}

async fn a_token_that_was_deleted_is_worth_nothing(server: &TestServer) {
    let Some(closed) = Closed::start(server, true).await else {
        return;
    };
    let token = closed.token(None).await;
    let held = closed
        .register("alice", with_token(&token, &Value::Null))
        .await;
    let session = &held.body["session"];
    let store = &closed.server.stores()[0];
    assert!(delete_registration_token(store, &token).await.unwrap());
    assert!(!delete_registration_token(store, &token).await.unwrap());
    closed.token(None).await;
    let terms = json!({"type": "m.login.terms", "session": session});
    let answer = closed.register("alice", terms).await;
    assert_eq!(answer.code(), (401, "M_FORBIDDEN"));
    closed.server.stop().await;
}

async fn tokens_expire(server: &TestServer) {
    let Some(closed) = Closed::start(server, false).await else {
        return;
    };
    let new = NewRegistrationToken {
        expires_ms: Some(closed.server.now_ms() + 1_000),
        ..NewRegistrationToken::default()
    };
    let token = closed.make(new).await.unwrap();
    assert_eq!(closed.is_valid(&token).await, true);
    closed.server.clock().advance(Duration::from_secs(1));
    assert_eq!(closed.is_valid(&token).await, false);
    let answer = closed
        .register("alice", with_token(&token, &Value::Null))
        .await;
    assert_eq!(answer.code(), (401, "M_UNAUTHORIZED"));
    closed.server.stop().await;
}

async fn tokens_keep_to_the_grammar(server: &TestServer) {
    let Some(closed) = Closed::start(server, false).await else {
        return;
    };
    let named = |name: &str| NewRegistrationToken {
        token: Some(name.to_owned()),
        ..NewRegistrationToken::default()
    };
    for name in ["", "a b", "ä", &"x".repeat(65)] {
        let made = closed.make(named(name)).await;
        assert!(
            matches!(made, Err(RegistrationTokenError::Invalid)),
            "{name}"
        );
    }
    assert_eq!(closed.make(named("Aa0._~-")).await.unwrap(), "Aa0._~-");
    let twice = closed.make(named("Aa0._~-")).await;
    assert!(matches!(twice, Err(RegistrationTokenError::Exists)));
    closed.server.stop().await;
}

async fn a_page_takes_the_token(server: &TestServer) {
    let Some(closed) = Closed::start(server, true).await else {
        return;
    };
    let token = closed.token(Some(1)).await;
    let api = Accounts {
        server: &closed.server,
    };
    let challenge = api.post(REGISTER, json!({})).await;
    let session = challenge.body["session"].as_str().unwrap();
    let page = |stage| format!("/_matrix/client/v3/auth/{stage}/fallback/web?session={session}");
    let path = page("m.login.registration_token");
    let shown = closed.server.get(&path).await;
    assert!(shown.text.contains("name=\"token\""), "{}", shown.text);
    let wrong = closed.server.post_text(&path, "token=x").await;
    assert_eq!(wrong.status, 401);
    let form = format!("token={token}");
    assert_eq!(closed.server.post_text(&path, &form).await.status, 200);

    let path = page("m.login.terms");
    let shown = closed.server.get(&path).await;
    for text in [
        "&lt;Rules&gt;",
        "https://example.org/?a&amp;b",
        "to make an account",
    ] {
        assert!(shown.text.contains(text), "{}", shown.text);
    }
    assert_eq!(closed.server.post_text(&path, "").await.status, 200);
    access_token(
        &closed
            .register("alice", json!({ "session": session }))
            .await,
    );
    closed.server.stop().await;
}
