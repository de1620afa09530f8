//! `POST /_matrix/client/v1/login/get_token`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token)

use axum::response::Response;
use myelin_accounts::{LOGIN_TOKEN_LIFETIME_MS, make_login_token, uia::Act};
use myelin_http::{Client, Raw, ruma_response};
use ruma::api::client::session::get_login_token::v1;

use super::lifetime;
use crate::{ClientApi, Error, uia};

pub(crate) async fn get_login_token(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let approval = uia::approve_by_user(&api, &client, Act::MakeLoginToken).await?;
    let token = make_login_token(&api.app.server, &api.app.store, &approval).await?;
    let response = v1::Response::new(lifetime(LOGIN_TOKEN_LIFETIME_MS), token);
    Ok(ruma_response(response)?)
}
