//! Accounts: registration, and who one is.

mod register;
mod request_openid_token;
mod whoami;

use myelin_http::Routes;
use ruma::api::client::account as api;

use crate::ClientApi;

pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(register::register)
        .raw_endpoint::<api::request_openid_token::v3::Request, _, _, _, _>(
            request_openid_token::request_openid_token,
        )
        .endpoint(whoami::whoami)
}
