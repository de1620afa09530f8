//! `GET /_matrix/client/v1/register/m.login.registration_token/validity`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity)

use myelin_accounts::is_registration_token_valid;
use myelin_http::Public;
use ruma::api::client::account::check_registration_token_validity::v1::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn check_registration_token_validity(
    api: ClientApi,
    req: Public<Request>,
) -> Result<Response, Error> {
    let app = &api.app;
    let token = &req.body.token;
    let valid = is_registration_token_valid(&app.server, &app.store, &app.accounts, token).await?;
    Ok(Response::new(valid))
}
