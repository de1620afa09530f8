//! `/threads`: the threads of a room.

use std::collections::{BTreeSet, HashMap};

use myelin_rooms::{RoomView, VisibleEvent};
use myelin_store::{
    Read, StoreResult, events,
    threads::{self, Participant, Thread},
};

use crate::{RoomToken, ShownEvent, Syncs};

/// Most threads in one answer.
const LIMIT_MAX: usize = 100;
/// Most threads that are looked at for one answer, most of which may be hidden.
const SCAN_MAX: usize = 1_000;

/// A part of a room's threads.
#[derive(Debug)]
pub struct Threads {
    /// The events that they start from, those with the newest events first.
    pub roots: Vec<ShownEvent>,
    /// Where the next page begins; None: there are no more.
    pub end: Option<RoomToken>,
}

impl Syncs {
    /// A page of the threads of a room that a user may see. What is left of a root whose sender the
    /// user ignores is what a redaction would leave, as the others in the thread go on.
    pub async fn threads(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        (participant, from): (Participant, Option<RoomToken>),
        limit: usize,
    ) -> StoreResult<Threads> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let ignored = self.ignored_numbers(read, view.user).await?;
        let mut before = from.map_or(i64::MAX, |from| from.before);
        let (mut roots, mut scanned, mut more) = (Vec::new(), 0, true);
        while more && roots.len() < limit && scanned < SCAN_MAX {
            let wanted = limit - roots.len();
            // One more than is shown tells whether there are more.
            let rows = i64::try_from(wanted + 1).unwrap_or(i64::MAX);
            let of = (view.room, participant);
            let mut chunk = threads::list_before(read, of, before, rows).await?;
            more = chunk.len() > wanted;
            chunk.truncate(wanted);
            scanned += chunk.len();
            before = chunk.last().map_or(before, |thread| thread.latest);
            roots.extend(self.roots(read, view, &chunk, &ignored).await?);
        }
        let end = RoomToken { depth: 0, before };
        Ok(Threads {
            roots,
            end: more.then_some(end),
        })
    }

    /// The roots of these threads that the user may see, with what is told of the threads.
    async fn roots(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        chunk: &[Thread],
        ignored: &BTreeSet<i64>,
    ) -> StoreResult<Vec<ShownEvent>> {
        let ids: Vec<&str> = chunk.iter().map(|thread| thread.root.as_str()).collect();
        let mut found = events::list_by_ids(read, &ids).await?;
        found.retain(|event| event.room == view.room);
        let mut visible = self.rooms.visible(read, view, found).await?;
        let of_ignored = |visible: &&mut VisibleEvent| ignored.contains(&visible.event.sender);
        let pruned = visible.iter_mut().filter(of_ignored);
        let pruned: Vec<_> = pruned.map(|visible| &mut visible.event).collect();
        if !pruned.is_empty() {
            let pruned = pruned.into_iter();
            self.rooms.prune(read, view.room, pruned).await?;
        }
        let shown = self.annotate(read, view.room, visible).await?;
        let shown = self.bundled(read, view, shown, ignored).await?;
        let mut shown: HashMap<String, ShownEvent> = shown
            .into_iter()
            .filter(|shown| shown.notes.bundle.has_thread())
            .map(|shown| (shown.event.id.clone(), shown))
            .collect();
        Ok(chunk
            .iter()
            .filter_map(|thread| shown.remove(&thread.root))
            .collect())
    }
}
