//! Parameters of paths and queries that several endpoints take, for handlers that do not use
//! ruma's request types: these read a filter more strictly than clients write it.

use myelin_core::sticky::DURATION_MS_MAX;
use myelin_http::{MatrixError, Query, Raw};
use myelin_sync::{Token, TokenError, filter::EventFilter};
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId};

/// The duration in a query.
const STICKY: &str = "org.matrix.msc4354.sticky_duration_ms";

/// Events, unless the client says how many.
const LIMIT: u64 = 10;

/// The room that the path names first.
pub(crate) fn room_id(raw: &Raw) -> Result<OwnedRoomId, MatrixError> {
    let id = parameter(raw, 0);
    RoomId::parse(id).map_err(|_| MatrixError::invalid_param(format!("{id:?} is not a room id.")))
}

/// The event that the path names after the room.
pub(crate) fn event_id(raw: &Raw) -> Result<OwnedEventId, MatrixError> {
    let id = parameter(raw, 1);
    EventId::parse(id)
        .map_err(|_| MatrixError::invalid_param(format!("{id:?} is not an event id.")))
}

/// Which events are wanted; all of them if nothing is said.
pub(crate) fn filter(query: &Query) -> Result<EventFilter, MatrixError> {
    match query.get("filter")? {
        None | Some("") => Ok(EventFilter::default()),
        Some(text) => EventFilter::parse(text)
            .map_err(|_| MatrixError::invalid_param("`filter` is not a filter of room events.")),
    }
}

/// How many events are wanted.
pub(crate) fn limit(query: &Query) -> Result<usize, MatrixError> {
    let limit = query.number("limit")?.unwrap_or(LIMIT);
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// For how long an event that is to be sent is sticky (MSC4354).
pub(crate) fn sticky_ms(query: &Query) -> Result<Option<u32>, MatrixError> {
    let Some(asked) = query.number(STICKY)? else {
        return Ok(None);
    };
    let fits = u32::try_from(asked)
        .ok()
        .filter(|ms| *ms <= DURATION_MS_MAX);
    fits.map(Some).ok_or_else(|| {
        MatrixError::invalid_param(format!("`{STICKY}` is at most {DURATION_MS_MAX}."))
    })
}

/// A token of this server.
pub(crate) fn token(query: &Query, key: &str) -> Result<Option<Token>, MatrixError> {
    query.get(key)?.map(parse_token).transpose()
}

/// The same, of text from elsewhere.
pub(crate) fn parse_token(text: &str) -> Result<Token, MatrixError> {
    text.parse()
        .map_err(|error: TokenError| MatrixError::invalid_param(format!("{error}.")))
}

fn parameter(raw: &Raw, index: usize) -> &str {
    raw.path.get(index).map(String::as_str).unwrap_or_default()
}
