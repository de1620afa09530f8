//! Redactions: what they may take away, and what is left of it.

use std::sync::Arc;

use myelin_core::{
    auth::AuthError,
    event::{self, Event},
    power::PowerLevels,
    trie::StateKey,
};
use myelin_store::{
    EMPTY_STRING, Read, StoreError,
    events::{self, Redaction, StoredEvent},
    redacted_originals, users,
};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, EventId, OwnedEventId};

use super::{AppendError, Draft};
use crate::{Rooms, advance::facts, head::Head, open_room::OpenRoom};

const REDACTION: &str = "m.room.redaction";

/// How long what a redacted event said is kept.
const KEPT_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// Events whose loss would leave the room, or its defence, without ground; clients have no use for
/// redacting them.
const UNTOUCHABLE: [&str; 2] = ["m.room.create", "m.room.server_acl"];

/// The event that a redaction is about.
pub(crate) struct Target {
    pub(crate) id: OwnedEventId,
    pub(crate) stored: StoredEvent,
}

/// What a draft redacts, if it is a redaction that its sender may make.
pub(super) async fn find_target(
    rooms: &Rooms,
    head: &Head,
    read: &mut Read,
    draft: &Draft<'_>,
) -> Result<Option<Target>, AppendError> {
    if draft.event_type != REDACTION {
        return Ok(None);
    }
    let id = match draft.content.get("redacts") {
        Some(CanonicalJsonValue::String(id)) => EventId::parse(id.as_str()).ok(),
        _ => None,
    };
    let id = id.ok_or(AppendError::RedactsNothing)?;
    let unknown = || AppendError::UnknownTarget(id.to_string());
    let number = events::find_number(read, id.as_str()).await?;
    let stored = match number {
        Some(number) => events::find(read, number).await?,
        None => None,
    };
    let stored = stored
        .filter(|event| event.room == head.row.room)
        .ok_or_else(unknown)?;
    check(rooms, head, read, (draft, &stored)).await?;
    Ok(Some(Target { id, stored }))
}

/// The content of the event: before room version 11 `redacts` stands beside it.
pub(super) fn content(
    head: &Head,
    event_type: &str,
    mut content: CanonicalJsonObject,
) -> CanonicalJsonObject {
    let inside = head
        .version
        .rules()
        .is_none_or(|rules| rules.redaction.content_field_redacts);
    if event_type == REDACTION && !inside {
        content.remove("redacts");
    }
    content
}

/// From room version 3 on the authorisation rules let every redaction into the room, and each
/// server asks by itself whether to heed it. Ours asks before it makes one.
async fn check(
    rooms: &Rooms,
    head: &Head,
    read: &mut Read,
    (draft, target): (&Draft<'_>, &StoredEvent),
) -> Result<(), AppendError> {
    let refused = |reason: String| Err(AppendError::Forbidden(AuthError::Refused(reason)));
    let names = rooms.store.interned(&[target.event_type]).await?;
    if names
        .iter()
        .any(|name| UNTOUCHABLE.iter().any(|kind| name == kind.as_bytes()))
    {
        return refused("this event cannot be redacted".to_owned());
    }
    let create = head.create.as_deref();
    let create = create.ok_or(StoreError::Missing { table: "rooms" })?;
    let levels = PowerLevels::of_room(&head.version, create, head.power_levels.as_deref())
        .map_err(AppendError::Forbidden)?;
    if target.sender == draft.numbers.sender {
        return Ok(());
    }
    let account = users::find(read, draft.numbers.sender).await?;
    if account.as_ref().is_some_and(|account| account.suspended) {
        return Err(AppendError::Suspended);
    }
    if levels.level_of(draft.sender) >= levels.redact {
        return Ok(());
    }
    // The administrators of a server answer for what its users say.
    let is_local = users::find(read, target.sender).await?.is_some();
    if is_local && account.is_some_and(|account| account.admin) {
        return Ok(());
    }
    refused(format!(
        "redacting the events of others needs the power level {}",
        levels.redact
    ))
}

impl OpenRoom<'_> {
    /// Replaces the target by what is left of it, in the set that adds the redaction.
    pub(crate) async fn redact(
        &mut self,
        target: Target,
        (redaction, number): (&Arc<Event>, i64),
    ) -> Result<(), AppendError> {
        let Target { id, stored } = target;
        let is_done = |head: &mut Head| {
            stored.redaction.is_some() || !head.pending_redacted.insert(stored.event)
        };
        if self.locked.get().is_some_and(is_done) {
            return Ok(());
        }
        self.forget_relation(&stored).await?;
        self.forget_sticky(&stored);
        let head = self
            .locked
            .get()
            .ok_or(StoreError::Missing { table: "rooms" })?;
        let pruned = event::redact(&stored.json, &head.version).map_err(AppendError::Invalid)?;
        let left = event::from_stored(&pruned, id, &head.version).map_err(AppendError::Invalid)?;
        if stored.state_key == Some(EMPTY_STRING) && facts::fact(stored.event_type).is_some() {
            let key = StateKey {
                event_type: stored.event_type,
                state_key: EMPTY_STRING,
            };
            let store = &self.rooms.store;
            let current = head.find_state(store, &mut self.read, &[key]).await?;
            let current = current.into_iter().flatten().next();
            if current.is_some_and(|current| current.event_id == left.event_id) {
                facts::record(
                    &mut self.writes,
                    stored.room,
                    (stored.event_type, Some(&left)),
                );
            }
        }
        head.replace_redacted(stored.event, left);
        let expires_ms = self.rooms.server.now_ms().saturating_add(KEPT_MS);
        let expires_ms = i64::try_from(expires_ms).unwrap_or(i64::MAX);
        redacted_originals::insert(&mut self.writes, &stored, expires_ms);
        let redaction = Redaction {
            event: number,
            id: redaction.event_id.to_string(),
            json: redaction.json.to_string(),
        };
        events::redact(&mut self.writes, &stored, pruned, redaction);
        Ok(())
    }
}
