//! `GET /events`: what happened in a user's rooms, or in one room that the user may look into,
//! event by event, waiting for it if there is nothing.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use myelin_core::trie::TYPE_MEMBER;
use myelin_store::{
    LogKind, Read, StoreResult,
    events::{self, StoredEvent},
    log,
};
use tokio::time::Instant;

use crate::{
    Changes, Notes, ShownEvent, StreamToken, Syncs, UserPresence, changes::ChangedEvent,
    sync_events::TIMEOUT_MAX,
};

/// Most events in one answer; the rest comes with the next.
const EVENTS_MAX: usize = 1_000;
/// Most events that are read at once.
const CHUNK: usize = 500;

/// A poll for events.
#[derive(Clone, Debug)]
pub struct EventsRequest {
    /// Who polls, as an interned user id.
    pub user: i64,
    /// Only what happens in this room, which the user need not be in; None: in the user's rooms.
    pub room: Option<i64>,
    /// Whether to tell of the presence of others.
    pub presence: bool,
    /// Where the last poll ended; None: begin now. So does a token from ahead of the log.
    pub from: Option<StreamToken>,
    /// How long to wait for something to happen.
    pub timeout: Duration,
}

/// What happened between two positions.
#[derive(Debug)]
pub struct NewEvents {
    /// Where it begins.
    pub start: StreamToken,
    /// Where the next poll goes on; the same as `start` if nothing happened.
    pub end: StreamToken,
    /// The events that the user may see of the rooms that the user is in now, and the user's own
    /// member events everywhere, in the order of the log.
    pub events: Vec<ShownEvent>,
    /// Whose presence has changed. Nobody is woken for that: it comes with what else there is.
    pub presence: Vec<UserPresence>,
}

impl Syncs {
    /// What is new for a user. Cost: what changed, at most 1,000 events of it.
    pub async fn new_events(&self, request: &EventsRequest) -> StoreResult<NewEvents> {
        let now = self.position().await?;
        let from = request.from.filter(|from| from.position <= now);
        let start = from.unwrap_or_else(|| self.token_at(now));
        let deadline = Instant::now() + request.timeout.min(TIMEOUT_MAX);
        let changes = match request.room {
            Some(room) => {
                self.room_changes_until(room, start.position, deadline)
                    .await?
            }
            None => {
                self.changes_until(request.user, start.position, deadline)
                    .await?
            }
        };
        let mut new = self.load_new(request.user, start, changes).await?;
        if request.presence && request.room.is_none() {
            let (presence, seen) = self.presence_changes(request.user, start.presence).await?;
            // Changes that are nothing to this user must not make the token another.
            if !presence.is_empty() || new.end != start {
                new.end.presence = seen;
            }
            new.presence = presence;
        }
        Ok(new)
    }

    /// What happens in a room after a position, waiting for it until the deadline.
    async fn room_changes_until(
        &self,
        room: i64,
        since: i64,
        deadline: Instant,
    ) -> StoreResult<Changes> {
        let watch = self.store.live().watch();
        watch.add(room);
        loop {
            let mark = watch.mark();
            let changes = self.room_changes(room, since).await?;
            if !changes.events.is_empty() || Instant::now() >= deadline {
                return Ok(changes);
            }
            // Whether woken or out of time: the next look decides.
            let _ = tokio::time::timeout_at(deadline, watch.changed_since(mark)).await;
        }
    }

    async fn room_changes(&self, room: i64, since: i64) -> StoreResult<Changes> {
        let position = self.position().await?;
        let remembered = self.store.live().entries_since(since, &mut |entry| {
            entry.pos <= position && entry.subject == room && entry.kind == LogKind::Event
        });
        let entries = if let Some(entries) = remembered {
            entries
        } else {
            let limit = i64::try_from(EVENTS_MAX).unwrap_or(i64::MAX) + 1;
            let mut read = self.store.read();
            log::list_subject(&mut read, room, (since, position), limit).await?
        };
        let events = entries
            .iter()
            .filter(|entry| entry.kind == LogKind::Event)
            .map(|entry| ChangedEvent {
                room,
                event: entry.reference,
                pos: entry.pos,
            });
        Ok(Changes {
            position,
            events: events.collect(),
            memberships: BTreeMap::new(),
        })
    }

    async fn load_new(
        &self,
        user: i64,
        start: StreamToken,
        changes: Changes,
    ) -> StoreResult<NewEvents> {
        let taken = &changes.events[..changes.events.len().min(EVENTS_MAX)];
        let position = match taken.last() {
            None => start.position,
            Some(last) if taken.len() < changes.events.len() => last.pos,
            Some(_) => changes.position,
        };
        let numbers: Vec<i64> = taken.iter().map(|changed| changed.event).collect();
        let mut read = self.store.read();
        let mut rooms: BTreeMap<i64, Vec<StoredEvent>> = BTreeMap::new();
        for chunk in numbers.chunks(CHUNK) {
            for event in events::list(&mut read, chunk).await? {
                rooms.entry(event.room).or_default().push(event);
            }
        }
        let mut shown: HashMap<i64, ShownEvent> = HashMap::with_capacity(numbers.len());
        for (room, events) in rooms {
            let seen = self.seen(&mut read, (user, room), events).await?;
            shown.extend(seen.into_iter().map(|seen| (seen.event.event, seen)));
        }
        let events = numbers.iter().filter_map(|number| shown.remove(number));
        Ok(NewEvents {
            start,
            end: StreamToken { position, ..start },
            events: events.collect(),
            presence: Vec::new(),
        })
    }

    /// Those of a room's new events that a user may see: what the room's settings allow, and what
    /// became of the user.
    async fn seen(
        &self,
        read: &mut Read,
        (user, room): (i64, i64),
        events: Vec<StoredEvent>,
    ) -> StoreResult<Vec<ShownEvent>> {
        let Some(mut view) = self.rooms.view_by_number(read, room, user).await? else {
            return Ok(Vec::new());
        };
        let is_own =
            |event: &StoredEvent| event.event_type == TYPE_MEMBER && event.state_key == Some(user);
        let own: Vec<StoredEvent> = events
            .iter()
            .filter(|event| is_own(event))
            .cloned()
            .collect();
        let visible = self.rooms.visible(read, &mut view, events).await?;
        let mut shown = self.annotate(read, room, visible).await?;
        for event in own {
            if !shown.iter().any(|seen| seen.event.event == event.event) {
                let notes = Notes::default();
                shown.push(ShownEvent { event, notes });
            }
        }
        Ok(shown)
    }
}
