//! `/_matrix/client/v3/account/3pid` and all that would send mail or text messages.

use http::Method;
use myelin_testkit::{TestServer, three_modes};
use serde_json::{Value, json};

use crate::{
    accounts::{Accounts, access_token, password_auth},
    covers,
};

three_modes!(
    nobody_has_an_address,
    an_address_is_not_added,
    an_address_is_not_bound,
    an_address_that_is_not_there_is_not_unbound,
    no_tokens_are_sent,
    requests_for_tokens_are_checked,
);

covers! {
    "GET /_matrix/client/v3/account/3pid":
        works = nobody_has_an_address;
    "POST /_matrix/client/v3/account/3pid":
        works = an_address_is_not_added,
        403 = an_address_is_not_added;
    "POST /_matrix/client/r0/account/3pid":
        works = an_address_is_not_added;
    "POST /_matrix/client/v3/account/3pid/add":
        works = an_address_is_not_added;
    "POST /_matrix/client/v3/account/3pid/bind":
        works = an_address_is_not_bound;
    "POST /_matrix/client/v3/account/3pid/delete":
        works = an_address_that_is_not_there_is_not_unbound;
    "POST /_matrix/client/v3/account/3pid/unbind":
        works = an_address_that_is_not_there_is_not_unbound;
    "POST /_matrix/client/v3/account/3pid/email/requestToken":
        works = no_tokens_are_sent,
        400 = requests_for_tokens_are_checked,
        403 = no_tokens_are_sent;
    "POST /_matrix/client/v3/account/3pid/msisdn/requestToken":
        works = no_tokens_are_sent,
        400 = requests_for_tokens_are_checked,
        403 = no_tokens_are_sent;
    "POST /_matrix/client/v3/account/password/email/requestToken":
        works = no_tokens_are_sent,
        400 = requests_for_tokens_are_checked,
        403 = no_tokens_are_sent;
    "POST /_matrix/client/v3/account/password/msisdn/requestToken":
        works = no_tokens_are_sent,
        400 = requests_for_tokens_are_checked,
        403 = no_tokens_are_sent;
    "POST /_matrix/client/v3/register/email/requestToken":
        works = no_tokens_are_sent,
        400 = requests_for_tokens_are_checked,
        403 = no_tokens_are_sent;
    "POST /_matrix/client/v3/register/msisdn/requestToken":
        works = no_tokens_are_sent,
        400 = requests_for_tokens_are_checked,
        403 = no_tokens_are_sent;
}

const PATH: &str = "/_matrix/client/v3/account/3pid";

async fn nobody_has_an_address(server: &TestServer) {
    let api = Accounts { server };
    let token = access_token(&api.register("alice", json!({})).await);
    let body = api.get(PATH, &token).await.ok();
    assert_eq!(body, json!({"threepids": []}));
}

async fn an_address_is_not_added(server: &TestServer) {
    let api = Accounts { server };
    let token = access_token(&api.register("alice", json!({})).await);
    let add = format!("{PATH}/add");
    let mut body = json!({"client_secret": "secret", "sid": "1"});
    let challenge = api.call(Method::POST, &add, &token, body.clone()).await;
    assert_eq!(challenge.status, 401);
    body["auth"] = password_auth("alice", &challenge.body["session"]);
    let answer = api.call(Method::POST, &add, &token, body).await;
    assert_eq!(answer.code(), (400, "M_THREEPID_AUTH_FAILED"));
    let answer = api.call(Method::POST, &add, &token, json!({})).await;
    assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));

    for path in [PATH, "/_matrix/client/r0/account/3pid"] {
        let body = json!({"three_pid_creds": {"client_secret": "secret", "sid": "1"}});
        let answer = api.call(Method::POST, path, &token, body).await;
        assert_eq!(answer.code(), (403, "M_THREEPID_AUTH_FAILED"));
        let answer = api.call(Method::POST, path, &token, json!({})).await;
        assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));
    }
}

async fn an_address_is_not_bound(server: &TestServer) {
    let api = Accounts { server };
    let token = access_token(&api.register("alice", json!({})).await);
    let bind = format!("{PATH}/bind");
    let body = json!({
        "client_secret": "secret",
        "id_server": "id.example.org",
        "id_access_token": "token",
        "sid": "1",
    });
    let answer = api.call(Method::POST, &bind, &token, body).await;
    assert_eq!(answer.code(), (400, "M_SERVER_NOT_TRUSTED"));
    let answer = api.call(Method::POST, &bind, &token, json!({})).await;
    assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));
}

async fn an_address_that_is_not_there_is_not_unbound(server: &TestServer) {
    let api = Accounts { server };
    let token = access_token(&api.register("alice", json!({})).await);
    for end in ["delete", "unbind"] {
        let path = format!("{PATH}/{end}");
        let body = json!({"medium": "email", "address": "alice@example.org"});
        let answer = api.call(Method::POST, &path, &token, body).await;
        assert_eq!(
            answer.ok(),
            json!({"id_server_unbind_result": "no-support"})
        );
        let answer = api.call(Method::POST, &path, &token, json!({})).await;
        assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));
    }
}

/// Path and body of each request for a token.
fn requests() -> Vec<(String, Value)> {
    let email = json!({"client_secret": "secret", "email": "a@b.c", "send_attempt": 1});
    let phone = json!({
        "client_secret": "secret",
        "country": "GB",
        "phone_number": "07700900001",
        "send_attempt": 1,
    });
    let mut requests = Vec::new();
    for area in ["account/3pid", "account/password", "register"] {
        for (medium, body) in [("email", &email), ("msisdn", &phone)] {
            let path = format!("/_matrix/client/v3/{area}/{medium}/requestToken");
            requests.push((path, body.clone()));
        }
    }
    requests
}

async fn no_tokens_are_sent(server: &TestServer) {
    for (path, body) in requests() {
        let answer = server.post(&path, body).await;
        assert_eq!(answer.code(), (403, "M_THREEPID_DENIED"), "{path}");
    }
}

async fn requests_for_tokens_are_checked(server: &TestServer) {
    for (path, mut body) in requests() {
        let answer = server.post(&path, json!({})).await;
        assert_eq!(answer.code(), (400, "M_MISSING_PARAM"), "{path}");
        body["id_server"] = "id.example.org".into();
        let answer = server.post(&path, body).await;
        assert_eq!(answer.code(), (400, "M_SERVER_NOT_TRUSTED"), "{path}");
    }
}
