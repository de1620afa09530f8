//! `GET /events`: what happened in a user's rooms, event by event, waiting for it if there is
//! nothing.

use std::{collections::HashMap, time::Duration};

use myelin_store::{
    StoreResult,
    events::{self, StoredEvent},
};
use tokio::time::Instant;

use crate::{Changes, StreamToken, Syncs, sync_events::TIMEOUT_MAX};

/// Most events in one answer; the rest comes with the next.
const EVENTS_MAX: usize = 1_000;
/// Most events that are read at once.
const CHUNK: usize = 500;

/// A poll for events.
#[derive(Clone, Debug)]
pub struct EventsRequest {
    /// Who polls, as an interned user id.
    pub user: i64,
    /// Where the last poll ended; None: begin now. So does a token from ahead of the log.
    pub from: Option<StreamToken>,
    /// How long to wait for something to happen.
    pub timeout: Duration,
}

/// What happened between two positions.
#[derive(Debug)]
pub struct NewEvents {
    /// Where it begins.
    pub start: i64,
    /// Where the next poll goes on; the same as `start` if nothing happened.
    pub end: i64,
    /// The events of the rooms that the user is in now, and the user's own member events
    /// everywhere, in the order of the log.
    pub events: Vec<StoredEvent>,
}

impl Syncs {
    /// What is new for a user. Cost: what changed, at most 1,000 events of it.
    pub async fn new_events(&self, request: &EventsRequest) -> StoreResult<NewEvents> {
        let now = self.position().await?;
        let from = request.from.map(|from| from.position);
        let start = from.filter(|position| *position <= now).unwrap_or(now);
        let deadline = Instant::now() + request.timeout.min(TIMEOUT_MAX);
        let changes = self.changes_until(request.user, start, deadline).await?;
        self.load_new(start, changes).await
    }

    async fn load_new(&self, start: i64, changes: Changes) -> StoreResult<NewEvents> {
        let shown = &changes.events[..changes.events.len().min(EVENTS_MAX)];
        let end = match shown.last() {
            None => start,
            Some(last) if shown.len() < changes.events.len() => last.pos,
            Some(_) => changes.position,
        };
        let numbers: Vec<i64> = shown.iter().map(|changed| changed.event).collect();
        let mut read = self.store.read();
        let mut stored: HashMap<i64, StoredEvent> = HashMap::with_capacity(numbers.len());
        for chunk in numbers.chunks(CHUNK) {
            let events = events::list(&mut read, chunk).await?;
            stored.extend(events.into_iter().map(|event| (event.event, event)));
        }
        let events = numbers
            .iter()
            .filter_map(|number| stored.remove(number))
            .collect();
        Ok(NewEvents { start, end, events })
    }
}
