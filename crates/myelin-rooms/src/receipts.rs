//! Receipts and the fully read marker: how far a user has read a room or a thread (spec:
//! "Receipts", "Read and unread markers").

use myelin_core::{
    membership::Membership,
    relation::{Relation, THREAD},
};
use myelin_store::{
    Read, Sequence, StoreError, StoreResult, WriteSet,
    account_data::{self, Key},
    events::{self, StoredEvent},
    memberships,
    receipts::{self, Receipt, ReceiptKey},
    redacted_originals,
};
use ruma::{EventId, RoomId, UserId};
use serde::Deserialize;
use serde_json::json;

use crate::Rooms;

/// What stands for the main timeline where a thread is named.
pub(crate) const MAIN: &str = "main";
/// How many relations are followed to find an event's thread (spec: "a maximum of 3 hops").
const HOPS_MAX: usize = 3;
/// The type of the marker among the user's data for the room.
const FULLY_READ: &str = "m.fully_read";

/// A receipt to be set.
#[derive(Clone, Copy, Debug)]
pub struct NewReceipt<'a> {
    /// Whether only the user is told of it: `m.read.private`.
    pub private: bool,
    /// The event up to which was read.
    pub event_id: &'a EventId,
    /// `main` or the id of a thread's root; None: it counts for the whole room.
    pub thread: Option<&'a str>,
}

/// How far a user has read a room.
#[derive(Clone, Copy, Debug)]
pub struct MarkRead<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user.
    pub user: &'a UserId,
    /// Where the fully read marker goes, which is data that the user keeps for the room.
    pub fully_read: Option<&'a EventId>,
    /// The receipts, each for something else.
    pub receipts: &'a [NewReceipt<'a>],
}

/// What is to be written, found and checked.
struct Wanted {
    room: i64,
    user: i64,
    fully_read: Option<(Key, StoredEvent)>,
    receipts: Vec<WantedReceipt>,
}

/// A receipt whose event was found.
pub(crate) struct WantedReceipt {
    pub(crate) key: ReceiptKey,
    pub(crate) event: StoredEvent,
    pub(crate) ts_ms: i64,
}

/// Why receipts were not set.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// There is no such room here, or the user is not in it: which of the two is not told.
    #[error("{user} is not in the room {room_id}")]
    NotInRoom {
        /// Who reads.
        user: String,
        /// Which room.
        room_id: String,
    },
    /// The room has no such event here.
    #[error("the room has no event {0}")]
    UnknownEvent(String),
    /// The event is not part of the thread.
    #[error("the event {event_id} is not related to the thread {thread_id}")]
    NotInThread {
        /// The event.
        event_id: String,
        /// The thread named.
        thread_id: String,
    },
    /// The database failed.
    #[error("the receipt could not be stored")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Sets the marker and the receipts, all of them or none. One that would move backwards stays
    /// where it is.
    pub async fn mark_read(&self, mark: MarkRead<'_>) -> Result<(), ReceiptError> {
        let mut read = self.store.read();
        let wanted = self.check_marks(&mut read, mark).await?;
        let mut attempts = self.store.attempts();
        loop {
            let mut writes = WriteSet::new();
            self.move_receipts(&mut read, &mut writes, &wanted.receipts)
                .await?;
            move_marker(&mut read, &mut writes, &wanted).await?;
            if writes.is_empty() || attempts.commit(writes).await?.is_some() {
                return Ok(());
            }
        }
    }

    async fn check_marks(
        &self,
        read: &mut Read,
        mark: MarkRead<'_>,
    ) -> Result<Wanted, ReceiptError> {
        let MarkRead { room_id, user, .. } = mark;
        let place = self.joined(read, room_id, user).await?;
        let (room, number) = place.ok_or_else(|| ReceiptError::NotInRoom {
            user: user.to_string(),
            room_id: room_id.to_string(),
        })?;
        let mut receipts = Vec::with_capacity(mark.receipts.len());
        for receipt in mark.receipts {
            let event = read_up_to(read, room, receipt.event_id).await?;
            check_thread(read, &event, receipt).await?;
            let key = ReceiptKey {
                room,
                user: number,
                private: receipt.private,
                thread: receipt.thread.map(str::to_owned),
            };
            let ts_ms = self.server.now_ms().cast_signed();
            receipts.push(WantedReceipt { key, event, ts_ms });
        }
        let fully_read = match mark.fully_read {
            Some(event_id) => {
                let event = read_up_to(read, room, event_id).await?;
                let room_id = Some(room_id.as_str());
                let key = Key::intern(&self.store, room_id, FULLY_READ).await?;
                Some((key, event))
            }
            None => None,
        };
        Ok(Wanted {
            room,
            user: number,
            fully_read,
            receipts,
        })
    }

    /// The numbers of a room and of a user who is in it; None if the user is not.
    pub(crate) async fn joined(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        user: &UserId,
    ) -> StoreResult<Option<(i64, i64)>> {
        let Some(room) = self.find_number(room_id).await? else {
            return Ok(None);
        };
        let Some(user) = self.store.find_interned(user.as_bytes()).await? else {
            return Ok(None);
        };
        let found = memberships::find(read, room, user).await?;
        let joined = found.is_some_and(|found| found.membership == Membership::Join);
        Ok(joined.then_some((room, user)))
    }

    /// Moves receipts on, each as far as it is not there yet.
    pub(crate) async fn move_receipts(
        &self,
        read: &mut Read,
        writes: &mut WriteSet,
        wanted: &[WantedReceipt],
    ) -> StoreResult<()> {
        for WantedReceipt { key, event, ts_ms } in wanted {
            let before = receipts::find(read, key).await?;
            let expected = before.as_ref().map(|before| before.room_order);
            if expected.is_some_and(|expected| expected >= event.room_order) {
                continue;
            }
            let number = match before {
                Some(before) => before.number,
                None => self.next_receipt_number().await?,
            };
            let receipt = Receipt {
                key: key.clone(),
                number,
                event_id: event.id.clone(),
                room_order: event.room_order,
                ts_ms: *ts_ms,
            };
            receipts::put(writes, &receipt, expected);
        }
        Ok(())
    }

    async fn next_receipt_number(&self) -> StoreResult<i64> {
        let numbers = self.store.next_numbers(Sequence::Receipt, 1).await?;
        let number = numbers.first().copied();
        number.ok_or(StoreError::Missing { table: "sequences" })
    }
}

/// The event of a receipt or a marker.
async fn read_up_to(
    read: &mut Read,
    room: i64,
    event_id: &EventId,
) -> Result<StoredEvent, ReceiptError> {
    let event = find_in_room(read, room, event_id.as_str()).await?;
    event.ok_or_else(|| ReceiptError::UnknownEvent(event_id.to_string()))
}

/// Refuses a receipt whose event has nothing to do with the thread that it names. The root of a
/// thread and what is related to it count for that thread, too.
async fn check_thread(
    read: &mut Read,
    event: &StoredEvent,
    receipt: &NewReceipt<'_>,
) -> Result<(), ReceiptError> {
    let Some(thread) = receipt.thread else {
        return Ok(());
    };
    let (found, passed) = thread_of(read, event).await?;
    let fits = match &found {
        None if thread == MAIN => true,
        Some(root) if root == thread => true,
        _ => thread != MAIN && passed.iter().any(|id| id == thread),
    };
    if fits {
        return Ok(());
    }
    Err(ReceiptError::NotInThread {
        event_id: event.id.clone(),
        thread_id: thread.to_owned(),
    })
}

async fn move_marker(read: &mut Read, writes: &mut WriteSet, wanted: &Wanted) -> StoreResult<()> {
    let Some((key, event)) = &wanted.fully_read else {
        return Ok(());
    };
    let before = account_data::find(read, wanted.user, key.number).await?;
    if let Some(before) = &before
        && let Ok(Marker { event_id }) = serde_json::from_slice(&before.content)
        && let Some(marked) = find_in_room(read, wanted.room, &event_id).await?
        && marked.room_order >= event.room_order
    {
        return Ok(());
    }
    let content = json!({"event_id": event.id}).to_string();
    let version = before.map(|before| before.version);
    account_data::put(writes, wanted.user, key, (content.into(), version));
    Ok(())
}

/// The content of the marker.
#[derive(Deserialize)]
struct Marker {
    event_id: String,
}

/// The event of this id, if it is in the room.
pub(crate) async fn find_in_room(
    read: &mut Read,
    room: i64,
    id: &str,
) -> StoreResult<Option<StoredEvent>> {
    let Some(number) = events::find_number(read, id).await? else {
        return Ok(None);
    };
    let event = events::find(read, number).await?;
    Ok(event.filter(|event| event.room == room))
}

/// The root of the thread that an event is in (None: in none), and the events passed on the way.
pub(crate) async fn thread_of(
    read: &mut Read,
    event: &StoredEvent,
) -> StoreResult<(Option<String>, Vec<String>)> {
    let mut passed = vec![event.id.clone()];
    let mut next = relation_of(read, event).await?;
    while let Some(relation) = next {
        if relation.rel_type == THREAD {
            return Ok((Some(relation.event_id), passed));
        }
        if passed.len() > HOPS_MAX || passed.contains(&relation.event_id) {
            break;
        }
        let parent = find_in_room(read, event.room, &relation.event_id).await?;
        passed.push(relation.event_id);
        next = match parent {
            Some(parent) => relation_of(read, &parent).await?,
            None => None,
        };
    }
    Ok((None, passed))
}

/// The relation of an event; of a redacted one that which it had, as long as that is kept, so that
/// what belongs to a thread does not move out of it.
pub(crate) async fn relation_of(
    read: &mut Read,
    event: &StoredEvent,
) -> StoreResult<Option<Relation>> {
    if event.redaction.is_none() {
        return Ok(Relation::of_event(&event.json));
    }
    let original = redacted_originals::find(read, event.event).await?;
    Ok(original.and_then(|json| Relation::of_event(&json)))
}
