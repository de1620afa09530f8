//! `POST /_matrix/client/v3/account/deactivate`

use http::Method;
use myelin_testkit::{TestServer, three_modes};
use serde_json::json;

use crate::{
    accounts::{Accounts, access_token, change_account},
    covers,
};

three_modes!(
    a_deactivated_account_is_closed_for_ever,
    erasure_is_remembered,
);

covers! {
    "POST /_matrix/client/v3/account/deactivate":
        works = a_deactivated_account_is_closed_for_ever;
}

const PATH: &str = "/_matrix/client/v3/account/deactivate";

async fn a_deactivated_account_is_closed_for_ever(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    let laptop = access_token(&api.login(json!({})).await);
    let answer = api
        .approved(Method::POST, PATH, &phone, json!({"id_server": "x.org"}))
        .await;
    assert_eq!(answer.ok(), json!({"id_server_unbind_result": "success"}));
    api.assert_dead(&phone).await;
    api.assert_dead(&laptop).await;
    // Its password is gone, so nobody can prove to be its user.
    let answer = api.login(json!({})).await;
    assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
    let answer = api.register("alice", json!({})).await;
    assert_eq!(answer.code(), (400, "M_USER_IN_USE"));
}

async fn erasure_is_remembered(server: &TestServer) {
    let api = Accounts { server };
    let phone = access_token(&api.register("alice", json!({})).await);
    api.approved(Method::POST, PATH, &phone, json!({"erase": true}))
        .await
        .ok();
    let now_ms = server.now_ms().cast_signed();
    change_account(server, "@alice:localhost", |user| {
        assert_eq!(user.erased_ms, Some(now_ms));
        assert_eq!(user.deactivated_ms, Some(now_ms));
        assert_eq!(user.password_hash, None);
    })
    .await;
}
