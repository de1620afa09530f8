//! Who types.

mod create_typing_event;

use myelin_http::Routes;
use ruma::api::client::typing::create_typing_event::v3 as create_typing_event_v3;

pub(crate) use self::create_typing_event::create_typing_event;
use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new().raw_endpoint::<create_typing_event_v3::Request, _, _, _, _>(create_typing_event)
}
