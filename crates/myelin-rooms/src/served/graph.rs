//! Walks from an event to those before it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use myelin_store::{
    Read, StoreResult,
    events::{self, Status, StoredEvent},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{PeerView, auth_chain::ids_in};
use crate::{PeerError, Rooms};

/// Events that a walk back gives at most.
const BACKFILL_MAX: usize = 100;
/// Events between others that are given at most.
const MISSING_MAX: usize = 50;

/// A stretch of the graph that another server misses.
#[derive(Clone, Debug)]
pub struct Missing<'a> {
    /// What it has.
    pub earliest: &'a [&'a str],
    /// What it has, too, but not what comes before these.
    pub latest: &'a [&'a str],
    /// How many events it wants at most.
    pub limit: usize,
    /// Nothing below this depth.
    pub min_depth: i64,
}

impl Rooms {
    /// The events before some, and these, the newest first, as the server may see them.
    pub async fn serve_backfill(
        &self,
        read: &mut Read,
        view: &mut PeerView,
        (from, limit): (&[&str], usize),
    ) -> Result<Vec<String>, PeerError> {
        let limit = limit.min(BACKFILL_MAX);
        let mut walk = Walk::new(view.row.room);
        walk.visit(read, from.iter().map(|id| (*id).to_owned()).collect())
            .await?;
        walk.prefetch(read, limit).await?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(event) = walk.next_newest()
        {
            walk.visit(read, prev_events(&event.json)).await?;
            found.push(event);
        }
        Ok(self.serve(read, view, found).await?)
    }

    /// The events between some and others, the oldest first, as the server may see them.
    pub async fn serve_missing(
        &self,
        read: &mut Read,
        view: &mut PeerView,
        missing: &Missing<'_>,
    ) -> Result<Vec<String>, PeerError> {
        let limit = missing.limit.min(MISSING_MAX);
        let mut walk = Walk::new(view.row.room);
        walk.seen
            .extend(missing.earliest.iter().map(|id| (*id).to_owned()));
        let latest = events::list_by_ids(read, missing.latest).await?;
        let in_room = latest.iter().filter(|event| event.room == view.row.room);
        let before: Vec<String> = in_room.flat_map(|event| prev_events(&event.json)).collect();
        walk.seen
            .extend(missing.latest.iter().map(|id| (*id).to_owned()));
        walk.visit(read, before).await?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(event) = walk.next_newest()
        {
            if event.depth < missing.min_depth {
                continue;
            }
            walk.visit(read, prev_events(&event.json)).await?;
            found.push(event);
        }
        found.reverse();
        Ok(self.serve(read, view, found).await?)
    }
}

/// A walk back through a room, the deepest event first.
struct Walk {
    room: i64,
    seen: BTreeSet<String>,
    /// What was met and not passed yet, by depth.
    open: BTreeMap<(i64, i64), StoredEvent>,
    fetched: HashMap<String, StoredEvent>,
}

impl Walk {
    fn new(room: i64) -> Self {
        Self {
            room,
            seen: BTreeSet::new(),
            open: BTreeMap::new(),
            fetched: HashMap::new(),
        }
    }

    /// Loads what the walk will most likely meet: the events before, in the order of the room.
    async fn prefetch(&mut self, read: &mut Read, limit: usize) -> StoreResult<()> {
        let newest = self.open.values().map(|event| event.room_order).max();
        let Some(newest) = newest.filter(|order| *order > 0) else {
            return Ok(());
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        for event in events::list_before(read, self.room, newest, limit).await? {
            self.fetched.insert(event.id.clone(), event);
        }
        Ok(())
    }

    async fn visit(&mut self, read: &mut Read, ids: Vec<String>) -> StoreResult<()> {
        let mut unmet = Vec::new();
        for id in ids {
            if !self.seen.insert(id.clone()) {
                continue;
            }
            match self.fetched.remove(&id) {
                Some(event) => self.add(event),
                None => unmet.push(id),
            }
        }
        let unmet: Vec<&str> = unmet.iter().map(String::as_str).collect();
        for event in events::list_by_ids(read, &unmet).await? {
            self.add(event);
        }
        Ok(())
    }

    fn add(&mut self, event: StoredEvent) {
        // Rejected and soft-failed events are given to who has what refers to them: they are part of
        // the graph, and whoever receives them judges by himself.
        if event.room == self.room && event.status != Status::Outlier {
            self.open.insert((event.depth, event.event), event);
        }
    }

    fn next_newest(&mut self) -> Option<StoredEvent> {
        self.open.pop_last().map(|(_, event)| event)
    }
}

/// The ids in `prev_events`.
pub(crate) fn prev_events(json: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct After<'a> {
        #[serde(borrow)]
        prev_events: Vec<&'a RawValue>,
    }
    let after: Option<After<'_>> = serde_json::from_str(json).ok();
    ids_in(after.map(|after| after.prev_events).unwrap_or_default())
}
