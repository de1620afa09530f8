//! User-Interactive Authentication, which several endpoints share, and its pages.

use std::time::Duration;

use http::{Method, Request};
use myelin_http::{HttpSettings, RateLimits};
use myelin_testkit::{Answer, TestServer, three_modes};
use serde_json::{Value, json};

use crate::{
    accounts::{Accounts, REGISTER, access_token, password_auth},
    covers,
};

three_modes!(
    a_wrong_password_may_be_tried_again,
    only_the_user_s_own_password_counts,
    the_request_may_not_change_on_the_way,
    a_session_approves_one_act_of_one_user,
    a_session_approves_once,
    a_session_ends_after_a_quarter_of_an_hour,
    of_a_user_s_many_sessions_the_oldest_go,
    one_request_is_enough_for_who_knows_what_is_asked,
    what_is_mistaken_in_auth_is_named,
    a_page_does_the_stage_for_clients_that_cannot,
    a_page_shows_what_was_wrong,
    a_page_is_nothing_without_a_session,
    passwords_are_guessed_as_slowly_as_at_the_login,
);

covers! {
    "GET /_matrix/client/v3/auth/{authType}/fallback/web":
        works = a_page_does_the_stage_for_clients_that_cannot;
    "POST /_matrix/client/v3/auth/{authType}/fallback/web":
        works = a_page_does_the_stage_for_clients_that_cannot;
    "POST /_matrix/client/r0/auth/{authType}/fallback/web":
        works = a_page_shows_what_was_wrong;
    "GET /_matrix/static/client/auth/done.js":
        works = a_page_does_the_stage_for_clients_that_cannot;
}

const DELETE_DEVICES: &str = "/_matrix/client/v3/delete_devices";

/// Alice, who asks for devices to be deleted.
struct Alice<'a> {
    api: Accounts<'a>,
    token: String,
}

impl<'a> Alice<'a> {
    async fn new(server: &'a TestServer) -> Self {
        let api = Accounts { server };
        let token = access_token(&api.register("alice", json!({})).await);
        Self { api, token }
    }

    async fn delete(&self, devices: Value, auth: Value) -> Answer {
        let body = json!({"devices": devices, "auth": auth});
        self.api
            .call(Method::POST, DELETE_DEVICES, &self.token, body)
            .await
    }

    /// The session of a new challenge.
    async fn session(&self, devices: Value) -> Value {
        let challenge = self.delete(devices, Value::Null).await;
        assert_eq!(challenge.status, 401, "{challenge:?}");
        challenge.body["session"].clone()
    }
}

async fn a_wrong_password_may_be_tried_again(server: &TestServer) {
    let alice = Alice::new(server).await;
    let session = alice.session(json!(["X"])).await;
    let mut auth = password_auth("alice", &session);
    auth["password"] = "wrong".into();
    for _ in 0..3 {
        let answer = alice.delete(json!(["X"]), auth.clone()).await;
        assert_eq!(answer.code(), (401, "M_FORBIDDEN"));
        assert!(!answer.error().is_empty());
        assert_eq!(
            answer.body["flows"],
            json!([{"stages": ["m.login.password"]}])
        );
        assert_eq!(answer.body["params"], json!({}));
        assert_eq!(answer.body["session"], session);
        assert_eq!(answer.body.get("completed"), None);
    }
    let auth = password_auth("@alice:localhost", &session);
    alice.delete(json!(["X"]), auth).await.ok();
}

async fn only_the_user_s_own_password_counts(server: &TestServer) {
    let alice = Alice::new(server).await;
    access_token(&alice.api.register("bob", json!({})).await);
    let session = alice.session(json!(["X"])).await;
    for name in ["bob", "nobody", "@alice:example.org", ""] {
        let answer = alice
            .delete(json!(["X"]), password_auth(name, &session))
            .await;
        assert_eq!(answer.code(), (401, "M_FORBIDDEN"), "{name}");
    }
    let mut by_address = password_auth("", &session);
    for kind in ["m.id.thirdparty", "m.id.phone"] {
        by_address["identifier"] = json!({"type": kind});
        let answer = alice.delete(json!(["X"]), by_address.clone()).await;
        assert_eq!(answer.code(), (403, "M_FORBIDDEN"), "{kind}");
    }
    // As older clients name themselves.
    let auth = json!({
        "type": "m.login.password",
        "user": "alice",
        "password": "wonderland",
        "session": session,
    });
    alice.delete(json!(["X"]), auth).await.ok();
}

async fn the_request_may_not_change_on_the_way(server: &TestServer) {
    let alice = Alice::new(server).await;
    let session = alice.session(json!(["X"])).await;
    let auth = password_auth("alice", &session);
    let answer = alice.delete(json!(["X", "Y"]), auth.clone()).await;
    assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
    alice.delete(json!(["X"]), auth).await.ok();
}

async fn a_session_approves_one_act_of_one_user(server: &TestServer) {
    let alice = Alice::new(server).await;
    let session = alice.session(json!(["X"])).await;
    let auth = password_auth("alice", &session);
    let path = "/_matrix/client/v1/login/get_token";
    let body = json!({ "auth": auth });
    let answer = alice.api.call(Method::POST, path, &alice.token, body).await;
    assert_eq!(answer.code(), (403, "M_FORBIDDEN"));

    let bob = access_token(&alice.api.register("bob", json!({})).await);
    let body = json!({"devices": ["X"], "auth": password_auth("bob", &session)});
    let answer = alice
        .api
        .call(Method::POST, DELETE_DEVICES, &bob, body)
        .await;
    assert_eq!(answer.code(), (401, "M_UNKNOWN"));
    assert_ne!(answer.body["session"], session);

    // Nor does a session of who registers become one of who is logged in.
    let challenge = alice.api.post(REGISTER, json!({})).await;
    let auth = password_auth("alice", &challenge.body["session"]);
    let answer = alice.delete(json!(["X"]), auth).await;
    assert_eq!(answer.code(), (401, "M_UNKNOWN"));
}

async fn a_session_approves_once(server: &TestServer) {
    let alice = Alice::new(server).await;
    let path = "/_matrix/client/v1/login/get_token";
    let ask = |auth: Value| {
        let body = json!({ "auth": auth });
        alice.api.call(Method::POST, path, &alice.token, body)
    };
    let challenge = ask(Value::Null).await;
    let auth = password_auth("alice", &challenge.body["session"]);
    let answers = tokio::join!(ask(auth.clone()), ask(auth.clone()), ask(auth));
    let answers = [answers.0, answers.1, answers.2];
    let passed = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(passed.count(), 1, "{answers:?}");
    let refused = answers.iter().filter(|answer| answer.status == 401);
    assert_eq!(refused.count(), 2, "{answers:?}");
}

async fn a_session_ends_after_a_quarter_of_an_hour(server: &TestServer) {
    let alice = Alice::new(server).await;
    let session = alice.session(json!(["X"])).await;
    server.clock().advance(Duration::from_mins(15));
    let answer = alice
        .delete(json!(["X"]), password_auth("alice", &session))
        .await;
    assert_eq!(answer.code(), (401, "M_UNKNOWN"));
    let another = &answer.body["session"];
    assert_ne!(*another, session);
    alice
        .delete(json!(["X"]), password_auth("alice", another))
        .await
        .ok();
}

async fn of_a_user_s_many_sessions_the_oldest_go(server: &TestServer) {
    let alice = Alice::new(server).await;
    let mut sessions = Vec::new();
    for _ in 0..17 {
        sessions.push(alice.session(json!(["X"])).await);
        server.clock().advance(Duration::from_millis(1));
    }
    let auth = |session: &Value| password_auth("alice", session);
    let oldest = alice.delete(json!(["X"]), auth(&sessions[0])).await;
    assert_eq!(oldest.code(), (401, "M_UNKNOWN"));
    alice.delete(json!(["X"]), auth(&sessions[16])).await.ok();
}

async fn one_request_is_enough_for_who_knows_what_is_asked(server: &TestServer) {
    let alice = Alice::new(server).await;
    alice
        .delete(json!(["X"]), password_auth("alice", &Value::Null))
        .await
        .ok();
    let mut auth = password_auth("alice", &Value::Null);
    auth["password"] = "wrong".into();
    let answer = alice.delete(json!(["X"]), auth).await;
    assert_eq!(answer.code(), (401, "M_FORBIDDEN"));
    let auth = password_auth("alice", &answer.body["session"]);
    alice.delete(json!(["X"]), auth).await.ok();
}

async fn what_is_mistaken_in_auth_is_named(server: &TestServer) {
    let alice = Alice::new(server).await;
    for (auth, code, words) in [
        (json!("please"), (400, "M_BAD_JSON"), "`auth`"),
        (json!({"session": 5}), (400, "M_BAD_JSON"), "`auth.session`"),
        (
            json!({"type": "m.login.password"}),
            (400, "M_MISSING_PARAM"),
            "`auth.password`",
        ),
        (
            json!({"type": "m.login.registration_token"}),
            (400, "M_MISSING_PARAM"),
            "`auth.token`",
        ),
        (
            json!({"type": "m.login.password", "identifier": {"type": "m.id.magic"}}),
            (400, "M_UNKNOWN"),
            "`identifier`",
        ),
    ] {
        let answer = alice.delete(json!(["X"]), auth.clone()).await;
        assert_eq!(answer.code(), code, "{auth}: {answer:?}");
        assert!(answer.error().contains(words), "{auth}: {answer:?}");
    }
}

fn page(stage: &str, session: &Value) -> String {
    let session = session.as_str().unwrap();
    format!("/_matrix/client/v3/auth/{stage}/fallback/web?session={session}")
}

async fn submit(server: &TestServer, path: &str, form: &str) -> Answer {
    let request = Request::post(path).header("Content-Type", "application/x-www-form-urlencoded");
    server.call(request.body(form.to_owned()).unwrap()).await
}

fn assert_is_guarded(answer: &Answer) {
    let header = |name: &str| answer.headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    let policy = header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!answer.text.contains('{'), "{}", answer.text);
}

async fn a_page_does_the_stage_for_clients_that_cannot(server: &TestServer) {
    let alice = Alice::new(server).await;
    let session = alice.session(json!(["X"])).await;
    let path = page("m.login.password", &session);
    let shown = server.get(&path).await;
    assert_eq!(shown.status, 200);
    assert_is_guarded(&shown);
    assert!(shown.text.contains("@alice:localhost"), "{}", shown.text);
    assert!(shown.text.contains("to log devices out"), "{}", shown.text);

    let done = submit(server, &path, "password=wonderland").await;
    assert_eq!(done.status, 200);
    assert_is_guarded(&done);
    let script = "/_matrix/static/client/auth/done.js";
    assert!(done.text.contains(script), "{}", done.text);
    let script = server.get(script).await;
    assert!(script.text.contains("window.onAuthDone"), "{}", script.text);
    assert!(script.text.contains("\"authDone\""), "{}", script.text);
    let again = server.get(&path).await;
    assert!(again.text.contains("Confirmed"), "{}", again.text);

    let answer = alice
        .delete(json!(["X"]), json!({ "session": session }))
        .await;
    answer.ok();
}

async fn a_page_shows_what_was_wrong(server: &TestServer) {
    let alice = Alice::new(server).await;
    let session = alice.session(json!(["X"])).await;
    let path = page("m.login.password", &session).replace("/v3/", "/r0/");
    let answer = submit(server, &path, "password=wrong").await;
    assert_eq!(answer.status, 401);
    assert_is_guarded(&answer);
    assert!(answer.text.contains("Wrong password."), "{}", answer.text);
    let answer = alice
        .delete(json!(["X"]), json!({ "session": session }))
        .await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.body.get("completed"), None);
}

async fn a_page_is_nothing_without_a_session(server: &TestServer) {
    let alice = Alice::new(server).await;
    let session = alice.session(json!(["X"])).await;
    for path in [
        page("m.login.terms", &session),
        page("m.login.telepathy", &session),
        page("m.login.password", &json!("unheard-of")),
    ] {
        assert_eq!(server.get(&path).await.status, 404, "{path}");
        assert_eq!(submit(server, &path, "").await.status, 404, "{path}");
    }
    let without = "/_matrix/client/v3/auth/m.login.password/fallback/web";
    server.get(without).await.refused(400, "M_MISSING_PARAM");
}

async fn passwords_are_guessed_as_slowly_as_at_the_login(server: &TestServer) {
    let alice = Alice::new(server).await;
    let limits = RateLimits {
        failed_login: "0.1/2".parse().unwrap(),
        ..RateLimits::default()
    };
    let settings = HttpSettings {
        rate_limits: Some(limits),
        ..HttpSettings::default()
    };
    server.restart_with(settings).await;
    let mut auth = password_auth("alice", &Value::Null);
    auth["password"] = "wrong".into();
    let guess = || alice.delete(json!(["X"]), auth.clone());
    let mut guesses = 0;
    while guess().await.status == 401 {
        guesses += 1;
        assert!(guesses < 9, "nobody stops the guessing");
    }
    let session = alice.session(json!(["X"])).await;
    for _ in 0..2 {
        let path = page("m.login.password", &session);
        let answer = submit(server, &path, "password=wrong").await;
        assert_eq!(answer.code(), (429, "M_LIMIT_EXCEEDED"));
    }
    server.clock().advance(Duration::from_mins(1));
    alice
        .delete(json!(["X"]), password_auth("alice", &session))
        .await
        .ok();
}
