//! Accounts: registration, and who one is.

mod register;
mod whoami;

use myelin_http::Routes;

use crate::ClientApi;

pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(register::register)
        .endpoint(whoami::whoami)
}
