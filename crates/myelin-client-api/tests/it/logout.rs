//! `POST /_matrix/client/v3/logout` and `/logout/all`

use myelin_testkit::{TestServer, three_modes};
use serde_json::json;

use crate::{
    accounts::{Accounts, access_token},
    covers,
};

three_modes!(
    logout_ends_one_session,
    logout_all_ends_the_user_s_sessions_and_nobody_else_s,
);

covers! {
    "POST /_matrix/client/v3/logout":
        works = logout_ends_one_session;
    "POST /_matrix/client/v3/logout/all":
        works = logout_all_ends_the_user_s_sessions_and_nobody_else_s;
}

async fn logout_ends_one_session(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({"device_id": "PHONE"})).await);
    let laptop = access_token(&api.login(json!({})).await);
    let path = "/_matrix/client/v3/logout";
    let answer = api.post_as(path, &phone).await;
    assert_eq!((answer.status, answer.body), (200, json!({})));
    api.assert_dead(&phone).await;
    api.assert_alive(&laptop).await;
    let answer = api.post_as(path, &phone).await;
    assert_eq!(answer.code(), (401, "M_UNKNOWN_TOKEN"));

    let again = access_token(&api.login(json!({"device_id": "PHONE"})).await);
    api.assert_alive(&again).await;
}

async fn logout_all_ends_the_user_s_sessions_and_nobody_else_s(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    let laptop = access_token(&api.login(json!({})).await);
    let bob = access_token(&api.register("bob", json!({})).await);
    let path = "/_matrix/client/v3/logout/all";
    let answer = api.post_as(path, &phone).await;
    assert_eq!((answer.status, answer.body), (200, json!({})));
    api.assert_dead(&phone).await;
    api.assert_dead(&laptop).await;
    api.assert_alive(&bob).await;
}
