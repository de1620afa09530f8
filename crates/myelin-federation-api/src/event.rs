//! Single events, and the states between them.

mod get_event;
mod get_event_by_timestamp;
mod get_missing_events;
mod get_room_state;
mod get_room_state_ids;

use myelin_http::Routes;
use ruma::api::federation::event::get_room_state::v1 as state;

use crate::FederationApi;

pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new()
        .endpoint(get_event::get_event)
        .endpoint(get_event_by_timestamp::get_event_by_timestamp)
        .endpoint(get_missing_events::get_missing_events)
        .raw_endpoint::<state::Request, _, _, _, _>(get_room_state::get_room_state)
        .endpoint(get_room_state_ids::get_room_state_ids)
}
