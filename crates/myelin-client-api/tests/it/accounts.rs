//! What the tests of registration, login and logout say again and again.

use http::{Method, Request};
use myelin_store::{WriteSet, users};
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

    /// Any method, with a token and a JSON body.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Value,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Authorization", format!("Bearer {token}"));
        self.server
            .call(request.body(body.to_string()).unwrap())
            .await
    }

    /// POST with a body that is approved by the password: once to learn the session, once with it.
    pub(crate) async fn approved(
        &self,
        method: Method,
        path: &str,
        token: &str,
        mut body: Value,
    ) -> Answer {
        let challenge = self.call(method.clone(), path, token, body.clone()).await;
        assert_eq!(challenge.status, 401, "{challenge:?}");
        body["auth"] = password_auth("alice", &challenge.body["session"]);
        self.call(method, path, token, body).await
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

/// `auth` by the password that [`Accounts::register`] sets.
pub(crate) fn password_auth(user: &str, session: &Value) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user},
        "password": "wonderland",
        "session": session,
    })
}

/// Makes a user an administrator, or changes its account otherwise.
pub(crate) async fn change_account(
    server: &TestServer,
    user_id: &str,
    change: impl FnOnce(&mut users::User),
) {
    let store = &server.stores()[0];
    let number = store.find_interned(user_id.as_bytes()).await.unwrap();
    let mut read = store.read();
    let mut user = users::find(&mut read, number.unwrap())
        .await
        .unwrap()
        .unwrap();
    change(&mut user);
    let mut writes = WriteSet::new();
    users::update(&mut writes, &user);
    store.commit(writes).await.unwrap();
}
