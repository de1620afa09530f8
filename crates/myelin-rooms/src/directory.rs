//! The public directory of this server: which rooms stand in it, and its pages.

mod told;

use std::collections::HashMap;

use myelin_store::{
    Read, StoreError, StoreResult, WriteSet,
    directory::{self, PublishedRoom},
    room_facts::{self, Fact},
    rooms, users,
};
use ruma::{OwnedRoomId, RoomId, UserId};

pub use self::told::{
    DirectoryError, PublicRoom, PublicRooms, PublicRoomsFilter, PublicRoomsQuery,
};
use crate::{Rooms, aliases::decides_names};

/// Rooms read at once when not every room is wanted.
const SCAN: i64 = 200;
/// Rooms looked at for one page at most: then it is cut short, and the next one goes on from there.
const SCANNED_MAX: usize = 5_000;
/// Rooms are counted up to here: it is an estimate.
const COUNTED_MAX: i64 = 10_000;

/// Which part of the directory is asked for.
#[derive(Clone, Debug)]
pub struct DirectoryRequest {
    /// Most rooms on the page.
    pub limit: usize,
    /// Where the page begins; None: at the largest room.
    pub from: Option<DirectoryPlace>,
    /// Words that the name, the topic or the canonical alias must contain, whatever their case.
    pub term: Option<String>,
    /// The types that rooms may have, None among them for rooms without one; None: any.
    pub room_types: Option<Vec<Option<String>>>,
}

/// A place between two rooms of the directory, and a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryPlace {
    /// The room beside it.
    pub beside: PublishedRoom,
    /// Whether the page ends there instead of beginning there.
    pub backwards: bool,
}

/// A room of the directory.
#[derive(Clone, Debug)]
pub struct ListedRoom {
    /// Its id.
    pub room_id: OwnedRoomId,
    /// How many users are joined.
    pub joined: i64,
    /// What its state tells of it.
    pub facts: HashMap<Fact, String>,
}

/// A page of the directory, the largest room first.
#[derive(Clone, Debug)]
pub struct DirectoryPage {
    /// The rooms.
    pub rooms: Vec<ListedRoom>,
    /// Where the next page begins, if there may be one.
    pub next: Option<DirectoryPlace>,
    /// Where the page before ends, if there may be one.
    pub previous: Option<DirectoryPlace>,
    /// How many rooms there are, whatever they are.
    pub total: i64,
}

/// Why a room was not put into the directory, or taken out of it.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is no such room here.
    #[error("there is no room {0}")]
    Unknown(String),
    /// The user has no power over what the room is called.
    #[error("{0} may not change how the room stands in the directory")]
    Forbidden(String),
    /// The database failed.
    #[error("the directory could not be read or written")]
    Store(#[from] StoreError),
}

/// The rooms that a scan has found, in the direction of the scan.
struct Scan {
    found: Vec<(PublishedRoom, HashMap<Fact, String>)>,
    /// Whether there may be more in this direction, and the last room looked at if so.
    more_after: Option<PublishedRoom>,
}

impl Scan {
    /// Takes rooms up to the limit. Whether there are more, after the last one taken.
    fn take(&mut self, rooms: Vec<(PublishedRoom, HashMap<Fact, String>)>, limit: usize) -> bool {
        let is_more = self.found.len() + rooms.len() > limit;
        let space = limit - self.found.len();
        self.found.extend(rooms.into_iter().take(space));
        if is_more {
            self.more_after = self.found.last().map(|(room, _)| *room);
        }
        is_more
    }
}

impl Rooms {
    /// Whether a room stands in the directory.
    pub async fn is_published(&self, room_id: &RoomId) -> Result<bool, PublishError> {
        let room = self.existing(room_id).await?;
        Ok(directory::is_published(&mut self.store.read(), room).await?)
    }

    /// Puts a room into the directory or takes it out. Whoever decides what the room is called
    /// may, and the server's administrators.
    pub async fn set_published(
        &self,
        room_id: &RoomId,
        user: &UserId,
        published: bool,
    ) -> Result<(), PublishError> {
        let number = self.existing(room_id).await?;
        let unknown = || PublishError::Unknown(room_id.to_string());
        let forbidden = || PublishError::Forbidden(user.to_string());
        let user_number = self.store.find_interned(user.as_bytes()).await?;
        let user_number = user_number.ok_or_else(forbidden)?;
        let mut room = self.open(room_id).await?.ok_or_else(unknown)?;
        if !decides_names(&mut room, (user, user_number)).await? {
            let account = users::find(&mut room.read, user_number).await?;
            if !account.is_some_and(|account| account.admin) {
                return Err(forbidden());
            }
        }
        drop(room);
        let mut attempts = self.store.attempts();
        loop {
            let before = directory::is_published(&mut self.store.read(), number).await?;
            if before == published {
                return Ok(());
            }
            let mut writes = WriteSet::new();
            directory::set_published(&mut writes, number, published);
            if attempts.commit(writes).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// A page of the directory. Cost: the page; with a filter, at most 5,000 rooms.
    pub async fn public_rooms(&self, request: &DirectoryRequest) -> StoreResult<DirectoryPage> {
        let mut read = self.store.read();
        let total = directory::count(&mut read, COUNTED_MAX).await?;
        let Scan {
            mut found,
            more_after,
        } = self.scan(&mut read, request).await?;
        let backwards = request.from.is_some_and(|from| from.backwards);
        if backwards {
            found.reverse();
        }
        let place = |beside, backwards| DirectoryPlace { beside, backwards };
        let from = request.from.map(|from| from.beside);
        let first = found.first().map(|(room, _)| *room);
        let last = found.last().map(|(room, _)| *room);
        // Where the request came from, there are rooms: those beside the token.
        let (next, previous) = if backwards {
            (
                last.or(from).map(|room| place(room, false)),
                more_after.map(|room| place(room, true)),
            )
        } else {
            (
                more_after.map(|room| place(room, false)),
                from.map(|from| place(first.unwrap_or(from), true)),
            )
        };
        let mut rooms = Vec::with_capacity(found.len());
        for (room, facts) in found {
            rooms.push(ListedRoom {
                room_id: self.room_id(room.room).await?,
                joined: room.joined,
                facts,
            });
        }
        Ok(DirectoryPage {
            rooms,
            next,
            previous,
            total,
        })
    }

    async fn scan(&self, read: &mut Read, request: &DirectoryRequest) -> StoreResult<Scan> {
        let term = request.term.as_deref().map(str::to_lowercase);
        let is_filtered = term.is_some() || request.room_types.is_some();
        // One room more than asked for tells whether there is more.
        let page = i64::try_from(request.limit).unwrap_or(SCAN) + 1;
        let batch = if is_filtered { SCAN.max(page) } else { page };
        let mut scan = Scan {
            found: Vec::new(),
            more_after: None,
        };
        let mut at = request.from.map(|from| from.beside);
        let backwards = request.from.is_some_and(|from| from.backwards);
        let mut scanned = 0;
        loop {
            let rooms = match at {
                Some(before) if backwards => directory::list_before(read, before, batch).await?,
                after => directory::list_after(read, after, batch).await?,
            };
            let mut listed = with_facts(read, &rooms).await?;
            listed.retain(|(_, facts)| {
                matches(facts, term.as_deref(), request.room_types.as_deref())
            });
            if scan.take(listed, request.limit) {
                return Ok(scan);
            }
            scanned += rooms.len();
            at = rooms.last().copied();
            if i64::try_from(rooms.len()).unwrap_or(batch) < batch {
                return Ok(scan);
            }
            if scanned >= SCANNED_MAX {
                scan.more_after = at;
                return Ok(scan);
            }
        }
    }

    async fn existing(&self, room_id: &RoomId) -> Result<i64, PublishError> {
        let unknown = || PublishError::Unknown(room_id.to_string());
        let number = self.find_number(room_id).await?.ok_or_else(unknown)?;
        let row = rooms::find(&mut self.store.read(), number).await?;
        row.map(|row| row.room).ok_or_else(unknown)
    }
}

/// The rooms in their order, each with its facts.
async fn with_facts(
    read: &mut Read,
    rooms: &[PublishedRoom],
) -> StoreResult<Vec<(PublishedRoom, HashMap<Fact, String>)>> {
    let numbers: Vec<i64> = rooms.iter().map(|room| room.room).collect();
    let mut facts: HashMap<i64, HashMap<Fact, String>> = HashMap::new();
    for (room, fact, value) in room_facts::list(read, &numbers).await? {
        facts.entry(room).or_default().insert(fact, value);
    }
    let facts_of = |room: &PublishedRoom| (*room, facts.remove(&room.room).unwrap_or_default());
    Ok(rooms.iter().map(facts_of).collect())
}

fn matches(
    facts: &HashMap<Fact, String>,
    term: Option<&str>,
    room_types: Option<&[Option<String>]>,
) -> bool {
    let has = |term: &str| {
        let searched = [Fact::Name, Fact::Topic, Fact::CanonicalAlias];
        let mut texts = searched.iter().filter_map(|fact| facts.get(fact));
        texts.any(|text| text.to_lowercase().contains(term))
    };
    let room_type = facts.get(&Fact::RoomType);
    let is = |types: &[Option<String>]| types.iter().any(|wanted| wanted.as_ref() == room_type);
    term.is_none_or(has) && room_types.is_none_or(is)
}
