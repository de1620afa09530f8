//! `/messages`: a room's events, along the room order.

use myelin_rooms::RoomAccess;
use myelin_store::{
    LogKind, Read, StoreError,
    events::{self, StoredEvent},
    log,
};

use crate::{
    RoomToken, StreamToken, Syncs, Token,
    initial::{place_after, place_before},
};

/// Most events in one answer.
const LIMIT_MAX: i64 = 1_000;

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
    pub limit: i64,
}

/// A part of a room's history.
#[derive(Debug)]
pub struct Page {
    /// Where it begins.
    pub start: RoomToken,
    /// Where the next page begins; None: there is nothing further in this direction now.
    pub end: Option<RoomToken>,
    /// The events in the direction of the walk.
    pub events: Vec<StoredEvent>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum MessagesError {
    /// The database failed.
    #[error("the room's history could not be read")]
    Store(#[from] StoreError),
}

impl Syncs {
    /// A page of a room's events.
    pub async fn messages(
        &self,
        read: &mut Read,
        access: &RoomAccess,
        request: PageRequest,
    ) -> Result<Page, MessagesError> {
        let start = match (request.from, request.direction) {
            (Some(token), _) => self.place(read, access, token).await?,
            (None, Direction::Backward) => RoomToken {
                depth: 0,
                before: access.newest + 1,
            },
            (None, Direction::Forward) => RoomToken {
                depth: 0,
                before: i64::MIN,
            },
        };
        let stop = match request.to {
            Some(token) => Some(self.place(read, access, token).await?),
            None => None,
        };
        let limit = request.limit.clamp(1, LIMIT_MAX);
        let (room, from) = (access.room, start.before);
        let mut found = match request.direction {
            Direction::Backward => events::list_before(read, room, from, limit + 1).await?,
            Direction::Forward => events::list_from(read, room, from, limit + 1).await?,
        };
        if let Some(stop) = stop {
            found.retain(|event| match request.direction {
                Direction::Backward => event.room_order >= stop.before,
                Direction::Forward => event.room_order < stop.before,
            });
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > limit;
        found.truncate(limit);
        let end = found
            .last()
            .filter(|_| more || request.direction == Direction::Forward);
        let end = end.map(|last| match request.direction {
            Direction::Backward => place_before(last),
            Direction::Forward => place_after(last),
        });
        Ok(Page {
            start,
            end,
            events: found,
        })
    }

    /// The place in a room that a token stands for.
    pub async fn place(
        &self,
        read: &mut Read,
        access: &RoomAccess,
        token: Token,
    ) -> Result<RoomToken, StoreError> {
        let StreamToken { position, .. } = match token {
            Token::Room(place) => return Ok(place),
            Token::Stream(token) => token,
        };
        let Some(entry) = log::find_last(read, access.room, LogKind::Event, position).await? else {
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
