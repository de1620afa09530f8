//! Accounts and sessions through the router.

#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod discovery;
mod login;
mod logout;
mod register;
// The same app as in the adapter's tests: a second one would only drift away from it.
#[path = "../../../myelin-http/tests/it/support.rs"]
mod support;

use axum::Router;
use http::StatusCode;
use myelin_client_api::{ClientApi, router};
use myelin_http::{App, finish};
use serde_json::{Value, json};
use tempfile::TempDir;

use support::{Answer, app, send};

const REGISTER: &str = "/_matrix/client/v3/register";
const LOGIN: &str = "/_matrix/client/v3/login";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

/// A server on an empty database.
struct TestApi {
    app: App,
    router: Router,
    _directory: TempDir,
}

impl TestApi {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut App)) -> Self {
        let directory = TempDir::new().unwrap();
        let mut app = app(&directory).await;
        change(&mut app);
        let api = ClientApi::new(app.clone(), ruma::RoomVersionId::V12);
        Self {
            router: finish(app.clone(), router(api)),
            app,
            _directory: directory,
        }
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        send(&self.router, "GET", path, Some(token), "").await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        send(&self.router, "POST", path, None, body.to_string()).await
    }

    /// Registers with `m.login.dummy` and the given further keys.
    async fn register(&self, username: &str, keys: Value) -> Answer {
        let mut body = json!({
            "username": username,
            "password": "wonderland",
            "auth": {"type": "m.login.dummy"},
        });
        let object = body.as_object_mut().unwrap();
        object.extend(keys.as_object().unwrap().clone());
        self.post(REGISTER, body).await
    }

    /// Logs alice in with the given further keys.
    async fn login(&self, keys: Value) -> Answer {
        let mut body = json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": "alice"},
            "password": "wonderland",
        });
        let object = body.as_object_mut().unwrap();
        object.extend(keys.as_object().unwrap().clone());
        self.post(LOGIN, body).await
    }

    async fn assert_alive(&self, token: &str) {
        let answer = self.get(WHOAMI, token).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }

    async fn assert_dead(&self, token: &str) {
        let answer = self.get(WHOAMI, token).await;
        assert_eq!(answer.code(), (401, "M_UNKNOWN_TOKEN"));
    }
}

/// The access token in an answer to a registration or a login.
fn access_token(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.body["access_token"].as_str().unwrap().to_owned()
}
