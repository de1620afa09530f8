//! Templates of member events that other servers give. Nothing of them is signed as it came: what
//! is known is read from them, and the event is made anew.

use myelin_core::{
    event::{self, Event, EventError, NewEvent},
    json::{self, JsonError},
    membership::Membership,
};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, EventId, OwnedEventId, OwnedUserId, RoomId,
    RoomVersionId, UserId,
};
use serde_json::value::RawValue;

use crate::{
    Rooms,
    membership::{AUTHORISED_VIA, MEMBER},
};

/// What the event is to be, whatever the template says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) room_id: &'a RoomId,
    pub(crate) user: &'a UserId,
    pub(crate) membership: Membership,
}

/// What a template says that only the other server knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) version: RoomVersionId,
    prev_events: Vec<OwnedEventId>,
    auth_events: Vec<OwnedEventId>,
    depth: u64,
    /// Who lets the user into a restricted room.
    authorised_via: Option<OwnedUserId>,
}

/// Why a template is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("it is of room version {0}, which is not known")]
    UnknownVersion(RoomVersionId),
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("its `{0}` is not what was asked for")]
    Other(&'static str),
    #[error("its `{0}` cannot be read")]
    Malformed(&'static str),
    #[error("no event can be made from it")]
    Event(#[source] EventError),
}

impl Template {
    /// Reads a template, if it is one for what is wanted. A server that names no room version has
    /// one of the first (spec: `make_join`).
    pub(crate) fn read(
        version: Option<RoomVersionId>,
        event: &RawValue,
        wanted: &Wanted<'_>,
    ) -> Result<Self, TemplateError> {
        let version = version.unwrap_or(RoomVersionId::V1);
        if version.rules().is_none() {
            return Err(TemplateError::UnknownVersion(version));
        }
        let object = json::parse_object(event.get().as_bytes())?;
        check(&object, wanted)?;
        let depth = object.get("depth").and_then(CanonicalJsonValue::as_integer);
        let depth = depth.and_then(|depth| u64::try_from(i64::from(depth)).ok());
        Ok(Self {
            prev_events: ids(&object, "prev_events")?,
            auth_events: ids(&object, "auth_events")?,
            depth: depth.ok_or(TemplateError::Malformed("depth"))?,
            authorised_via: authorised_via(&object, wanted)?,
            version,
        })
    }
}

impl Rooms {
    /// The event that is wanted, signed by this server.
    pub(crate) fn event_of(
        &self,
        template: &Template,
        wanted: &Wanted<'_>,
        mut content: CanonicalJsonObject,
    ) -> Result<Event, TemplateError> {
        if let Some(via) = &template.authorised_via {
            content.insert(AUTHORISED_VIA.to_owned(), via.to_string().into());
        }
        let new = NewEvent {
            room_id: Some(wanted.room_id),
            sender: wanted.user,
            event_type: MEMBER,
            state_key: Some(wanted.user.as_str()),
            content,
            redacts: None,
            sticky_ms: None,
            prev_events: &template.prev_events,
            auth_events: &template.auth_events,
            depth: template.depth,
            origin_server_ts: self.server.now_ms(),
        };
        event::create(new, &template.version, &self.server).map_err(TemplateError::Event)
    }
}

fn check(object: &CanonicalJsonObject, wanted: &Wanted<'_>) -> Result<(), TemplateError> {
    let user = wanted.user.as_str();
    let fields = [
        ("type", MEMBER),
        ("room_id", wanted.room_id.as_str()),
        ("sender", user),
        ("state_key", user),
    ];
    for (key, value) in fields {
        if object.get(key).and_then(CanonicalJsonValue::as_str) != Some(value) {
            return Err(TemplateError::Other(key));
        }
    }
    if content(object, "membership") != Some(wanted.membership.as_str()) {
        return Err(TemplateError::Other("content.membership"));
    }
    Ok(())
}

fn content<'a>(object: &'a CanonicalJsonObject, key: &str) -> Option<&'a str> {
    let content = object.get("content")?.as_object()?;
    content.get(key)?.as_str()
}

fn authorised_via(
    object: &CanonicalJsonObject,
    wanted: &Wanted<'_>,
) -> Result<Option<OwnedUserId>, TemplateError> {
    let via = content(object, AUTHORISED_VIA).filter(|_| wanted.membership == Membership::Join);
    let via = via.map(UserId::parse).transpose();
    via.map_err(|_| TemplateError::Malformed("content.join_authorised_via_users_server"))
}

/// Event ids; room versions 1 and 2 write each as a pair with its hashes.
fn ids(
    object: &CanonicalJsonObject,
    key: &'static str,
) -> Result<Vec<OwnedEventId>, TemplateError> {
    let malformed = || TemplateError::Malformed(key);
    let list = object.get(key).and_then(CanonicalJsonValue::as_array);
    let id = |value: &CanonicalJsonValue| {
        let text = match value {
            CanonicalJsonValue::Array(pair) => pair.first()?.as_str()?,
            other => other.as_str()?,
        };
        EventId::parse(text).ok()
    };
    let ids = list.ok_or_else(malformed)?.iter().map(id);
    ids.collect::<Option<_>>().ok_or_else(malformed)
}

#[cfg(test)]
mod tests;
