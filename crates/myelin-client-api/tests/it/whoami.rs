//! `GET /_matrix/client/v3/account/whoami`

use myelin_testkit::{TestServer, three_modes};
use serde_json::json;

use crate::{
    accounts::{Accounts, WHOAMI, access_token, change_account},
    covers,
};

three_modes!(one_learns_who_one_is, a_locked_user_is_not_told);

covers! {
    "GET /_matrix/client/v3/account/whoami":
        works = one_learns_who_one_is,
        403 = a_locked_user_is_not_told;
}

async fn one_learns_who_one_is(server: &TestServer) {
    let alice = server.user("alice").await;
    let expected = json!({"user_id": "@alice:localhost", "device_id": alice.device});
    assert_eq!(alice.get(WHOAMI).await.ok(), expected);
}

/// The specification's 403 is for application services that ask for users who are not theirs.
async fn a_locked_user_is_not_told(server: &TestServer) {
    let api = Accounts { server };
    let token = access_token(&api.register("alice", json!({})).await);
    change_account(server, "@alice:localhost", |user| user.locked = true).await;
    let answer = api.get(WHOAMI, &token).await;
    assert_eq!(answer.code(), (401, "M_USER_LOCKED"));
}
