//! The history of rooms.

mod get_backfill;

use myelin_http::Routes;

use crate::FederationApi;

pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new().endpoint(get_backfill::get_backfill)
}
