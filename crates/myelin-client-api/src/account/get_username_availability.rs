//! `GET /_matrix/client/v3/register/available`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable)

use myelin_accounts::{RegisterError, check_username, registration_flows};
use myelin_http::Public;
use ruma::api::client::account::get_username_availability::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn get_username_availability(
    api: ClientApi,
    req: Public<Request>,
) -> Result<Response, Error> {
    let app = &api.app;
    let flows = registration_flows(&app.store, &app.accounts).await?;
    flows.ok_or(RegisterError::Closed)?;
    let username = Some(req.body.username.as_str());
    check_username(&app.server, &app.store, &app.accounts, username).await?;
    Ok(Response::new(true))
}
