//! What the tests of registration, login and logout say again and again.

use http::Request;
use myelin_testkit::{Answer, TestServer};
use serde_json::{Value, json};

pub(crate) const REGISTER: &str = "/_matrix/client/v3/register";
pub(crate) const LOGIN: &str = "/_matrix/client/v3/login";
pub(crate) const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

/// The server, asked about accounts.
pub(crate) struct Accounts<'a> {
    pub(crate) server: &'a TestServer,
}

impl Accounts<'_> {
    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.with_token(Request::get(path), token).await
    }

    pub(crate) async fn post_as(&self, path: &str, token: &str) -> Answer {
        self.with_token(Request::post(path), token).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.server.post(path, body).await
    }

    /// Registers with `m.login.dummy` and the given further keys.
    pub(crate) async fn register(&self, username: &str, keys: Value) -> Answer {
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
    pub(crate) async fn login(&self, keys: Value) -> Answer {
        let mut body = json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": "alice"},
            "password": "wonderland",
        });
        let object = body.as_object_mut().unwrap();
        object.extend(keys.as_object().unwrap().clone());
        self.post(LOGIN, body).await
    }

    pub(crate) async fn assert_alive(&self, token: &str) {
        let answer = self.get(WHOAMI, token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    pub(crate) async fn assert_dead(&self, token: &str) {
        let answer = self.get(WHOAMI, token).await;
        assert_eq!(answer.code(), (401, "M_UNKNOWN_TOKEN"));
    }

    async fn with_token(&self, request: http::request::Builder, token: &str) -> Answer {
        let request = request.header("Authorization", format!("Bearer {token}"));
        self.server.call(request.body(String::new()).unwrap()).await
    }
}

/// The access token in an answer to a registration or a login.
pub(crate) fn access_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["access_token"].as_str().unwrap().to_owned()
}
