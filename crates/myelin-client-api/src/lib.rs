//! The client-server API: `/_matrix/client`, one file per endpoint, named as ruma names it.
//!
//! Handlers translate between requests and use cases and decide nothing. Start reading at
//! [`router`], then at any endpoint; `error.rs` says which failure becomes which answer.

mod account;
mod discovery;
mod error;
mod session;
mod uia;

use axum::{Router, extract::FromRef};
use myelin_http::App;

pub(crate) use error::Error;

/// What the handlers work with.
#[derive(Clone)]
pub struct ClientApi {
    /// The server, its store and settings.
    pub app: App,
}

impl FromRef<ClientApi> for App {
    fn from_ref(api: &ClientApi) -> Self {
        api.app.clone()
    }
}

/// All endpoints of this API.
pub fn router(api: ClientApi) -> Router {
    account::routes()
        .merge(discovery::routes())
        .merge(session::routes())
        .into_router()
        .with_state(api)
}
