//! What changed for a user since a position, found by the cheaper of two ways.

use std::collections::{BTreeMap, HashMap, HashSet};

use myelin_core::membership::Membership;
use myelin_store::{Live, LogEntry, LogKind, StoreResult, device_lists, log};
use tokio::time::Instant;

use crate::Syncs;

/// Who looks.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The interned user id.
    pub user: i64,
    /// The device, which is told the transaction ids of what it sent.
    pub device: Option<String>,
}

/// What the log holds for a user between two positions.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The position up to which everything is here.
    pub position: i64,
    /// The events of joined rooms, and the user's own member events wherever they are, in the
    /// order of the log, each once.
    pub events: Vec<ChangedEvent>,
    /// What became of the user's own memberships: room to membership and member event.
    pub memberships: BTreeMap<i64, OwnMembership>,
}

/// An event of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedEvent {
    /// The interned room id.
    pub room: i64,
    /// The event's number.
    pub event: i64,
    /// Its position in the log; of an event that stands there twice, the later one.
    pub pos: i64,
}

/// A membership of the user's own, as it was left by the newest change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnMembership {
    /// What the user is now.
    pub membership: Membership,
    /// The number of the newest member event.
    pub event: i64,
    /// Whether one of the changes was to join.
    pub joined: bool,
}

impl Syncs {
    /// The newest position, after which a client that starts now goes on.
    pub async fn position(&self) -> StoreResult<i64> {
        self.store.live().catch_up().await
    }

    /// What changed for a user since a position.
    ///
    /// Cost: the smaller of the log since then and the user's rooms, plus what changed.
    pub async fn changes(&self, user: i64, since: i64) -> StoreResult<Changes> {
        let found = self.look(user, since, false).await?;
        let position = found.position.max(since);
        let mut entries = match found.entries {
            Some(entries) => entries,
            None => {
                self.entries_from_database(user, &found.rooms, (since, position))
                    .await?
            }
        };
        entries.retain(|entry| match entry.kind {
            LogKind::Event => true,
            LogKind::Membership => entry.subject == user,
            _ => false,
        });
        Ok(collect(user, position, &entries))
    }

    /// What this node remembers of the log about a user and the rooms that the user is joined to.
    pub(crate) async fn look(&self, user: i64, since: i64, with_rooms: bool) -> StoreResult<Look> {
        let live = self.store.live();
        let watch = self.watch(user).await?;
        loop {
            let position = live.catch_up().await?;
            watch.refresh(&self.store, position).await?;
            // The room set may be further: another poll of the user has moved it, or it was just
            // read from the database. Who looks then looks up to there, for a set of one position
            // and entries of another would show rooms that the user was not in, or hide some.
            let (applied, found) = watch.with_rooms(|rooms, applied| {
                let reached = live.position() >= applied;
                (
                    applied,
                    reached.then(|| look_at(live, rooms, (user, since, applied, with_rooms))),
                )
            });
            if let Some(found) = found {
                return Ok(found);
            }
            // What was read from the database is in the log by now, and this node's own commits
            // arrive here on their own.
            if live.catch_up().await? < applied {
                live.beyond(applied - 1).await;
            }
        }
    }

    /// For a token that is older than the node's memory: one join of the user's rooms with the
    /// last position of each, then the log of those that moved.
    async fn entries_from_database(
        &self,
        user: i64,
        rooms: &[i64],
        (since, position): (i64, i64),
    ) -> StoreResult<Vec<LogEntry>> {
        let mut subjects = rooms.to_vec();
        subjects.push(user);
        let mut read = self.store.read();
        let mut entries = Vec::new();
        for (subject, _) in log::last_positions(&mut read, &subjects, since, position).await? {
            entries
                .extend(log::list_subject(&mut read, subject, (since, position), i64::MAX).await?);
        }
        entries.sort_by_key(|entry| entry.pos);
        Ok(entries)
    }

    /// What changed for a user since a position, waiting until the deadline for something to
    /// change.
    pub async fn changes_until(
        &self,
        user: i64,
        since: i64,
        deadline: Instant,
    ) -> StoreResult<Changes> {
        let watch = self.watch(user).await?;
        loop {
            let mark = watch.mark();
            let changes = self.changes(user, since).await?;
            if !changes.events.is_empty() || Instant::now() >= deadline {
                return Ok(changes);
            }
            // Whether woken or out of time: the next look decides.
            let _ = tokio::time::timeout_at(deadline, watch.changed(mark)).await;
        }
    }
}

/// What this node remembers, up to a position at which the room set was known.
pub(crate) struct Look {
    /// The position.
    pub(crate) position: i64,
    /// The entries about the user and the rooms that the user is joined to at the position, and
    /// about memberships and devices of others in them, oldest first; None: the token is older than this node's memory.
    pub(crate) entries: Option<Vec<LogEntry>>,
    /// These rooms, in their order, where there are no entries or they were asked for.
    pub(crate) rooms: Vec<i64>,
}

fn look_at(
    live: &Live,
    rooms: &HashSet<i64>,
    (user, since, position, with_rooms): (i64, i64, i64, bool),
) -> Look {
    let entries = live.entries_since(since, &mut |entry| {
        entry.pos <= position && is_about(entry, user, rooms)
    });
    let mut sorted = Vec::new();
    if with_rooms || entries.is_none() {
        sorted.extend(rooms);
        sorted.sort_unstable();
    }
    Look {
        position,
        entries,
        rooms: sorted,
    }
}

/// Whether an entry is about a user or one of the user's rooms, or about somebody in them.
fn is_about(entry: &LogEntry, user: i64, rooms: &HashSet<i64>) -> bool {
    if entry.subject == user || rooms.contains(&entry.subject) {
        return true;
    }
    match entry.kind {
        LogKind::Membership => rooms.contains(&entry.reference),
        LogKind::DeviceList => device_lists::rooms(entry).any(|room| rooms.contains(&room)),
        _ => false,
    }
}

fn collect(user: i64, position: i64, entries: &[LogEntry]) -> Changes {
    let mut changes = Changes {
        position,
        ..Changes::default()
    };
    let mut seen: HashMap<i64, usize> = HashMap::new();
    for entry in entries {
        let (room, event) = if entry.kind == LogKind::Membership && entry.subject == user {
            let Some((membership, event)) = own_membership(entry) else {
                continue;
            };
            let own = changes.memberships.entry(entry.reference);
            let own = own.or_insert(OwnMembership {
                membership,
                event,
                joined: false,
            });
            own.membership = membership;
            own.event = event;
            own.joined |= membership == Membership::Join;
            (entry.reference, event)
        } else {
            (entry.subject, entry.reference)
        };
        let pos = entry.pos;
        if let Some(index) = seen.get(&event) {
            changes.events[*index].pos = pos;
        } else {
            seen.insert(event, changes.events.len());
            changes.events.push(ChangedEvent { room, event, pos });
        }
    }
    changes
}

/// The membership and the member event that a log entry of kind `Membership` tells of.
pub(crate) fn own_membership(entry: &LogEntry) -> Option<(Membership, i64)> {
    let (membership, event) = entry.data.split_first()?;
    Some((
        Membership::from_number(i64::from(*membership))?,
        i64::from_be_bytes(event.try_into().ok()?),
    ))
}
