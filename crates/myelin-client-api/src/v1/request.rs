//! How requests of 2014 are read: JSON whatever the Content-Type says, few codes for its faults.

use myelin_core::json::{self, JsonError};
use myelin_http::{Client, MatrixError, Raw};
use myelin_rooms::ClientTransaction;
use myelin_sync::Viewer;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedRoomId, OwnedUserId, RoomId, UserId};

/// The body; none at all counts as `{}`.
pub(super) fn body(raw: &Raw) -> Result<CanonicalJsonObject, MatrixError> {
    if raw.bytes.is_empty() {
        return Ok(CanonicalJsonObject::new());
    }
    content(raw)
}

/// The body where it is what an event says, so that there must be one.
pub(super) fn content(raw: &Raw) -> Result<CanonicalJsonObject, MatrixError> {
    json::parse_object(&raw.bytes).map_err(|error| match error {
        // Clients of 2014 know one code for all that is no object.
        JsonError::NotJson { .. } | JsonError::NotAnObject => {
            MatrixError::not_json("The body must be a JSON object.")
        }
        error => MatrixError::bad_json(format!("The body cannot be used: {error}.")),
    })
}

/// The string at a key of the body.
pub(super) fn text(
    body: &mut CanonicalJsonObject,
    key: &str,
) -> Result<Option<String>, MatrixError> {
    match body.remove(key) {
        None | Some(CanonicalJsonValue::Null) => Ok(None),
        Some(CanonicalJsonValue::String(text)) => Ok(Some(text)),
        Some(_) => Err(MatrixError::bad_json(format!("`{key}` must be a string."))),
    }
}

/// The same, where an empty string, as a form sends it, counts as absent.
pub(super) fn filled_text(
    body: &mut CanonicalJsonObject,
    key: &str,
) -> Result<Option<String>, MatrixError> {
    Ok(text(body, key)?.filter(|text| !text.is_empty()))
}

/// The string at a key that must be there.
pub(super) fn required_text(
    body: &mut CanonicalJsonObject,
    key: &str,
) -> Result<String, MatrixError> {
    text(body, key)?.ok_or_else(|| MatrixError::bad_json(format!("Missing {key} key.")))
}

/// A parameter of the path, by its place among them.
pub(super) fn parameter(raw: &Raw, index: usize) -> &str {
    raw.path.get(index).map(String::as_str).unwrap_or_default()
}

/// The room that the path names by its id.
pub(super) fn room_id(raw: &Raw) -> Result<OwnedRoomId, MatrixError> {
    let id = parameter(raw, 0);
    RoomId::parse(id).map_err(|_| MatrixError::invalid_param(format!("{id:?} is not a room id.")))
}

/// A user id.
pub(super) fn user_id(id: &str) -> Result<OwnedUserId, MatrixError> {
    UserId::parse(id).map_err(|_| MatrixError::invalid_param(format!("Invalid user_id: {id:?}.")))
}

/// The transaction of a `PUT`, whose id is the path's parameter at this place.
pub(super) fn transaction<'a>(
    client: &'a Client<Raw>,
    index: usize,
    endpoint: &'a str,
) -> Option<ClientTransaction<'a>> {
    let txn_id = client.body.path.get(index)?;
    Some(ClientTransaction {
        device: client.device.as_str(),
        endpoint,
        txn_id,
    })
}

/// Who looks.
pub(super) fn viewer(client: &Client<Raw>) -> Viewer {
    Viewer {
        user: client.user_number,
        device: Some(client.device.to_string()),
    }
}
