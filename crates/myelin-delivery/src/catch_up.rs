//! How a server that is behind is brought up: room by room, so that the cost lies with what it
//! missed and not with the log.

use std::{collections::BTreeMap, sync::Arc};

use myelin_store::{
    LogEntry, LogKind, Read, Store, StoreError, StoreResult,
    deliveries::{self, Delivery},
    destinations::{self, MissedRoom},
    device_lists,
    events::{self, StoredEvent},
    log,
    room_servers::{self, ServerChange},
    sticky_events, to_device,
};
use ruma::OwnedServerName;

use crate::{
    edus::{EDUS_MAX, KeyChange, PendingEdus},
    encryption::{self, forget, is_key_change},
    member_events::takes_away,
    pass::{own_receipts, pdu, server_of},
    transaction::{BYTES_MAX, Failure, Line, PDUS_MAX, Pdu, Transaction},
};

/// Rooms looked at by one query.
const ROOMS: i64 = 50;
/// The entries of a room that one transaction can take: [`PDUS_MAX`].
const OF_ROOM: i64 = 50;
/// Messages to devices and changes of keys that one transaction takes: half of [`EDUS_MAX`] each.
const MESSAGES: i64 = 50;
const CHANGES: i64 = 50;

/// How far a server has been brought up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// It had everything up to here when the round began.
    pub(crate) cursor: i64,
    /// It is brought up to here.
    pub(crate) target: i64,
    /// The rooms below this one are done; 0: what belongs to no room is not.
    pub(crate) room: i64,
    /// This room, or what belongs to none, is done up to here.
    pub(crate) room_cursor: i64,
    /// Whether only the newest events of each room are sent.
    pub(crate) newest_only: bool,
}

impl Round {
    /// One that has not begun.
    pub(crate) fn from(cursor: i64) -> Self {
        Self {
            cursor,
            target: 0,
            room: 0,
            room_cursor: 0,
            newest_only: false,
        }
    }

    /// Goes on with a room, or stays there.
    fn enter(&mut self, room: i64) {
        if self.room != room {
            (self.room, self.room_cursor) = (room, 0);
        }
    }

    /// Whether some of it is done.
    pub(crate) fn has_begun(&self) -> bool {
        self.target > 0 && (self.room, self.room_cursor) != (0, 0)
    }
}

/// Why a step was not made.
pub(crate) enum StepError {
    Store(StoreError),
    Failure(Failure),
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One step: what one transaction takes of what is missing.
pub(crate) struct Step {
    pub(crate) store: Store,
    pub(crate) line: Line,
    pub(crate) name: OwnedServerName,
    pub(crate) server: i64,
}

/// What is sent in a step.
#[derive(Default)]
struct Gathered {
    pdus: Vec<Arc<Pdu>>,
    bytes: usize,
    edus: PendingEdus,
}

impl Step {
    /// Sends what fits into one transaction. Returns how far the server is then; None: it has
    /// everything up to the target.
    pub(crate) async fn make(&self, round: Round) -> Result<Option<Round>, StepError> {
        let mut gathered = Gathered::default();
        let rest = self.gather(round, &mut gathered).await?;
        let (mut edus, mut messages) = (Vec::new(), Vec::new());
        while !gathered.edus.is_empty() && edus.len() < EDUS_MAX {
            let taken = gathered.edus.take();
            edus.extend(taken.edus);
            messages.extend(taken.messages);
        }
        edus.truncate(EDUS_MAX);
        if !gathered.pdus.is_empty() || !edus.is_empty() {
            let transaction = Transaction::new(&self.line.server, gathered.pdus, edus);
            let sent = transaction.send(&self.line, &self.name).await;
            sent.map_err(StepError::Failure)?;
            forget(&self.store, self.server, &messages).await?;
        }
        Ok(rest)
    }

    /// Takes what is missing, in the order of rooms, until a transaction is full.
    async fn gather(
        &self,
        mut round: Round,
        gathered: &mut Gathered,
    ) -> StoreResult<Option<Round>> {
        if round.room == 0 && !self.gather_encryption(&mut round, gathered).await? {
            return Ok(Some(round));
        }
        let range = (round.cursor, round.target);
        loop {
            let mut read = self.store.snapshot().await?;
            let page = (round.room, ROOMS);
            let rooms =
                destinations::list_missed_rooms(&mut read, self.server, range, page).await?;
            if !self
                .gather_page(&mut read, &mut round, (&rooms, &mut *gathered))
                .await?
            {
                return Ok(Some(round));
            }
            if i64::try_from(rooms.len()).is_ok_and(|found| found < ROOMS) {
                return Ok(None);
            }
        }
    }

    /// Takes what belongs to no room: messages to devices, and changes of keys. False: there was
    /// some, which is sent before the rooms are looked at.
    async fn gather_encryption(
        &self,
        round: &mut Round,
        gathered: &mut Gathered,
    ) -> StoreResult<bool> {
        let mut read = self.store.read();
        let queue = (self.server, to_device::SERVER);
        // What is there has not arrived, whatever the cursor says.
        let range = (0, round.target);
        let mut is_whole = true;
        for waiting in to_device::list(&mut read, queue, range, MESSAGES).await? {
            let message = encryption::message(waiting.place, &waiting.event);
            gathered.edus.push_message(message);
            is_whole = gathered.edus.message_bytes() < BYTES_MAX
                && gathered.edus.durable() < usize::try_from(MESSAGES).unwrap_or_default();
            if !is_whole {
                break;
            }
        }
        if is_whole {
            self.gather_changes(&mut read, round, gathered).await?;
        }
        Ok(gathered.edus.is_empty())
    }

    async fn gather_changes(
        &self,
        read: &mut Read,
        round: &mut Round,
        gathered: &mut Gathered,
    ) -> StoreResult<()> {
        let before = gathered.edus.durable();
        while round.room == 0 && gathered.edus.durable() == before {
            let range = (round.cursor.max(round.room_cursor), round.target);
            let entries = device_lists::list(read, range, CHANGES).await?;
            for entry in &entries {
                round.room_cursor = entry.pos;
                let change = self.change(read, entry).await?;
                gathered.edus.push_changes(change);
            }
            if i64::try_from(entries.len()).is_ok_and(|found| found < CHANGES) {
                round.enter(1);
            }
        }
        Ok(())
    }

    /// A change of keys that this server is told: of a user of ours who shares a room with it.
    async fn change(&self, read: &mut Read, entry: &LogEntry) -> StoreResult<Option<KeyChange>> {
        if !is_key_change(entry)
            || !room_servers::exists_sharing(read, entry.subject, self.server).await?
        {
            return Ok(None);
        }
        let name = self.store.interned(&[entry.subject]).await?;
        let name = name.first().and_then(|name| std::str::from_utf8(name).ok());
        let own = self.line.server.name.as_str();
        let Some(user) = name.filter(|name| server_of(name) == Some(own)) else {
            return Ok(None);
        };
        encryption::key_change(&self.line.server, &self.store, (entry, user)).await
    }

    /// Takes what is missing of some rooms. False: the transaction is full before all is taken.
    async fn gather_page(
        &self,
        read: &mut Read,
        round: &mut Round,
        (rooms, gathered): (&[MissedRoom], &mut Gathered),
    ) -> StoreResult<bool> {
        for missed in rooms {
            round.enter(missed.room);
            let place = (*missed, &mut *gathered);
            if !self.gather_room(read, round, place).await? {
                return Ok(false);
            }
            round.enter(missed.room + 1);
        }
        Ok(true)
    }

    /// Takes what is missing of a room. False: the transaction is full before all of it is taken.
    async fn gather_room(
        &self,
        read: &mut Read,
        round: &mut Round,
        (missed, gathered): (MissedRoom, &mut Gathered),
    ) -> StoreResult<bool> {
        if gathered.pdus.len() >= PDUS_MAX || gathered.edus.durable() >= EDUS_MAX {
            return Ok(false);
        }
        let range = (round.cursor.max(round.room_cursor), round.target);
        let (entries, newest_only) = self
            .missed_entries(read, round, (missed.room, range))
            .await?;
        let is_too_much = gathered.pdus.len() + entries.len() > PDUS_MAX;
        if newest_only && is_too_much && !gathered.pdus.is_empty() {
            return Ok(false);
        }
        let mut events = list_events(read, &entries).await?;
        let attendance = Attendance::read(read, self.server, (missed, range.0)).await?;
        for entry in &entries {
            if gathered.pdus.len() >= PDUS_MAX || gathered.bytes >= BYTES_MAX {
                return Ok(false);
            }
            round.room_cursor = entry.pos;
            if only_for(entry).is_some_and(|server| server != self.server) {
                continue;
            }
            // It may be here twice: for all, and for this server when it came.
            let Some(event) = events.remove(&entry.reference) else {
                continue;
            };
            if self.concerns(&event, attendance.at(entry.pos)).await? {
                gathered.bytes += event.json.len();
                gathered.pdus.push(pdu(event));
            }
        }
        let is_whole = newest_only || entries.len() < PDUS_MAX;
        if is_whole && missed.joined > 0 {
            let range = (round.cursor, round.target);
            self.gather_receipts(read, range, (missed.room, gathered))
                .await?;
        }
        Ok(is_whole)
    }

    /// The next entries of a room, and whether they are but the newest of them: not where there may be
    /// sticky events among the others, which reach everybody.
    async fn missed_entries(
        &self,
        read: &mut Read,
        round: &Round,
        (room, (from, up_to)): (i64, (i64, i64)),
    ) -> StoreResult<(Vec<LogEntry>, bool)> {
        if !round.newest_only {
            let entries = deliveries::list(read, room, (from, up_to), OF_ROOM).await?;
            return Ok((entries, false));
        }
        let now_ms = self.line.server.now_ms().cast_signed();
        let Some(first) = sticky_events::find_first_own(read, room, now_ms).await? else {
            let entries = deliveries::list_newest(read, room, (from, up_to), OF_ROOM).await?;
            return Ok((entries, true));
        };
        let from = from.max(first - 1);
        let entries = deliveries::list(read, room, (from, up_to), OF_ROOM).await?;
        Ok((entries, false))
    }

    /// Whether an event is for this server: it was in the room, or loses a user by it. What came
    /// from it is not sent back.
    async fn concerns(&self, event: &StoredEvent, was_there: bool) -> StoreResult<bool> {
        let taken = takes_away(event);
        let users = [event.sender, taken.unwrap_or(event.sender)];
        let names = self.store.interned(&users).await?;
        let is_theirs = |name: Option<&bytes::Bytes>| {
            let name = name.and_then(|name| std::str::from_utf8(name).ok());
            name.and_then(server_of) == Some(self.name.as_str())
        };
        let is_taken = taken.is_some() && is_theirs(names.get(1));
        Ok((was_there || is_taken) && !is_theirs(names.first()))
    }

    async fn gather_receipts(
        &self,
        read: &mut Read,
        range: (i64, i64),
        (room, gathered): (i64, &mut Gathered),
    ) -> StoreResult<()> {
        let mut entries = log::list_latest(read, room, range).await?;
        entries.retain(|entry| entry.kind == LogKind::Receipt);
        let newest = entries.len().saturating_sub(EDUS_MAX);
        let own_name = self.line.server.name.as_str();
        for receipt in own_receipts(&self.store, own_name, &entries[newest..])
            .await?
            .into_values()
        {
            gathered.edus.push_receipt(receipt);
        }
        Ok(())
    }
}

/// The server that alone is to be sent what an entry tells of.
fn only_for(entry: &LogEntry) -> Option<i64> {
    match Delivery::of(entry)? {
        Delivery::Event { only, .. } => only,
        Delivery::Retry(_) => None,
    }
}

async fn list_events(
    read: &mut Read,
    entries: &[LogEntry],
) -> StoreResult<BTreeMap<i64, StoredEvent>> {
    let numbers: Vec<i64> = entries.iter().map(|entry| entry.reference).collect();
    let found = events::list(read, &numbers).await?;
    Ok(found
        .into_iter()
        .map(|event| (event.event, event))
        .collect())
}

/// When a server was in a room.
struct Attendance {
    /// How many of its users are joined now.
    joined: i64,
    /// What has changed that, the newest first: position, and by how many.
    changes: Vec<(i64, i64)>,
}

impl Attendance {
    async fn read(
        read: &mut Read,
        server: i64,
        (missed, after): (MissedRoom, i64),
    ) -> StoreResult<Self> {
        let entries = room_servers::list_changes(read, missed.room, after).await?;
        let change = |entry: &LogEntry| match ServerChange::of(entry)? {
            ServerChange::Came(found) if found == server => Some((entry.pos, 1)),
            ServerChange::Went(found) if found == server => Some((entry.pos, -1)),
            _ => None,
        };
        Ok(Self {
            joined: missed.joined,
            changes: entries.iter().filter_map(change).collect(),
        })
    }

    /// Whether it was in the room at a position.
    fn at(&self, pos: i64) -> bool {
        let later = self.changes.iter().take_while(|(at, _)| *at > pos);
        self.joined - later.map(|(_, by)| by).sum::<i64>() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attendance_is_told_from_now_backwards() {
        let attendance = Attendance {
            joined: 0,
            changes: vec![(30, -1), (20, 1), (10, -1)],
        };
        let found: Vec<_> = [5, 10, 15, 20, 25, 30, 35]
            .map(|pos| attendance.at(pos))
            .into();
        assert_eq!(found, [true, false, false, true, true, false, false]);
    }
}
