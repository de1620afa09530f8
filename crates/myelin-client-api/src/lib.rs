//! The client-server API: `/_matrix/client`, one file per endpoint, named as ruma names it.
//!
//! Handlers translate between requests and use cases and decide nothing. Start reading at
//! [`router`], then at any endpoint; `error.rs` says which failure becomes which answer.

mod account;
mod admin;
mod alias;
mod backup;
mod config;
mod context;
mod dehydrated_device;
mod delayed_events;
mod device;
mod directory;
mod discovery;
mod error;
mod event_pages;
mod events;
mod filter;
mod history;
mod identifier;
mod keys;
mod membership;
mod message;
mod pages;
mod parameters;
mod peeking;
mod presence;
mod profile;
mod push;
mod receipt;
mod relations;
mod reporting;
mod require_self;
mod room;
mod session;
mod settings;
mod space;
mod state;
mod sync;
mod tag;
mod thirdparty;
mod threads;
mod to_device;
mod typing;
mod uia;
mod user_directory;
mod v1;
mod voip;

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use http::Method;
use myelin_http::{App, Routes};
use myelin_rooms::Rooms;
use myelin_sync::Syncs;

pub use settings::ClientApiSettings;

pub(crate) use error::Error;

/// What the handlers work with.
#[derive(Clone)]
pub struct ClientApi {
    /// The server, its store and settings.
    pub app: App,
    /// The use cases about rooms.
    pub rooms: Rooms,
    /// The read models.
    pub syncs: Syncs,
    /// What the operator set.
    pub settings: Arc<ClientApiSettings>,
}

impl ClientApi {
    /// The API over a server. One value, and its clones, serve a whole node.
    pub fn new(app: App, settings: ClientApiSettings) -> Self {
        let rooms = Rooms::new(
            app.server.clone(),
            app.store.clone(),
            app.federation.clone(),
            app.outbound.clone(),
        );
        let syncs = Syncs::new(rooms.clone());
        Self {
            app,
            rooms,
            syncs,
            settings: Arc::new(settings),
        }
    }
}

impl FromRef<ClientApi> for App {
    fn from_ref(api: &ClientApi) -> Self {
        api.app.clone()
    }
}

/// All endpoints of this API.
pub fn router(api: ClientApi) -> Router {
    routes()
        .into_router()
        .merge(v1::router())
        .merge(pages::routes().into_router())
        .with_state(api)
}

/// Endpoints for tools of the operator, where a listener serves those.
pub fn admin_router(api: ClientApi) -> Router {
    admin::tool_routes().into_router().with_state(api)
}

/// Method and path of each endpoint of today's API, each under its newest stable path.
pub fn endpoints() -> Vec<(Method, String)> {
    routes().names().to_vec()
}

/// Method and path of each endpoint of the API of 2014.
pub fn endpoints_of_2014() -> Vec<(Method, String)> {
    v1::routes().names().to_vec()
}

fn routes() -> Routes<ClientApi> {
    account::routes()
        .merge(admin::routes())
        .merge(backup::routes())
        .merge(config::routes())
        .merge(context::routes())
        .merge(dehydrated_device::routes())
        .merge(delayed_events::routes())
        .merge(device::routes())
        .merge(alias::routes())
        .merge(directory::routes())
        .merge(discovery::routes())
        .merge(filter::routes())
        .merge(keys::routes())
        .merge(membership::routes())
        .merge(message::routes())
        .merge(peeking::routes())
        .merge(profile::routes())
        .merge(push::routes())
        .merge(presence::routes())
        .merge(receipt::routes())
        .merge(relations::routes())
        .merge(reporting::routes())
        .merge(room::routes())
        .merge(session::routes())
        .merge(space::routes())
        .merge(state::routes())
        .merge(sync::routes())
        .merge(tag::routes())
        .merge(thirdparty::routes())
        .merge(to_device::routes())
        .merge(threads::routes())
        .merge(user_directory::routes())
        .merge(voip::routes())
        .merge(typing::routes())
        .merge(uia::routes())
}
