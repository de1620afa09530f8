//! Who is there.

mod get_presence;
mod set_presence;

use std::time::Duration;

use myelin_http::{Client, Routes};
use myelin_store::{PresencePoll, PresenceState};
use ruma::{api::client::presence::set_presence::v3 as set_presence_v3, presence};

pub(crate) use self::set_presence::set;
use crate::ClientApi;

/// Longest time that a poll waits.
const POLL_MAX: Duration = Duration::from_mins(2);
/// How long a client may take to poll again.
const POLL_PAUSE: Duration = Duration::from_secs(30);

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(get_presence::get_presence)
        .raw_endpoint::<set_presence_v3::Request, _, _, _, _>(set_presence::set_presence)
}

/// Notes that a user polls, and is there until the next poll is overdue. A client may say by
/// `offline` that its polls shall tell nobody anything.
pub(crate) fn note_poll<R>(
    api: &ClientApi,
    client: &Client<R>,
    state: &presence::PresenceState,
    timeout: Duration,
) {
    let state = match state {
        presence::PresenceState::Online => PresenceState::Online,
        presence::PresenceState::Unavailable => PresenceState::Unavailable,
        _ => return,
    };
    if !api.app.settings.presence {
        return;
    }
    let now_ms = now_ms(api);
    let claim = timeout.min(POLL_MAX) + POLL_PAUSE;
    let poll = PresencePoll {
        user: client.user_number,
        device: client.device.as_str(),
        state,
        until_ms: now_ms.saturating_add(milliseconds(claim)),
    };
    api.app.store.live().note_poll(now_ms, poll);
}

fn now_ms(api: &ClientApi) -> i64 {
    i64::try_from(api.app.server.now_ms()).unwrap_or(i64::MAX)
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
