//! Redactions by users of other servers, in whichever order they and what they redact come.

use myelin_core::{event, event::Event, power::PowerLevels};
use myelin_store::{
    StoreError, StoreResult, early_redactions,
    events::{self, Redaction, Status, StoredEvent},
    relations,
};

use super::{ReceiveError, place::write};
use crate::{
    AppendError, append::redaction::Target, head::Head, open_room::OpenRoom, sticky::TakenAs,
};

impl OpenRoom<'_> {
    /// Writes an event that has its place; of one that was redacted before it came what is left of it.
    pub(super) async fn write_with_redaction(
        &mut self,
        mut stored: StoredEvent,
        known_as: Option<Status>,
    ) -> Result<(), ReceiveError> {
        self.apply_early_redactions(&mut stored).await?;
        self.write_event(&stored, known_as);
        self.note_sticky(&stored, TakenAs::Accepted).await?;
        self.take_along_late(&[stored]).await?;
        Ok(())
    }

    /// Writes an event, whether it was known by reference before or not; if it has its place, with
    /// what it says about others.
    pub(crate) fn write_event(&mut self, stored: &StoredEvent, known_as: Option<Status>) {
        write(&mut self.writes, stored, known_as);
        if stored.status == Status::Accepted {
            relations::insert(&mut self.writes, stored);
        }
    }

    /// Leaves of an event what redactions leave that came before it.
    pub(crate) async fn apply_early_redactions(
        &mut self,
        stored: &mut StoredEvent,
    ) -> Result<(), ReceiveError> {
        let waiting = early_redactions::list(&mut self.read, &stored.id).await?;
        for redaction in events::list(&mut self.read, &waiting).await? {
            if stored.redaction.is_some() || redaction.status != Status::Accepted {
                continue;
            }
            let head = self.locked.get();
            let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
            let by = head.read_event(&redaction)?;
            if redaction.room == stored.room && self.is_heeded(&by, stored).await? {
                self.prune(stored, redaction)?;
            }
        }
        early_redactions::delete(&mut self.writes, &stored.id, &waiting);
        Ok(())
    }

    /// Leaves of an event what this redaction leaves of it.
    pub(crate) fn prune(
        &mut self,
        stored: &mut StoredEvent,
        redaction: StoredEvent,
    ) -> StoreResult<()> {
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        let Ok(pruned) = event::redact(&stored.json, &head.version) else {
            return Ok(());
        };
        stored.json = pruned;
        let left = head.read_event(stored)?;
        head.replace_redacted(stored.event, left);
        stored.redaction = Some(Redaction {
            event: redaction.event,
            id: redaction.id,
            json: redaction.json,
        });
        Ok(())
    }

    /// Does what an accepted redaction asks for, or remembers it until there is something to redact.
    pub(crate) async fn heed(&mut self, event: &Event, number: i64) -> Result<(), ReceiveError> {
        let Some(id) = event.redacts.clone() else {
            return Ok(());
        };
        let Some(target) = self.find_event(id.as_str()).await? else {
            early_redactions::insert(&mut self.writes, id.as_str(), number);
            return Ok(());
        };
        if target.room != self.number() || !self.is_heeded(event, &target).await? {
            return Ok(());
        }
        let target = Target { id, stored: target };
        let event = std::sync::Arc::new(event.clone());
        match self.redact(target, (&event, number)).await {
            Ok(()) => Ok(()),
            Err(AppendError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(redaction = %event.event_id, %error, "cannot be redacted");
                Ok(())
            }
        }
    }

    /// Whether a redaction that is in the room takes effect. In room versions 1 and 2 the
    /// authorisation rules have asked already; since version 3 each server asks by itself: its
    /// sender needs the level for it, or has to be of the server whose user said it. A create
    /// event is never redacted: without it there is no room.
    pub(crate) async fn is_heeded(
        &mut self,
        redaction: &Event,
        target: &StoredEvent,
    ) -> StoreResult<bool> {
        let head = self.locked.get();
        let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
        if target.event_type == myelin_core::trie::TYPE_CREATE {
            return Ok(false);
        }
        let asks_here = |head: &Head| {
            let rules = head.version.rules();
            rules.is_none_or(|rules| !rules.authorization.special_case_room_redaction)
        };
        if !asks_here(head) {
            return Ok(true);
        }
        let said_by = head.read_event(target)?.sender;
        if said_by.server_name() == redaction.sender.server_name() {
            return Ok(true);
        }
        let ids: Vec<&str> = redaction.auth_events.iter().map(|id| id.as_str()).collect();
        // What is queued is not in the database yet.
        let mut queued = head.pending_events.values();
        let queued = queued.find(|event| {
            event.is("m.room.power_levels", "") && redaction.auth_events.contains(&event.event_id)
        });
        let mut power_levels = queued.map(|event| Event::clone(event));
        for stored in events::list_by_ids(&mut self.read, &ids).await? {
            let found = head.read_event(&stored)?;
            if found.is("m.room.power_levels", "") {
                power_levels = Some(found);
            }
        }
        let create = head.create.as_deref();
        let create = create.ok_or(StoreError::Missing { table: "rooms" })?;
        let levels = PowerLevels::of_room(&head.version, create, power_levels.as_ref());
        Ok(levels.is_ok_and(|levels| levels.level_of(&redaction.sender) >= levels.redact))
    }
}
