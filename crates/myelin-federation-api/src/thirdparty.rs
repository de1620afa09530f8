//! Invitations to addresses, once it is known whose these are.

mod bind_callback;
mod exchange_invite;

use myelin_core::json;
use myelin_http::{MatrixError, Routes};
use ruma::CanonicalJsonObject;

use crate::FederationApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new()
        .endpoint(bind_callback::bind_callback)
        .endpoint(exchange_invite::exchange_invite)
}

/// JSON that signatures cover.
fn object(text: &str) -> Result<CanonicalJsonObject, MatrixError> {
    json::parse_object(text.as_bytes()).map_err(|error| MatrixError::bad_json(format!("{error}.")))
}
