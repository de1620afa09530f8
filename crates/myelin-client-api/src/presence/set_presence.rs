//! `PUT /_matrix/client/v3/presence/{userId}/status`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3presenceuseridstatus)

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_store::{NewPresence, PresenceState};
use serde::Deserialize;
use serde_json::json;

use super::{milliseconds, now_ms};
use crate::{ClientApi, Error};

/// How long a word counts if its device is not heard of again.
const LASTS: Duration = Duration::from_mins(5);
/// Longest status message: nodes tell each other of it in messages of a few kilobytes.
const STATUS_BYTES_MAX: usize = 1_000;

/// Not ruma's request: that one takes any text for a state.
#[derive(Deserialize)]
struct Body {
    presence: String,
    status_msg: Option<String>,
}

pub(crate) async fn set_presence(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let raw = &client.body;
    if raw.path.first().map(String::as_str) != Some(client.user.as_str()) {
        return Err(MatrixError::forbidden("You can only set your own presence.").into());
    }
    let body: Body = raw.json()?;
    let state = match body.presence.as_str() {
        "online" => PresenceState::Online,
        "unavailable" => PresenceState::Unavailable,
        "offline" => PresenceState::Offline,
        _ => {
            return Err(MatrixError::invalid_param(
                "`presence` must be `online`, `unavailable` or `offline`.",
            )
            .into());
        }
    };
    set(&api, &client, state, body.status_msg.as_deref())?;
    Ok(json_response(StatusCode::OK, &json!({})))
}

/// Sets the presence of a user by the word of one device.
pub(crate) fn set<R>(
    api: &ClientApi,
    client: &Client<R>,
    state: PresenceState,
    status_msg: Option<&str>,
) -> Result<(), MatrixError> {
    if status_msg.is_some_and(|status_msg| status_msg.len() > STATUS_BYTES_MAX) {
        return Err(MatrixError::invalid_param(format!(
            "`status_msg` is longer than {STATUS_BYTES_MAX} bytes."
        )));
    }
    if api.app.settings.presence {
        let now_ms = now_ms(api);
        let new = NewPresence {
            user: client.user_number,
            device: client.device.as_str(),
            state,
            status_msg,
            until_ms: now_ms.saturating_add(milliseconds(LASTS)),
        };
        api.app.store.live().set_presence(now_ms, &new);
    }
    Ok(())
}
