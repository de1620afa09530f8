//! What a user's polls have in common: the set of joined rooms, and what wakes the poll.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use myelin_core::membership::Membership;
use myelin_store::{LogEntry, LogKind, Store, StoreResult, Watch, log, memberships};
use parking_lot::Mutex;

/// Rooms for which a root is remembered.
const ROOTS_MAX: usize = 4_096;

/// A user's joined rooms, kept between polls and changed only by the user's own memberships.
pub(crate) struct UserWatch {
    user: i64,
    watch: Watch,
    rooms: Mutex<RoomSet>,
    /// For some rooms a root of a state in which the user is joined, which it is for ever.
    joined_at: Mutex<HashMap<i64, Bytes>>,
}

struct RoomSet {
    joined: HashSet<i64>,
    /// The log position up to which memberships were applied.
    applied: i64,
}

impl UserWatch {
    /// Reads the user's rooms, and watches them and the user from then on.
    pub(crate) async fn load(store: &Store, user: i64) -> StoreResult<Self> {
        let watch = store.live().watch();
        // Watched before the rooms are read, so that a membership made meanwhile wakes the poll.
        watch.add(user);
        let rooms = Mutex::new(read_rooms(store, user).await?);
        rooms.lock().joined.iter().for_each(|room| watch.add(*room));
        Ok(Self {
            user,
            watch,
            rooms,
            joined_at: Mutex::default(),
        })
    }

    /// Brings the room set up to a log position.
    pub(crate) async fn refresh(&self, store: &Store, position: i64) -> StoreResult<()> {
        let applied = self.rooms.lock().applied;
        if applied >= position {
            return Ok(());
        }
        let own =
            |entry: &LogEntry| entry.subject == self.user && entry.kind == LogKind::Membership;
        match store.live().entries_since(applied, &mut |entry| own(entry)) {
            Some(entries) => self.apply(&entries, position),
            None => self.replace(read_rooms(store, self.user).await?),
        }
        Ok(())
    }

    /// Calls `look` with the joined rooms, and the position at which they are that.
    pub(crate) fn with_rooms<T>(&self, look: impl FnOnce(&HashSet<i64>, i64) -> T) -> T {
        let rooms = self.rooms.lock();
        look(&rooms.joined, rooms.applied)
    }

    /// Whether it is remembered that the user is joined in the state at this root.
    pub(crate) fn is_joined_at(&self, room: i64, root: &Bytes) -> bool {
        self.joined_at.lock().get(&room) == Some(root)
    }

    /// Remembers that the user is joined in the state at this root.
    pub(crate) fn remember_joined_at(&self, room: i64, root: &Bytes) {
        let mut roots = self.joined_at.lock();
        if roots.len() >= ROOTS_MAX && !roots.contains_key(&room) {
            roots.clear();
        }
        // A copy of its own, so that it keeps no larger buffer alive.
        roots.insert(room, Bytes::copy_from_slice(root));
    }

    /// The moment to wait from: taken before the log is looked at.
    pub(crate) fn mark(&self) -> u64 {
        self.watch.mark()
    }

    /// Returns when something has happened after the mark in one of the rooms or to the user.
    pub(crate) async fn changed(&self, mark: u64) {
        self.watch.changed_since(mark).await;
    }

    fn apply(&self, entries: &[LogEntry], position: i64) {
        let mut rooms = self.rooms.lock();
        let applied = rooms.applied;
        for entry in entries.iter().filter(|entry| entry.pos > applied) {
            let membership = entry
                .data
                .first()
                .and_then(|number| Membership::from_number(i64::from(*number)));
            let joined = membership == Some(Membership::Join);
            if joined {
                self.watch.add(entry.reference);
                rooms.joined.insert(entry.reference);
            } else if rooms.joined.remove(&entry.reference) {
                self.watch.remove(entry.reference);
            }
        }
        rooms.applied = rooms.applied.max(position);
    }

    fn replace(&self, fresh: RoomSet) {
        let mut rooms = self.rooms.lock();
        if fresh.applied <= rooms.applied {
            return;
        }
        rooms
            .joined
            .difference(&fresh.joined)
            .for_each(|room| self.watch.remove(*room));
        fresh
            .joined
            .difference(&rooms.joined)
            .for_each(|room| self.watch.add(*room));
        *rooms = fresh;
    }
}

async fn read_rooms(store: &Store, user: i64) -> StoreResult<RoomSet> {
    let mut read = store.snapshot().await?;
    let applied = log::position(&mut read).await?;
    let joined = memberships::list_by_user(&mut read, user, Membership::Join).await?;
    Ok(RoomSet {
        joined: joined.iter().map(|membership| membership.room).collect(),
        applied,
    })
}
