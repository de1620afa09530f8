//! `/messages`: a room's events, along the room order.

use myelin_rooms::{RoomView, VisibleEvent};
use myelin_store::{
    LogKind, Read, StoreError, StoreResult,
    events::{self, StoredEvent},
    log,
};

use crate::{
    RoomToken, ShownEvent, StreamToken, Syncs, Token,
    initial::{place_after, place_before},
};

/// Most events in one answer.
const LIMIT_MAX: usize = 1_000;
/// Most events that are looked at for one answer, most of which may be hidden.
const SCAN_MAX: usize = 1_000;
/// Most events that are read at once.
const CHUNK: usize = 250;

/// Which way to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From new to old.
    Backward,
    /// From old to new.
    Forward,
}

/// Which events are asked for.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    /// Where to begin; None: at the end that lies behind the walker.
    pub from: Option<Token>,
    /// Where to stop.
    pub to: Option<Token>,
    /// Which way.
    pub direction: Direction,
    /// Most events in the answer.
    pub limit: usize,
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
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum MessagesError {
    /// The database failed.
    #[error("the room's history could not be read")]
    Store(#[from] StoreError),
}

/// A walk along the events of a room.
struct Walk {
    direction: Direction,
    /// The room order that the next event lies below (backward), or the least that it can have.
    at: i64,
    /// The room order that events before the end of the walk do not reach.
    stop: i64,
    /// Whether there may be events that the walk has not come to.
    more: bool,
    /// The last event that the walk has come to.
    last: Option<RoomToken>,
}

impl Syncs {
    /// A page of what a user may see of a room's events. After 1,000 events it ends, whether or not
    /// enough of them could be shown.
    pub async fn messages(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        request: PageRequest,
    ) -> Result<Page, MessagesError> {
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
        let events = self.walk(read, view, &mut walk, request.limit).await?;
        let end = walk
            .last
            .filter(|_| walk.more || request.direction == Direction::Forward);
        let events = self.annotate(read, view.room, events).await?;
        Ok(Page { start, end, events })
    }

    async fn walk(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        walk: &mut Walk,
        limit: usize,
    ) -> StoreResult<Vec<VisibleEvent>> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let mut found = Vec::new();
        let mut scanned = 0;
        while walk.more && found.len() < limit && scanned < SCAN_MAX {
            let wanted = if scanned == 0 { limit } else { CHUNK };
            let chunk = walk.next(read, view.room, wanted).await?;
            scanned += chunk.len();
            let shown = self.rooms.visible(read, view, chunk).await?;
            let left = limit - found.len();
            if let Some(first_left_out) = shown.get(left) {
                // The next page begins with what found no place in this one.
                walk.go_back_to(&first_left_out.event);
            }
            found.extend(shown.into_iter().take(left));
        }
        Ok(found)
    }

    /// The place in a room that a token stands for.
    pub async fn place(
        &self,
        read: &mut Read,
        view: &RoomView,
        token: Token,
    ) -> Result<RoomToken, StoreError> {
        let StreamToken { position, .. } = match token {
            Token::Room(place) => return Ok(place),
            Token::Stream(token) => token,
        };
        let Some(entry) = log::find_last(read, view.room, LogKind::Event, position).await? else {
            return Ok(RoomToken {
                depth: 0,
                before: 1,
            });
        };
        let event = events::find(read, entry.reference)
            .await?
            .ok_or(StoreError::Missing { table: "events" })?;
        Ok(place_after(&event))
    }
}

impl Walk {
    fn new(view: &RoomView, direction: Direction, (start, stop): (i64, Option<i64>)) -> Self {
        let end = view.last.saturating_add(1);
        let (at, stop) = match direction {
            Direction::Backward => (start.min(end), stop.unwrap_or(i64::MIN)),
            Direction::Forward => (start, stop.map_or(end, |stop| stop.min(end))),
        };
        Self {
            direction,
            at,
            stop,
            more: true,
            last: None,
        }
    }

    /// The next events, at most so many; `more` tells whether there are others behind them.
    async fn next(
        &mut self,
        read: &mut Read,
        room: i64,
        limit: usize,
    ) -> StoreResult<Vec<StoredEvent>> {
        // One more than asked for tells whether there is more.
        let rows = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let mut chunk = match self.direction {
            Direction::Backward => events::list_before(read, room, self.at, rows).await?,
            Direction::Forward => events::list_from(read, room, self.at, rows).await?,
        };
        chunk.retain(|event| match self.direction {
            Direction::Backward => event.room_order >= self.stop,
            Direction::Forward => event.room_order < self.stop,
        });
        self.more = chunk.len() > limit;
        chunk.truncate(limit);
        if let Some(last) = chunk.last() {
            let place = match self.direction {
                Direction::Backward => place_before(last),
                Direction::Forward => place_after(last),
            };
            self.at = place.before;
            self.last = Some(place);
        }
        Ok(chunk)
    }

    /// Gives back what was read from this event on.
    fn go_back_to(&mut self, event: &StoredEvent) {
        let place = match self.direction {
            Direction::Backward => place_after(event),
            Direction::Forward => place_before(event),
        };
        self.at = place.before;
        self.last = Some(place);
        self.more = true;
    }
}
