//! Messages: sending them and reading back.

mod get_message_events;
mod redact_event;
mod send_message_event;

use myelin_http::Routes;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(get_message_events::get_message_events)
        .endpoint(redact_event::redact_event)
        .endpoint(send_message_event::send_message_event)
}
