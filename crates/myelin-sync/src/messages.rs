//! `/messages`: a room's events, along the room order.

use std::collections::BTreeSet;

use myelin_core::trie::{StateKey, TYPE_MEMBER};
use myelin_rooms::RoomView;
use myelin_store::{Read, StoreError, StoreResult, events::StoredEvent, gaps::Gap};

use crate::{Direction, RoomToken, ShownEvent, Syncs, Token, filter::EventFilter, walk::Walk};

/// Most events in one answer.
pub(crate) const LIMIT_MAX: usize = 1_000;

/// Which events are asked for.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest<'a> {
    /// Where to begin; None: at the end that lies behind the walker.
    pub from: Option<Token>,
    /// Where to stop.
    pub to: Option<Token>,
    /// Which way.
    pub direction: Direction,
    /// Most events in the answer.
    pub limit: usize,
    /// Which events are wanted; its rooms are not looked at.
    pub filter: &'a EventFilter,
    /// Gaps from this room order on are walked across; None: the walk back ends at each.
    pub across: Option<i64>,
}

/// A part of a room's history.
#[derive(Debug)]
pub struct Page {
    /// Where it begins.
    pub start: RoomToken,
    /// Where the next page begins; None: there is nothing further in this direction now.
    pub end: Option<RoomToken>,
    /// The events in the direction of the walk.
    pub events: Vec<ShownEvent>,
    /// Where members are loaded lazily, those who sent the events.
    pub state: Vec<StoredEvent>,
    /// The gap that the page ends at before it is full: what comes next is not here.
    pub gap: Option<Gap>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum MessagesError {
    /// The database failed.
    #[error("the room's history could not be read")]
    Store(#[from] StoreError),
}

impl Syncs {
    /// A page of what a user may see of a room's events. After 1,000 events it ends, whether or not
    /// enough of them could be shown. A walk back also ends at a gap, above which the next page
    /// begins.
    pub async fn messages(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        request: PageRequest<'_>,
    ) -> Result<Page, MessagesError> {
        let (start, mut walk) = self.begin(read, view, &request).await?;
        let mut sieve = self.sieve(read, view.user, request.filter).await?;
        let limit = request.filter.limit(request.limit, request.limit);
        let limit = limit.clamp(1, LIMIT_MAX);
        let events = self
            .walk(read, view, (&mut walk, &mut sieve), limit)
            .await?;
        let end = match &walk.met {
            Some(gap) => Some(RoomToken {
                depth: walk.last.map_or(start.depth, |last| last.depth),
                before: gap.upper,
            }),
            None => walk
                .last
                .filter(|_| walk.more || request.direction == Direction::Forward),
        };
        let gap = walk.met.filter(|_| events.len() < limit);
        let events = self.annotate(read, view.room, events).await?;
        let events = self.bundled(read, view, events, &sieve.ignored).await?;
        let state = if request.filter.lazy_load_members() {
            self.senders(read, view, &events).await?
        } else {
            Vec::new()
        };
        Ok(Page {
            start,
            end,
            events,
            state,
            gap,
        })
    }

    /// A walk along what a page asks for, and where it begins.
    pub(crate) async fn begin<'w>(
        &self,
        read: &mut Read,
        view: &RoomView,
        request: &PageRequest<'_>,
    ) -> StoreResult<(RoomToken, Walk<'w>)> {
        let start = match (request.from, request.direction) {
            (Some(token), _) => self.place(read, view, token).await?,
            (None, Direction::Backward) => RoomToken {
                depth: 0,
                before: view.newest.saturating_add(1),
            },
            (None, Direction::Forward) => RoomToken {
                depth: 0,
                before: -i64::MAX,
            },
        };
        let stop = match request.to {
            Some(token) => Some(self.place(read, view, token).await?.before),
            None => None,
        };
        let mut walk = Walk::new(view, request.direction, (start.before, stop));
        if let Some(below) = request.across {
            walk = walk.across(read, view.room, below - 1).await?;
        }
        Ok((start, walk))
    }

    /// The member events of those who sent these events, as they were before the first of them.
    async fn senders(
        &self,
        read: &mut Read,
        view: &RoomView,
        events: &[ShownEvent],
    ) -> StoreResult<Vec<StoredEvent>> {
        let Some(first) = events.first() else {
            return Ok(Vec::new());
        };
        let at = (view.room, &first.event.root_before);
        let senders = events.iter().map(|shown| shown.event.sender);
        self.member_events(read, at, &senders.collect()).await
    }

    /// The member events of these users at a root.
    pub(crate) async fn member_events(
        &self,
        read: &mut Read,
        at: (i64, &bytes::Bytes),
        users: &BTreeSet<i64>,
    ) -> StoreResult<Vec<StoredEvent>> {
        let keys: Vec<StateKey> = users
            .iter()
            .map(|user| StateKey {
                event_type: TYPE_MEMBER,
                state_key: *user,
            })
            .collect();
        let numbers = self.rooms.state_numbers(read, at, &keys).await?;
        let numbers: Vec<i64> = numbers.into_iter().flatten().collect();
        self.rooms.events_in_order(read, &numbers).await
    }
}
