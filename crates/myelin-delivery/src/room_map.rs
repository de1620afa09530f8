//! Which servers were in a room when something was logged.
//!
//! The table has the servers of now, and the log is read later than it is written. So the map reads
//! the table once, takes back what was logged after the position asked for, and from then on is
//! moved forward by the entries of the log as they are passed.

use std::collections::BTreeMap;

use myelin_store::{
    Store, StoreResult, log,
    room_servers::{self, ServerChange},
};

/// Most rooms remembered; more are forgotten together.
const ROOMS_MAX: usize = 4_096;

/// The servers of rooms, each with how many of its users were joined.
#[derive(Debug, Default)]
pub(crate) struct RoomMap {
    rooms: BTreeMap<i64, BTreeMap<i64, i64>>,
}

impl RoomMap {
    /// The servers in a room at a position, at which the reader of the log is.
    pub(crate) async fn servers(
        &mut self,
        store: &Store,
        room: i64,
        pos: i64,
    ) -> StoreResult<Vec<i64>> {
        if !self.rooms.contains_key(&room) {
            if self.rooms.len() >= ROOMS_MAX {
                self.rooms.clear();
            }
            let counts = read_at(store, room, pos).await?;
            self.rooms.insert(room, counts);
        }
        let counts = self.rooms.get(&room).into_iter().flatten();
        let there = counts.filter(|(_, joined)| **joined > 0);
        Ok(there.map(|(server, _)| *server).collect())
    }

    /// Passes an entry. Returns the server if it was not in the room before, as far as is known.
    pub(crate) fn pass(&mut self, room: i64, change: ServerChange) -> Option<i64> {
        let counts = self.rooms.get_mut(&room);
        match (change, counts) {
            (ServerChange::Came(server), Some(counts)) => {
                let joined = counts.entry(server).or_default();
                *joined += 1;
                (*joined == 1).then_some(server)
            }
            (ServerChange::Came(server), None) => Some(server),
            (ServerChange::Went(server), Some(counts)) => {
                *counts.entry(server).or_default() -= 1;
                None
            }
            (ServerChange::Went(_), None) => None,
            (ServerChange::Many, _) => {
                self.rooms.remove(&room);
                None
            }
        }
    }
}

async fn read_at(store: &Store, room: i64, pos: i64) -> StoreResult<BTreeMap<i64, i64>> {
    let mut read = store.snapshot().await?;
    let now = log::position(&mut read).await?;
    let found = room_servers::list(&mut read, room).await?;
    let mut counts: BTreeMap<i64, i64> = found
        .iter()
        .map(|found| (found.server, found.joined))
        .collect();
    if now > pos {
        for entry in room_servers::list_changes(&mut read, room, pos).await? {
            match ServerChange::of(&entry) {
                Some(ServerChange::Came(server)) => *counts.entry(server).or_default() -= 1,
                Some(ServerChange::Went(server)) => *counts.entry(server).or_default() += 1,
                Some(ServerChange::Many) | None => {}
            }
        }
    }
    Ok(counts)
}
