//! The tree of rooms below a space (spec: "Discovering rooms within spaces").
//!
//! A page is a walk through the tree, depth first. Where the next one goes on is told by the rooms
//! that lead from the root to the last room of this one, so nothing needs to be remembered. A room
//! is not entered again below itself, nor shown twice on one page.
//!
//! Rooms that this server does not know are asked for at the servers that the space names. A page
//! asks a few times at most; then it ends, and the next one goes on from there.

mod token;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use myelin_store::{Read, StoreError, StoreResult, memberships};
use ruma::{OwnedRoomId, OwnedServerName, RoomId, UserId};
use serde_json::value::RawValue;

pub use self::token::HierarchyToken;
use super::{Asker, RoomSummary, remote::RemoteRoom, space::Child};
use crate::Rooms;

/// Rooms on a page unless the client asks otherwise.
const LIMIT: usize = 50;
/// Most rooms on a page.
const LIMIT_MAX: usize = 100;
/// How deep a tree is walked at most.
const DEPTH_MAX: usize = 30;
/// Rooms that are looked at for one page, most of which may not be told of.
const SCAN_MAX: usize = 500;
/// Rooms that other servers are asked about for one page.
const ASKED_MAX: usize = 10;
/// No server is asked any more for a page that has taken so long.
const ASKING_MS_MAX: u64 = 15_000;

/// Which part of a tree is asked for.
#[derive(Clone, Debug)]
pub struct HierarchyRequest<'a> {
    /// The space at its root.
    pub room_id: &'a RoomId,
    /// Who asks.
    pub user: &'a UserId,
    /// How many steps below the root rooms may be.
    pub max_depth: Option<usize>,
    /// Whether only children count that the spaces suggest.
    pub suggested_only: bool,
    /// Most rooms on the page.
    pub limit: Option<usize>,
    /// Where the page begins; None: at the root.
    pub from: Option<HierarchyToken>,
}

/// A room of the tree.
#[derive(Clone, Debug)]
pub struct SpaceRoom {
    /// What it is.
    pub summary: RoomSummary,
    /// The rooms that it has as a space: stripped `m.space.child` events.
    pub children: Vec<Box<RawValue>>,
}

/// A part of a tree.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    /// The rooms, each before those below it.
    pub rooms: Vec<SpaceRoom>,
    /// Where the next page begins, if there is more.
    pub next: Option<HierarchyToken>,
}

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum HierarchyError {
    /// There is no such room here, or the user may not know what it is.
    #[error("{user} may not see the room {room_id}")]
    Forbidden {
        /// Who asked.
        user: String,
        /// For what.
        room_id: String,
    },
    /// The token is of another walk.
    #[error("`suggested_only` and `max_depth` cannot change on paginated requests")]
    OtherWalk,
    /// The token leads nowhere in this tree.
    #[error("`from` is no token of this hierarchy")]
    UnknownToken,
    /// The database failed.
    #[error("the hierarchy could not be read")]
    Store(#[from] StoreError),
}

/// A walk in progress.
struct Walk {
    user: i64,
    max_depth: usize,
    suggested_only: bool,
    /// The spaces from the root to where the walk is, each with the children still to come.
    open: Vec<(OwnedRoomId, std::vec::IntoIter<Child>)>,
    /// The last room shown, and the rooms that lead to it.
    path: Vec<OwnedRoomId>,
    shown: HashSet<OwnedRoomId>,
    /// What other servers have told so far of the rooms in their spaces.
    told: HashMap<OwnedRoomId, RoomSummary>,
    inaccessible: HashSet<OwnedRoomId>,
    asked: usize,
    started_ms: u64,
}

/// A room that may be shown, with the rooms in it.
type Found = (RoomSummary, Vec<Child>);

impl Rooms {
    /// A page of the tree of rooms below a space, as far as its rooms may be told to the user.
    ///
    /// Cost: the rooms looked at, at most 500, and the children of the spaces among them.
    pub async fn hierarchy(
        &self,
        request: &HierarchyRequest<'_>,
    ) -> Result<Hierarchy, HierarchyError> {
        let forbidden = || HierarchyError::Forbidden {
            user: request.user.to_string(),
            room_id: request.room_id.to_string(),
        };
        let mut read = self.store.read();
        let max_depth = request.max_depth.unwrap_or(DEPTH_MAX).min(DEPTH_MAX);
        if request.from.as_ref().is_some_and(|from| {
            (from.max_depth, from.suggested_only) != (max_depth, request.suggested_only)
        }) {
            return Err(HierarchyError::OtherWalk);
        }
        let user = self.store.find_interned(request.user.as_bytes()).await?;
        let mut walk = Walk {
            user: user.ok_or_else(forbidden)?,
            max_depth,
            suggested_only: request.suggested_only,
            open: Vec::new(),
            path: Vec::new(),
            shown: HashSet::new(),
            told: HashMap::new(),
            inaccessible: HashSet::new(),
            asked: 0,
            started_ms: self.server.now_ms(),
        };
        let via: Vec<OwnedServerName> = request
            .room_id
            .server_name()
            .map(ToOwned::to_owned)
            .into_iter()
            .collect();
        let root = self
            .find_told(&mut read, &mut walk, (request.room_id, &via))
            .await?
            .ok_or_else(forbidden)?;
        let mut rooms = Vec::new();
        match &request.from {
            None => rooms.push(walk.enter(root)),
            Some(from) => self.resume(&mut read, &mut walk, root, &from.path).await?,
        }
        self.fill(&mut read, &mut walk, request.limit, rooms).await
    }

    /// Walks on until the page is full.
    async fn fill(
        &self,
        read: &mut Read,
        walk: &mut Walk,
        limit: Option<usize>,
        mut rooms: Vec<SpaceRoom>,
    ) -> Result<Hierarchy, HierarchyError> {
        let limit = limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
        (walk.asked, walk.started_ms) = (0, self.server.now_ms());
        let mut scanned = 0;
        while rooms.len() < limit && scanned < SCAN_MAX {
            let is_slow = self.server.now_ms() - walk.started_ms > ASKING_MS_MAX;
            if scanned > 0 && (walk.asked >= ASKED_MAX || is_slow) {
                break;
            }
            let Some(child) = walk.next_child() else {
                return Ok(Hierarchy { rooms, next: None });
            };
            scanned += 1;
            // What was looked at is where the next page goes on, shown or not.
            walk.path = walk.open.iter().map(|(space, _)| space.clone()).collect();
            walk.path.push(child.room_id.clone());
            if walk.is_above(&child.room_id) || walk.shown.contains(&child.room_id) {
                continue;
            }
            let place = (&*child.room_id, &child.via[..]);
            let found = self.find_told(read, walk, place).await?;
            rooms.extend(found.map(|found| walk.enter(found)));
        }
        Ok(Hierarchy {
            rooms,
            next: walk.token(),
        })
    }

    /// What may be told of a room, and the rooms in it; of a room that is not known here, by the
    /// servers that are likely to know it.
    async fn find_told(
        &self,
        read: &mut Read,
        walk: &mut Walk,
        (room_id, via): (&RoomId, &[OwnedServerName]),
    ) -> StoreResult<Option<Found>> {
        let number = self.find_number(room_id).await?;
        let known = match number {
            Some(number) => self.summarise(read, number).await?,
            None => None,
        };
        let membership = match number {
            Some(number) => memberships::find(read, number, walk.user).await?,
            None => None,
        };
        let asker = Asker::User(walk.user, membership.map(|found| found.membership));
        if let Some(summary) = known {
            if !self.is_told(read, &summary, asker).await? {
                return Ok(None);
            }
            let suggested_only = walk.suggested_only;
            let children = self.children_of(read, &summary, suggested_only).await?;
            return Ok(Some((summary, children)));
        }
        let Some((summary, children)) = self.find_remote(walk, room_id, via).await else {
            return Ok(None);
        };
        let is_told = self.is_told(read, &summary, asker).await?;
        Ok(is_told.then_some((summary, children)))
    }

    async fn find_remote(
        &self,
        walk: &mut Walk,
        room_id: &RoomId,
        via: &[OwnedServerName],
    ) -> Option<Found> {
        if walk.inaccessible.contains(room_id) {
            return None;
        }
        if let Some(summary) = walk.told.get(room_id).filter(|room| !room.is_space()) {
            return Some((summary.clone(), Vec::new()));
        }
        let suggested_only = walk.suggested_only;
        let room = if let Some(room) = self.kept_remote_room(room_id, suggested_only) {
            room
        } else {
            walk.asked += 1;
            let asked = self.remote_room(room_id, via, suggested_only).await;
            // A space is shown without the rooms that nobody tells of.
            asked.inspect_err(log_failure).ok()??
        };
        walk.learn(&room);
        let suggested = |child: &&Child| child.is_suggested || !suggested_only;
        let children = room.children.iter().filter(suggested).cloned();
        Some((room.summary.clone(), children.collect()))
    }

    /// Goes to where an earlier page ended: behind the last room of the path, or to the rooms
    /// below it.
    async fn resume(
        &self,
        read: &mut Read,
        walk: &mut Walk,
        root: Found,
        path: &[OwnedRoomId],
    ) -> Result<(), HierarchyError> {
        let (first, rest) = path.split_first().ok_or(HierarchyError::UnknownToken)?;
        if *first != root.0.room_id {
            return Err(HierarchyError::UnknownToken);
        }
        walk.enter(root);
        for (depth, room_id) in rest.iter().enumerate() {
            // What was taken out of a space meanwhile leaves nothing there to go on from.
            let open = walk.open.get_mut(depth);
            let child = open.and_then(|(_, rooms)| rooms.find(|child| child.room_id == *room_id));
            let Some(child) = child else {
                return Ok(());
            };
            if !walk.is_above(room_id) {
                let found = self.find_told(read, walk, (room_id, &child.via)).await?;
                found.map(|found| walk.enter(found));
            }
        }
        walk.path = path.to_vec();
        Ok(())
    }
}

fn log_failure(error: &myelin_net::FederationError) {
    tracing::debug!(%error, "a room of a space could not be asked for");
}

impl Walk {
    /// Shows a room; the rooms in it come next.
    fn enter(&mut self, (summary, children): Found) -> SpaceRoom {
        self.shown.insert(summary.room_id.clone());
        if self.path.is_empty() {
            self.path.push(summary.room_id.clone());
        }
        let stripped = children.iter().map(|child| child.stripped.clone());
        let stripped = stripped.collect();
        if self.open.len() < self.max_depth && !children.is_empty() {
            self.open
                .push((summary.room_id.clone(), children.into_iter()));
        }
        SpaceRoom {
            summary,
            children: stripped,
        }
    }

    /// Remembers what a server has told of the rooms in its space.
    fn learn(&mut self, room: &Arc<RemoteRoom>) {
        let told = room.told.iter();
        self.told
            .extend(told.map(|(id, summary)| (id.clone(), summary.clone())));
        self.inaccessible.extend(room.inaccessible.iter().cloned());
    }

    fn is_above(&self, room_id: &RoomId) -> bool {
        self.open.iter().any(|(space, _)| space == room_id)
    }

    /// The next child of the innermost space that has one.
    fn next_child(&mut self) -> Option<Child> {
        while let Some((_, children)) = self.open.last_mut() {
            if let Some(child) = children.next() {
                return Some(child);
            }
            self.open.pop();
        }
        None
    }

    /// Where the next page goes on; None: there is nothing left.
    fn token(&self) -> Option<HierarchyToken> {
        let mut open = self.open.iter();
        open.any(|(_, children)| children.len() > 0)
            .then(|| HierarchyToken {
                max_depth: self.max_depth,
                suggested_only: self.suggested_only,
                path: self.path.clone(),
            })
    }
}
