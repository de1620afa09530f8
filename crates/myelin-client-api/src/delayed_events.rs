//! Events that are to be sent later.
//!
//! [MSC4140](https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4140-delayed-events-futures.md),
//! which is accepted and in no version of the specification yet: each path has a stable and an
//! unstable form. Clients in use also give a delay to `send` and `state`, as an earlier version of
//! the proposal wanted it.

mod get_all_delayed_events;
mod get_delayed_event;
mod send_delayed_event;
mod update_delayed_event;

use axum::response::Response;
use bytes::Bytes;
use http::{Method, StatusCode};
use myelin_http::{Client, MatrixError, Query, Raw, Routes, json_response};
use myelin_rooms::{DelayedEventAction, ScheduleEvent, SendDelayedError, ShownDelayedEvent};
use myelin_store::delayed_events::{DelayId, Outcome};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{ClientApi, Error};

/// Where clients look for the limits before the proposal is part of the specification.
pub(crate) const CAPABILITY: &str = "m.delayed_events";
pub(crate) const UNSTABLE_CAPABILITY: &str = "org.matrix.msc4140.delayed_events";

/// The delay in a query of `send` or `state`.
const DELAY: &str = "org.matrix.msc4140.delay";

const SEND: [&str; 2] = [
    "/_matrix/client/v3/rooms/{room_id}/delayed_event/{event_type}/{txn_id}",
    "/_matrix/client/unstable/org.matrix.msc4140/rooms/{room_id}/delayed_event/{event_type}/{txn_id}",
];
const ALL: [&str; 2] = [
    "/_matrix/client/v1/delayed_events",
    "/_matrix/client/unstable/org.matrix.msc4140/delayed_events",
];
const ONE: [&str; 2] = [
    "/_matrix/client/v1/delayed_events/{delay_id}",
    "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delay_id}",
];

/// What can be done about a delayed event, and what it is called.
const ACTIONS: [(DelayedEventAction, &str); 3] = [
    (DelayedEventAction::Send, "send"),
    (DelayedEventAction::Cancel, "cancel"),
    (DelayedEventAction::Restart, "restart"),
];

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    let mut routes = Routes::new();
    for path in SEND {
        routes = routes.route(&Method::PUT, path, send_delayed_event::send_delayed_event);
    }
    for path in ALL {
        routes = routes.route(
            &Method::GET,
            path,
            get_all_delayed_events::get_all_delayed_events,
        );
    }
    for path in ONE {
        routes = routes.route(&Method::GET, path, get_delayed_event::get_delayed_event);
    }
    for (action, name) in ACTIONS {
        for path in ONE {
            let path = format!("{path}/{name}");
            let update = move |api: ClientApi, client: Client<Raw>| async move {
                update_delayed_event::update_delayed_event(&api, &client, action).await
            };
            routes = routes.route(&Method::POST, &path, update);
        }
    }
    // The form that clients fall back to, which was never stable.
    let [_, unstable] = ONE;
    routes.route(
        &Method::POST,
        unstable,
        update_delayed_event::update_delayed_event_by_body,
    )
}

impl ClientApi {
    /// Sends delayed events until `stop` returns, whenever no other node does.
    pub async fn send_delayed_events(&self, stop: impl Future<Output = ()> + Send) {
        self.rooms.send_delayed_events(stop, describe_failure).await;
    }
}

/// The delay that a request to send an event asks for.
pub(crate) fn delay_ms(query: &Query) -> Result<Option<u64>, MatrixError> {
    query.number(DELAY)
}

/// Schedules an event and answers with its delay id.
pub(crate) async fn schedule(
    api: &ClientApi,
    schedule: ScheduleEvent<'_>,
) -> Result<Response, Error> {
    let delay_id = api.rooms.schedule(schedule).await?.to_string();
    Ok(json_response(
        StatusCode::OK,
        &json!({"delay_id": delay_id}),
    ))
}

/// The delayed event that a path names first. Text that is no id of ours names none.
fn delay_id(raw: &Raw) -> Result<DelayId, MatrixError> {
    let text = raw.path.first().map(String::as_str).unwrap_or_default();
    text.parse().map_err(|_| no_such_event())
}

fn no_such_event() -> MatrixError {
    MatrixError::not_found("There is no such delayed event.")
}

/// A delayed event as JSON. Times and delays go by two names: clients in use know those of an
/// earlier version of the proposal.
fn shown(found: &ShownDelayedEvent) -> Value {
    let event = &found.event;
    let content = std::str::from_utf8(&event.content).ok();
    let content = content.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut body = Map::new();
    body.insert("delay_id".to_owned(), event.id.to_string().into());
    body.insert("room_id".to_owned(), found.room_id.as_str().into());
    body.insert("type".to_owned(), found.event_type.as_str().into());
    if let Some(state_key) = &found.state_key {
        body.insert("state_key".to_owned(), state_key.as_str().into());
    }
    for key in ["delay_ms", "delay"] {
        body.insert(key.to_owned(), event.delay_ms.into());
    }
    for key in ["scheduled_at", "running_since"] {
        body.insert(key.to_owned(), event.scheduled_ms.into());
    }
    body.insert("content".to_owned(), content.unwrap_or_default());
    if let Some(end) = &event.end {
        body.insert("finalised_ts".to_owned(), end.at_ms.into());
        match &end.outcome {
            Outcome::Sent(_) => {
                let event_id = found.event_id.as_ref().map(|id| id.as_str());
                body.insert("event_id".to_owned(), event_id.into());
            }
            Outcome::Failed(error) => {
                let error = serde_json::from_slice(error).unwrap_or_default();
                body.insert("error".to_owned(), error);
            }
            Outcome::Cancelled => {}
        }
    }
    Value::Object(body)
}

/// What is remembered of an event that could not be sent: the error that `send` would have answered
/// with. A failure of this server passes, and is no answer.
fn describe_failure(failure: SendDelayedError) -> Option<Bytes> {
    let error = MatrixError::from(Error::from(failure));
    if let Some(source) = error.source.as_deref().filter(|_| error.is_own_fault()) {
        tracing::warn!(
            error = source as &dyn std::error::Error,
            "a delayed event must wait"
        );
        return None;
    }
    Some(Value::Object(error.into_body()).to_string().into())
}

/// Content as it was written, which must be an object.
fn content(content: &RawValue) -> Result<ruma::CanonicalJsonObject, MatrixError> {
    myelin_core::json::parse_object(content.get().as_bytes()).map_err(crate::error::json)
}
