//! The tree of rooms below a space (spec: "Discovering rooms within spaces").
//!
//! A page is a walk through the tree, depth first. Where the next one goes on is told by the rooms
//! that lead from the root to the last room of this one, so nothing needs to be remembered. A room
//! is not entered again below itself, nor shown twice on one page.

use std::{collections::HashSet, fmt, str::FromStr};

use myelin_store::{Read, StoreError, StoreResult};
use ruma::{RoomId, UserId};
use serde_json::value::RawValue;

use super::{RoomSummary, space::Child};
use crate::Rooms;

/// Rooms on a page unless the client asks otherwise.
const LIMIT: usize = 50;
/// Most rooms on a page.
const LIMIT_MAX: usize = 100;
/// How deep a tree is walked at most.
const DEPTH_MAX: usize = 30;
/// Rooms that are looked at for one page, most of which may not be told of.
const SCAN_MAX: usize = 500;

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

/// Where a walk goes on, and which walk it was. Printed as `h5_1_12.30.41`: the depth, whether only
/// what is suggested, and the rooms from the root to the last one shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HierarchyToken {
    max_depth: usize,
    suggested_only: bool,
    path: Vec<i64>,
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
    open: Vec<(i64, std::vec::IntoIter<Child>)>,
    /// The last room shown, and the rooms that lead to it.
    path: Vec<i64>,
    shown: HashSet<i64>,
}

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
        let user = user.ok_or_else(forbidden)?;
        let root = self.find_number(request.room_id).await?;
        let root = root.ok_or_else(forbidden)?;
        let (root, _) = self
            .summary(&mut read, root, Some(user))
            .await?
            .ok_or_else(forbidden)?;
        let mut walk = Walk {
            user,
            max_depth,
            suggested_only: request.suggested_only,
            open: Vec::new(),
            path: Vec::new(),
            shown: HashSet::new(),
        };
        let limit = request.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
        let mut rooms = Vec::new();
        match &request.from {
            None => rooms.push(self.enter(&mut read, &mut walk, root).await?),
            Some(from) => self.resume(&mut read, &mut walk, root, &from.path).await?,
        }
        let mut scanned = 0;
        while rooms.len() < limit && scanned < SCAN_MAX {
            let Some(child) = walk.next_child() else {
                return Ok(Hierarchy { rooms, next: None });
            };
            scanned += 1;
            rooms.extend(self.visit(&mut read, &mut walk, child).await?);
        }
        let next = walk.token();
        Ok(Hierarchy { rooms, next })
    }

    /// Shows a child, if it may be told of, and enters it.
    async fn visit(
        &self,
        read: &mut Read,
        walk: &mut Walk,
        room: i64,
    ) -> StoreResult<Option<SpaceRoom>> {
        // What was looked at is where the next page goes on, shown or not.
        walk.path = walk.open.iter().map(|(space, _)| *space).collect();
        walk.path.push(room);
        let is_above = walk.open.iter().any(|(space, _)| *space == room);
        if is_above || walk.shown.contains(&room) {
            return Ok(None);
        }
        let Some((summary, _)) = self.summary(read, room, Some(walk.user)).await? else {
            return Ok(None);
        };
        Ok(Some(self.enter(read, walk, summary).await?))
    }

    /// Shows a room; if it is a space, its children come next.
    async fn enter(
        &self,
        read: &mut Read,
        walk: &mut Walk,
        summary: RoomSummary,
    ) -> StoreResult<SpaceRoom> {
        walk.shown.insert(summary.room);
        if walk.path.is_empty() {
            walk.path.push(summary.room);
        }
        let children = if summary.is_space() {
            let at = (summary.room, &summary.root);
            self.children(read, at, walk.suggested_only).await?
        } else {
            Vec::new()
        };
        let stripped = children.iter().map(|child| child.stripped.clone());
        let stripped = stripped.collect();
        if walk.open.len() < walk.max_depth && !children.is_empty() {
            walk.open.push((summary.room, children.into_iter()));
        }
        Ok(SpaceRoom {
            summary,
            children: stripped,
        })
    }

    /// Goes to where an earlier page ended: behind the last room of the path, or to the rooms
    /// below it.
    async fn resume(
        &self,
        read: &mut Read,
        walk: &mut Walk,
        root: RoomSummary,
        path: &[i64],
    ) -> Result<(), HierarchyError> {
        let (first, rest) = path.split_first().ok_or(HierarchyError::UnknownToken)?;
        if *first != root.room {
            return Err(HierarchyError::UnknownToken);
        }
        self.enter(read, walk, root).await?;
        for (depth, room) in rest.iter().enumerate() {
            // What was taken out of a space meanwhile leaves nothing there to go on from.
            let found = walk
                .open
                .get_mut(depth)
                .is_some_and(|(_, children)| children.any(|child| child.room == *room));
            if !found {
                return Ok(());
            }
            let is_above = walk.open.iter().any(|(space, _)| space == room);
            let told = self.summary(read, *room, Some(walk.user)).await?;
            if let Some((summary, _)) = told.filter(|_| !is_above) {
                self.enter(read, walk, summary).await?;
            }
        }
        walk.path = path.to_vec();
        Ok(())
    }
}

impl Walk {
    /// The next child of the innermost space that has one.
    fn next_child(&mut self) -> Option<i64> {
        while let Some((_, children)) = self.open.last_mut() {
            if let Some(child) = children.next() {
                return Some(child.room);
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

impl fmt::Display for HierarchyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suggested = i32::from(self.suggested_only);
        write!(f, "h{}_{suggested}_", self.max_depth)?;
        for (index, room) in self.path.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            write!(f, "{dot}{room}")?;
        }
        Ok(())
    }
}

impl FromStr for HierarchyToken {
    type Err = HierarchyError;

    fn from_str(text: &str) -> Result<Self, HierarchyError> {
        let parse = || {
            let (max_depth, rest) = text.strip_prefix('h')?.split_once('_')?;
            let (suggested, path) = rest.split_once('_')?;
            let path: Vec<i64> = path
                .split('.')
                .map(|room| room.parse().ok())
                .collect::<Option<_>>()?;
            let suggested_only = match suggested {
                "0" => false,
                "1" => true,
                _ => return None,
            };
            Some(Self {
                max_depth: max_depth.parse().ok()?,
                suggested_only,
                path: (path.len() <= DEPTH_MAX + 1).then_some(path)?,
            })
        };
        parse().ok_or(HierarchyError::UnknownToken)
    }
}
