//! Making rooms, what they are called, and what is in them.

mod aliases;
mod create_room;
mod get_event_by_timestamp;
mod get_room_event;
mod get_summary;
mod upgrade_room;

use myelin_http::Routes;
use ruma::api::client::room::get_summary::v1::Request as GetSummary;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(aliases::aliases)
        .endpoint(create_room::create_room)
        .endpoint(get_event_by_timestamp::get_event_by_timestamp)
        .endpoint(get_room_event::get_room_event)
        .endpoint(upgrade_room::upgrade_room)
        .raw_endpoint::<GetSummary, _, _, _, _>(get_summary::get_summary)
}
