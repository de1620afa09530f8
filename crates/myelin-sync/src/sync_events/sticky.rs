//! Sticky events: told to everybody in the room, wherever the timeline begins.

use std::collections::{BTreeMap, HashMap, HashSet};

use myelin_store::{
    Read, StoreResult,
    events::{self, StoredEvent},
    sticky_events::{self, StickyEvent},
};

use super::{plan::Planned, poll::Poll, room::Part, state::Known, timeline::Timeline};
use crate::{Notes, Syncs};

impl Syncs {
    /// The sticky events that an answer has to tell of, by room: all of a room that the client does
    /// not know, and what is new in the others.
    pub(super) async fn sticky_news(
        &self,
        poll: &Poll,
        read: &mut Read,
        planned: &[Planned],
    ) -> StoreResult<BTreeMap<i64, Vec<StickyEvent>>> {
        let (mut entered, mut new) = (Vec::new(), Vec::new());
        for Planned { room, part, .. } in planned {
            match part {
                Part::Joined {
                    known: Known::Nothing,
                    ..
                } => entered.push(*room),
                Part::Joined {
                    news: Some(news), ..
                } => new.extend(&news.sticky),
                _ => {}
            }
        }
        let now_ms = poll.now_ms.cast_signed();
        let mut found = sticky_events::list_of_rooms(read, &entered, now_ms).await?;
        found.extend(sticky_events::list(read, &new, now_ms).await?);
        let mut by_room: BTreeMap<i64, Vec<StickyEvent>> = BTreeMap::new();
        for sticky in found {
            if !self.is_ignored(poll, sticky.sender).await? {
                by_room.entry(sticky.room).or_default().push(sticky);
            }
        }
        Ok(by_room)
    }

    /// Writes some of the sticky events of a room; true: one was written.
    pub(super) async fn write_sticky(
        &self,
        poll: &Poll,
        read: &mut Read,
        (text, slice, mut has_any): (&mut String, &[StickyEvent], bool),
    ) -> StoreResult<bool> {
        let numbers: Vec<i64> = slice.iter().map(|sticky| sticky.event).collect();
        let found = events::list(read, &numbers).await?;
        let found: HashMap<i64, StoredEvent> = found
            .into_iter()
            .map(|event| (event.event, event))
            .collect();
        for sticky in slice {
            // What was redacted at this moment is sticky no more.
            let event = found.get(&sticky.event);
            let Some(event) = event.filter(|event| event.redaction.is_none()) else {
                continue;
            };
            if has_any {
                text.push(',');
            }
            has_any = true;
            let notes = Notes {
                sticky_until_ms: Some(sticky.until_ms),
                ..Notes::default()
            };
            poll.write_noted(text, (event, &notes))?;
        }
        Ok(has_any)
    }
}

/// The sticky events of a room that its timeline does not show.
pub(super) fn beside(poll: &Poll, room: i64, timeline: &Timeline) -> Vec<StickyEvent> {
    let Some(sticky) = poll.sticky.get(&room) else {
        return Vec::new();
    };
    let shown = timeline.events.iter().map(|shown| shown.event.event);
    let shown: HashSet<i64> = shown.collect();
    let beside = sticky
        .iter()
        .filter(|sticky| !shown.contains(&sticky.event));
    beside.copied().collect()
}
