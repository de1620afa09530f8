//! Sessions: login and logout.

mod get_login_types;
mod login;
mod logout;
mod logout_all;

use myelin_http::Routes;
use ruma::api::client::session;

use crate::ClientApi;

pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(get_login_types::get_login_types)
        .raw_endpoint::<session::login::v3::Request, _, _, _, _>(login::login)
        .endpoint(logout::logout)
        .endpoint(logout_all::logout_all)
}
