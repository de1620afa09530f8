//! The ends of a room's graph: what the next event of ours comes after.
//!
//! An event takes the place of those that it comes after. That is more than its `prev_events` where
//! one of these is not in the room for us; and it is no end at all if it comes late, when the room
//! has gone on behind it. An end too many would bring an old state back into the resolution of the
//! present one, and, since we name it in our next event, for everybody.

use std::collections::{BTreeMap, HashSet};

use myelin_core::event::Event;
use myelin_store::{
    StoreResult,
    events::{self, Status},
};

use super::ReceiveError;
use crate::{open_room::OpenRoom, served::graph::prev_events};

/// The most ends of a room's graph that new events come after.
const EXTREMITIES_MAX: usize = 10;
/// Events that are looked at for whether one is before another.
const LOOKS_MAX: usize = 200;

/// The ends of a room once an event is in it.
pub(super) struct Ends {
    /// Those that were there before.
    pub(super) others: Vec<String>,
    /// Whether the event is one.
    pub(super) is_end: bool,
}

impl OpenRoom<'_> {
    /// The ends of the room once an accepted event is in it. Nothing is read where it comes after
    /// all that is there.
    ///
    /// Cost: the events between it and the ends, a bounded number.
    pub(super) async fn ends_with(&mut self, event: &Event) -> Result<Ends, ReceiveError> {
        let Some(head) = self.locked.get() else {
            return Ok(Ends {
                others: Vec::new(),
                is_end: true,
            });
        };
        let mut others = head.row.extremities.clone();
        let is_prev = |id: &String| event.prev_events.iter().any(|prev| prev.as_str() == *id);
        others.retain(|id| !is_prev(id));
        if others.is_empty() {
            return Ok(Ends {
                others,
                is_end: true,
            });
        }
        let before = self.before_set_aside(event).await?;
        others.retain(|id| !before.contains(id));
        let depth = i64::try_from(event.depth).unwrap_or(i64::MAX);
        let is_end = !self
            .is_before((event.event_id.as_str(), depth), &others)
            .await?;
        Ok(Ends {
            others: self.keep_few(others).await?,
            is_end,
        })
    }

    /// What those of an event's `prev_events` come after that are not in the room for us: rejected
    /// or soft-failed, they took nothing's place themselves.
    async fn before_set_aside(&mut self, event: &Event) -> StoreResult<HashSet<String>> {
        let mut before: HashSet<String> = HashSet::new();
        let mut open: Vec<String> = event.prev_events.iter().map(ToString::to_string).collect();
        while !open.is_empty() && before.len() < LOOKS_MAX {
            let ids: Vec<&str> = open.iter().map(String::as_str).collect();
            let found = events::list_by_ids(&mut self.read, &ids).await?;
            let is_aside = |status| matches!(status, Status::SoftFailed | Status::Rejected);
            let aside = found.iter().filter(|event| is_aside(event.status));
            let prev: Vec<String> = aside.flat_map(|event| prev_events(&event.json)).collect();
            open = prev
                .into_iter()
                .filter(|id| before.insert(id.clone()))
                .collect();
        }
        Ok(before)
    }

    /// Whether an event comes before one of these ends, as far as that is seen within bounds.
    pub(super) async fn is_before(
        &mut self,
        (event, depth): (&str, i64),
        ends: &[String],
    ) -> StoreResult<bool> {
        let ids: Vec<&str> = ends.iter().map(String::as_str).collect();
        // By depth: no event comes before one that is not deeper.
        let mut open = BTreeMap::new();
        let mut seen: HashSet<String> = ends.iter().cloned().collect();
        for found in events::list_by_ids(&mut self.read, &ids).await? {
            open.insert((found.depth, found.event), found);
        }
        while let Some((_, next)) = open.pop_last() {
            if next.depth <= depth || seen.len() > LOOKS_MAX {
                break;
            }
            let prev = prev_events(&next.json);
            if prev.iter().any(|id| id == event) {
                return Ok(true);
            }
            let unseen = prev.into_iter().filter(|id| seen.insert(id.clone()));
            let unseen: Vec<String> = unseen.collect();
            let unseen: Vec<&str> = unseen.iter().map(String::as_str).collect();
            for found in events::list_by_ids(&mut self.read, &unseen).await? {
                open.insert((found.depth, found.event), found);
            }
        }
        Ok(false)
    }

    /// Those of these extremities that the room keeps beside a new one. An event names at most
    /// [`EXTREMITIES_MAX`] before it, and a room whose ends nobody ties together must not become
    /// slower with each of them. Ends that leave the state as another one does go first, then the
    /// oldest; all stay in the graph, and whoever builds on one brings it back.
    async fn keep_few(&mut self, extremities: Vec<String>) -> Result<Vec<String>, ReceiveError> {
        if extremities.len() < EXTREMITIES_MAX {
            return Ok(extremities);
        }
        let ids: Vec<&str> = extremities.iter().map(String::as_str).collect();
        let found = events::list_by_ids(&mut self.read, &ids).await?;
        let (mut roots, mut kept, mut alike) = (HashSet::new(), HashSet::new(), Vec::new());
        for id in extremities.iter().rev() {
            let Some(event) = found.iter().find(|event| event.id == *id) else {
                continue;
            };
            if roots.insert(self.root_after_event(event).await?) {
                kept.insert(id.clone());
            } else {
                alike.push(id.clone());
            }
        }
        let free = (EXTREMITIES_MAX - 1).saturating_sub(kept.len());
        kept.extend(alike.into_iter().take(free));
        let mut few: Vec<String> = extremities
            .into_iter()
            .filter(|id| kept.contains(id))
            .collect();
        let surplus = few.len().saturating_sub(EXTREMITIES_MAX - 1);
        few.drain(..surplus);
        Ok(few)
    }
}
