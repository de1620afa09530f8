//! The alarm: what a resolution takes from users of this server.

use std::sync::{Arc, atomic::Ordering};

use myelin_core::{
    event::Event,
    trie::{
        Changed, Difference, Lookup, Root, StateKey, TYPE_JOIN_RULES, TYPE_MEMBER,
        TYPE_POWER_LEVELS,
    },
};
use myelin_store::{Read, StoreResult, events, state_nodes};

use crate::{
    Rooms,
    head::Head,
    state::{corrupt, parse},
};

/// How many events that followed each other under one key are looked at.
const STEPS_MAX: usize = 16;

/// The event that brings the resolution about and is not stored yet: its number, and the state before it.
type Newest<'a> = (&'a Arc<Event>, i64, Root);

impl Rooms {
    /// How many changes of power or membership by users of this server were undone by state resolution
    /// since the node has started.
    pub fn undone_changes(&self) -> u64 {
        self.undone_changes.load(Ordering::Relaxed)
    }

    /// Sounds the alarm for each change of power or membership by a user of this server that the head
    /// loses when it moves to a resolved state, unless what stands there then was built on it.
    ///
    /// Cost: that of the difference of the two states.
    pub(crate) async fn note_undone(
        &self,
        head: &Head,
        read: &mut Read,
        after: Root,
        newest: Newest<'_>,
    ) -> StoreResult<()> {
        let difference = Difference::new(head.root()?, after);
        let (store, room) = (&self.store, head.row.room);
        let changes = state_nodes::drive(store, read, room, &head.pending, difference).await?;
        let is_watched = |change: &&Changed| {
            let watched = [TYPE_POWER_LEVELS, TYPE_JOIN_RULES, TYPE_MEMBER];
            watched.contains(&change.key.event_type)
        };
        for change in changes.iter().filter(is_watched) {
            self.note_if_undone(head, read, change, newest).await?;
        }
        Ok(())
    }

    async fn note_if_undone(
        &self,
        head: &Head,
        read: &mut Read,
        change: &Changed,
        newest: Newest<'_>,
    ) -> StoreResult<()> {
        let Some(number) = change.before else {
            return Ok(());
        };
        let lost = head.load_event(read, number).await?;
        if !self.server.is_local(&lost.sender) {
            return Ok(());
        }
        let instead = match change.after {
            Some(after)
                if self
                    .follows(head, read, (change.key, number, after), newest)
                    .await? =>
            {
                return Ok(());
            }
            Some(after) => Some(head.load_event(read, after).await?),
            None => None,
        };
        self.undone_changes.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            room = %lost.room_id,
            event = %lost.event_id,
            sender = %lost.sender,
            instead = instead.as_ref().map_or("nothing", |event| event.event_id.as_str()),
            "state resolution has undone a local change of power or membership"
        );
        Ok(())
    }

    /// Whether an event was sent where the lost one was in force, or followed under the same key on one
    /// that was.
    async fn follows(
        &self,
        head: &Head,
        read: &mut Read,
        (key, lost, after): (StateKey, i64, i64),
        (_, newest, before_newest): Newest<'_>,
    ) -> StoreResult<bool> {
        let mut event = after;
        for _ in 0..STEPS_MAX {
            let before = if event == newest {
                before_newest
            } else {
                match events::find(read, event).await? {
                    Some(stored) => parse(&stored.root_before)?,
                    None => return Ok(false),
                }
            };
            let lookup = Lookup::new(before, &[key]).map_err(|error| corrupt(&error))?;
            let (store, room) = (&self.store, head.row.room);
            let found = state_nodes::drive(store, read, room, &head.pending, lookup).await?;
            match found.first().copied().flatten() {
                Some(found) if found == lost => return Ok(true),
                Some(found) => event = found,
                None => return Ok(false),
            }
        }
        Ok(false)
    }
}
