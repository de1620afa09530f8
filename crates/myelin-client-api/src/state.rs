//! The state of a room.

mod get_state_event_for_key;
mod get_state_events;
mod send_state_event;

use myelin_http::Routes;
use ruma::api::client::state::{
    get_state_events::v3::Request as GetStateEvents,
    send_state_event::v3::Request as SendStateEvent,
};

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(get_state_event_for_key::get_state_event_for_key)
        .raw_endpoint::<GetStateEvents, _, _, _, _>(get_state_events::get_state_events)
        .raw_endpoint::<SendStateEvent, _, _, _, _>(send_state_event::send_state_event)
}
