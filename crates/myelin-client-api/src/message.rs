//! Messages: sending them and reading back.

mod get_message_events;
mod redact_event;
mod send_message_event;

use myelin_http::Routes;
use ruma::api::client::{
    message::{
        get_message_events::v3::Request as GetMessageEvents,
        send_message_event::v3::Request as SendMessageEvent,
    },
    redact::redact_event::v3::Request as RedactEvent,
};

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<GetMessageEvents, _, _, _, _>(get_message_events::get_message_events)
        .raw_endpoint::<RedactEvent, _, _, _, _>(redact_event::redact_event)
        .raw_endpoint::<SendMessageEvent, _, _, _, _>(send_message_event::send_message_event)
}
