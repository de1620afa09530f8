//! A room as the follower has it in memory: its members with accounts here, as of the event that is
//! counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use myelin_core::push::CompiledRules;
use myelin_store::notifications::Sums;
use ruma::{OwnedRoomId, UserId};

use super::ignored::IgnoredUsers;

/// Most rooms, and most members of rooms, in memory; more are forgotten together.
const ROOMS_MAX: usize = 4_096;
const MEMBERS_MAX: usize = 1_000_000;
/// Most threads of a room whose sums are remembered.
const THREADS_MAX: usize = 1_000;

/// A room.
#[derive(Debug)]
pub(super) struct RoomState {
    pub(super) room_id: OwnedRoomId,
    /// The rules have been asked about the events up to this place.
    pub(super) evaluated: i64,
    /// Members with the predefined rules who are notified of what most are notified of.
    pub(super) plain: BTreeSet<i64>,
    /// The other members.
    pub(super) other: BTreeMap<i64, Member>,
    /// Whom members ignore, for those who ignore anybody.
    pub(super) ignored: BTreeMap<i64, IgnoredUsers>,
    /// The sums of threads, where they are known.
    pub(super) sums: BTreeMap<String, Sums>,
}

/// A member who has changed the rules, or counts by exceptions alone.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) rules: Arc<CompiledRules>,
    pub(super) follows: bool,
}

impl RoomState {
    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.other.is_empty()
    }

    pub(super) fn has(&self, user: i64) -> bool {
        self.plain.contains(&user) || self.other.contains_key(&user)
    }

    /// All of them.
    pub(super) fn members(&self) -> impl Iterator<Item = i64> {
        let others = self.other.keys().copied();
        self.plain.iter().copied().chain(others)
    }

    /// Enters a member; None: with the predefined rules.
    pub(super) fn enter(
        &mut self,
        user: i64,
        rules: Option<Arc<CompiledRules>>,
        (predefined, follows): (&Arc<CompiledRules>, bool),
    ) {
        self.plain.remove(&user);
        self.other.remove(&user);
        if rules.is_none() && follows {
            self.plain.insert(user);
        } else {
            let rules = rules.unwrap_or_else(|| Arc::clone(predefined));
            self.other.insert(user, Member { rules, follows });
        }
    }

    pub(super) fn leave(&mut self, user: i64) {
        self.plain.remove(&user);
        self.other.remove(&user);
        self.ignored.remove(&user);
    }

    /// Notes whom a member ignores.
    pub(super) fn ignore(&mut self, user: i64, list: Option<IgnoredUsers>) {
        match list {
            Some(list) => drop(self.ignored.insert(user, list)),
            None => drop(self.ignored.remove(&user)),
        }
    }

    /// The members who ignore a user.
    pub(super) fn ignoring(&self, user_id: &str) -> BTreeSet<i64> {
        let Ok(user_id) = <&UserId>::try_from(user_id) else {
            return BTreeSet::new();
        };
        let lists = self.ignored.iter();
        let lists = lists.filter(|(_, list)| list.contains(user_id));
        lists.map(|(user, _)| *user).collect()
    }

    /// Whether anybody but the sender is notified of what most are notified of.
    pub(super) fn is_followed(&self, sender: i64) -> bool {
        let mut others = self.other.iter();
        self.plain.len() > usize::from(self.plain.contains(&sender))
            || others.any(|(user, member)| member.follows && *user != sender)
    }

    /// Remembers the sums of a thread.
    pub(super) fn remember(&mut self, thread: &str, sums: Sums) {
        if self.sums.len() >= THREADS_MAX {
            self.sums.clear();
        }
        self.sums.insert(thread.to_owned(), sums);
    }

    fn len(&self) -> usize {
        self.plain.len() + self.other.len()
    }
}

/// The rooms in memory.
#[derive(Debug, Default)]
pub(super) struct KnownRooms {
    rooms: BTreeMap<i64, RoomState>,
    members: usize,
}

impl KnownRooms {
    pub(super) fn get_mut(&mut self, room: i64) -> Option<&mut RoomState> {
        self.rooms.get_mut(&room)
    }

    /// Takes a room out, to be put back with [`Self::put`].
    pub(super) fn take(&mut self, room: i64) -> Option<RoomState> {
        let state = self.rooms.remove(&room)?;
        self.members = self.members.saturating_sub(state.len());
        Some(state)
    }

    pub(super) fn put(&mut self, room: i64, state: RoomState) {
        if self.rooms.len() >= ROOMS_MAX || self.members >= MEMBERS_MAX {
            self.rooms.clear();
            self.members = 0;
        }
        self.members += state.len();
        self.rooms.insert(room, state);
    }

    /// The rooms in memory that a user is in.
    pub(super) fn of_user(&mut self, user: i64) -> impl Iterator<Item = &mut RoomState> {
        let rooms = self.rooms.values_mut();
        rooms.filter(move |state| state.has(user))
    }
}
