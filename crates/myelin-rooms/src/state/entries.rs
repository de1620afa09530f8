//! Reading the state of a room as entries, for those who load only some of its events.

use std::collections::HashMap;

use bytes::Bytes;
use myelin_core::trie::{Changed, Difference, List, Lookup, StateKey, TYPE_MEMBER, Together};
use myelin_store::{
    Read, StoreResult,
    events::{self, StoredEvent},
};

use super::{corrupt, parse};
use crate::Rooms;

/// Events that are loaded by one statement.
const CHUNK: usize = 500;

impl Rooms {
    /// The numbers of the state events with these keys at a root, in the order of the keys.
    pub async fn state_numbers(
        &self,
        read: &mut Read,
        (room, root): (i64, &Bytes),
        keys: &[StateKey],
    ) -> StoreResult<Vec<Option<i64>>> {
        let lookup = Lookup::new(parse(root)?, keys).map_err(|error| corrupt(&error))?;
        self.walk(read, room, lookup).await
    }

    /// The whole state at a root. Cost: its size.
    pub async fn state_entries(
        &self,
        read: &mut Read,
        (room, root): (i64, &Bytes),
    ) -> StoreResult<Vec<(StateKey, i64)>> {
        self.walk(read, room, List::all(parse(root)?)).await
    }

    /// The state of one type at a root. Cost: the number of entries.
    pub(crate) async fn state_entries_of_type(
        &self,
        read: &mut Read,
        (room, root): (i64, &Bytes),
        event_type: i64,
    ) -> StoreResult<Vec<(StateKey, i64)>> {
        let list = List::of_type(parse(root)?, event_type).map_err(|error| corrupt(&error))?;
        self.walk(read, room, list).await
    }

    /// The state at a root without the members. Cost: its size, however many members there are.
    pub async fn state_without_members(
        &self,
        read: &mut Read,
        (room, root): (i64, &Bytes),
    ) -> StoreResult<Vec<(StateKey, i64)>> {
        let list = List::without_type(parse(root)?, TYPE_MEMBER);
        let list = list.map_err(|error| corrupt(&error))?;
        self.walk(read, room, list).await
    }

    /// The entries in which the state differs between two roots. Cost: their difference.
    pub async fn state_difference(
        &self,
        read: &mut Read,
        room: i64,
        (before, after): (&Bytes, &Bytes),
    ) -> StoreResult<Vec<Changed>> {
        if before == after {
            return Ok(Vec::new());
        }
        let difference = Difference::new(parse(before)?, parse(after)?);
        self.walk(read, room, difference).await
    }

    /// What these state events of a room have replaced, by their numbers.
    ///
    /// Cost: the way to each in the state before it, common parts once.
    pub async fn replaced_by(
        &self,
        read: &mut Read,
        room: i64,
        events: &[&StoredEvent],
    ) -> StoreResult<HashMap<i64, StoredEvent>> {
        let mut numbers = Vec::new();
        let mut lookups = Vec::new();
        for event in events {
            let Some(state_key) = event.state_key else {
                continue;
            };
            let key = StateKey {
                event_type: event.event_type,
                state_key,
            };
            let lookup = Lookup::new(parse(&event.root_before)?, &[key]);
            lookups.push(lookup.map_err(|error| corrupt(&error))?);
            numbers.push(event.event);
        }
        if lookups.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self.walk(read, room, Together::new(lookups)).await?;
        let found: Vec<Option<i64>> = found
            .into_iter()
            .map(|found| found.first().copied().flatten())
            .collect();
        let before: Vec<i64> = found.iter().flatten().copied().collect();
        let before = self.events_in_order(read, &before).await?;
        let before: HashMap<i64, StoredEvent> = before
            .into_iter()
            .map(|event| (event.event, event))
            .collect();
        let replaced = numbers.into_iter().zip(found);
        let replaced = replaced.filter_map(|(number, before_number)| {
            Some((number, before.get(&before_number?)?.clone()))
        });
        Ok(replaced.collect())
    }

    /// The events with these numbers, in the order of the numbers; those that are not there any
    /// more are left out.
    pub async fn events_in_order(
        &self,
        read: &mut Read,
        numbers: &[i64],
    ) -> StoreResult<Vec<StoredEvent>> {
        let mut loaded = HashMap::with_capacity(numbers.len());
        for chunk in numbers.chunks(CHUNK) {
            let events = events::list(read, chunk).await?;
            loaded.extend(events.into_iter().map(|event| (event.event, event)));
        }
        let events = numbers.iter().filter_map(|number| loaded.remove(number));
        Ok(events.collect())
    }
}
