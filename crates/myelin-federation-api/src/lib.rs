//! The server-server API: `/_matrix/federation` and `/_matrix/key`, one file per endpoint, named as
//! ruma names it.
//!
//! Handlers translate between requests and use cases and decide nothing. Start reading at
//! [`router`], then at any endpoint.

mod authorization;
mod backfill;
mod device;
mod directory;
mod discovery;
mod error;
mod event;
mod keys;
mod membership;
mod openid;
mod pdus;
mod query;
mod refusal;
mod settings;
mod space;
mod thirdparty;
mod transactions;

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use http::Method;
use myelin_http::{App, Routes};
use myelin_rooms::Rooms;

pub use settings::FederationApiSettings;

pub(crate) use error::Error;

/// What the handlers work with.
#[derive(Clone)]
pub struct FederationApi {
    /// The server, its store and settings.
    pub app: App,
    /// The use cases about rooms; the same value as the client-server API has, for its heads order
    /// the node's appends.
    pub rooms: Rooms,
    /// What the operator set.
    pub settings: Arc<FederationApiSettings>,
}

impl FromRef<FederationApi> for App {
    fn from_ref(api: &FederationApi) -> Self {
        api.app.clone()
    }
}

/// All endpoints of this API.
pub fn router(api: FederationApi) -> Router {
    routes().into_router().with_state(api)
}

/// What alone is asked of the host that the server's name names, for a listener that serves clients
/// there and has nothing else of this API.
pub fn well_known_router(api: FederationApi) -> Router {
    discovery::well_known_routes().into_router().with_state(api)
}

/// Method and path of each endpoint, each under its newest stable path.
pub fn endpoints() -> Vec<(Method, String)> {
    routes().names().to_vec()
}

fn routes() -> Routes<FederationApi> {
    authorization::routes()
        .merge(backfill::routes())
        .merge(directory::routes())
        .merge(discovery::routes())
        .merge(event::routes())
        .merge(membership::routes())
        .merge(openid::routes())
        .merge(query::routes())
        .merge(thirdparty::routes())
        .merge(device::routes())
        .merge(keys::routes())
        .merge(space::routes())
        .merge(transactions::routes())
}
