//! Sessions: login, further tokens, logout.

mod get_login_token;
mod get_login_types;
mod login;
mod logout;
mod logout_all;
mod refresh_token;

use std::time::Duration;

use myelin_http::Routes;
use ruma::api::client::session;

use crate::ClientApi;

pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(get_login_types::get_login_types)
        .raw_endpoint::<session::login::v3::Request, _, _, _, _>(login::login)
        .raw_endpoint::<session::get_login_token::v1::Request, _, _, _, _>(
            get_login_token::get_login_token,
        )
        .raw_endpoint::<session::refresh_token::v3::Request, _, _, _, _>(
            refresh_token::refresh_token,
        )
        .endpoint(logout::logout)
        .endpoint(logout_all::logout_all)
}

pub(crate) use login::log_in;

/// How long a token lives, as ruma's responses say it.
pub(crate) fn lifetime(in_ms: u64) -> Duration {
    Duration::from_millis(in_ms)
}
