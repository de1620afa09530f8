//! An [`App`] on a database of its own, and requests to a router in process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use myelin_accounts::{
    AccountSettings, NewDevice, PasswordCost, Permission, Register, RegistrationSettings, register,
};
use myelin_core::{
    environment::{Chance, Clock},
    server::Server,
    signing_key::SigningKey,
};
use myelin_http::{App, HttpSettings};
use myelin_net::{Federation, FederationSettings, NoNetwork, Outbound, Transport};
use myelin_store::{DatabaseUrl, Store, StoreOptions};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) struct StoppedClock;

impl Clock for StoppedClock {
    fn now_ms(&self) -> u64 {
        1_767_225_600_000
    }
}

/// Different bytes each time; nobody here guesses them.
pub(crate) struct CountingChance(pub(crate) AtomicU64);

impl Chance for CountingChance {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let count = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            *byte = count.to_be_bytes()[0];
        }
    }
}

pub(crate) async fn app(directory: &TempDir) -> App {
    let settings = HttpSettings {
        body_bytes_max: 1_000,
        ..HttpSettings::default()
    };
    app_in(
        directory,
        settings,
        Arc::new(NoNetwork),
        FederationSettings::default(),
    )
    .await
}

/// An app in a network.
pub(crate) async fn app_in(
    directory: &TempDir,
    settings: HttpSettings,
    network: Arc<dyn Transport>,
    federation: FederationSettings,
) -> App {
    let url = DatabaseUrl::Sqlite(directory.path().join("myelin.db"));
    let store = Store::open(StoreOptions::new(url, "example.org"))
        .await
        .unwrap();
    let server = Server {
        name: "example.org".try_into().unwrap(),
        key: SigningKey::from_seed("test", [1; 32]),
        clock: Arc::new(StoppedClock),
        chance: Arc::new(CountingChance(AtomicU64::new(1))),
    };
    let accounts = AccountSettings::new(RegistrationSettings::default(), PasswordCost::Low);
    let server = Arc::new(server);
    let federation = Federation::new(server.clone(), store.clone(), network, federation);
    let ways = (federation, Outbound::new(Arc::new(NoNetwork)));
    App::new(server, store, Arc::new(accounts), settings, ways)
}

/// Registers a user and returns its access token.
pub(crate) async fn token(app: &App, username: &str) -> String {
    let wish = Register {
        username: Some(username.to_owned()),
        device: Some(NewDevice::default()),
        ..Register::default()
    };
    let permission = Permission::Operator;
    let account = register(&app.server, &app.store, &app.accounts, permission, wish)
        .await
        .unwrap();
    account.session.unwrap().tokens.access_token
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    pub(crate) fn error(&self) -> &str {
        self.body["error"].as_str().unwrap()
    }

    /// Status and `errcode`, the two things that clients look at.
    pub(crate) fn code(&self) -> (u16, &str) {
        let code = self.body["errcode"].as_str().unwrap_or_default();
        (self.status.as_u16(), code)
    }
}

/// One request; the body goes out under the content type that `curl -d` gives it.
pub(crate) async fn send(
    router: &Router,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: impl Into<Body>,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/x-www-form-urlencoded");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(body.into()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    assert_eq!(parts.headers["content-type"], "application/json");
    assert_eq!(parts.headers["access-control-allow-origin"], "*");
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&bytes).unwrap(),
    }
}
