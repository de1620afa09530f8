//! From the names of the specification to the numbers of the store.

use myelin_core::event::POLICY;
use myelin_store::{Store, StoreError, StoreResult};
use ruma::{RoomId, UserId};

use crate::Rooms;

/// The interned numbers of an event's type, sender and state key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventNumbers {
    pub(crate) event_type: i64,
    pub(crate) sender: i64,
    pub(crate) state_key: Option<i64>,
}

impl EventNumbers {
    /// Interns what an event names. Done before a room is locked, for it may need a commit.
    pub(crate) async fn intern(
        store: &Store,
        event_type: &str,
        sender: &UserId,
        state_key: Option<&str>,
    ) -> StoreResult<Self> {
        let mut strings = vec![event_type.as_bytes(), sender.as_bytes()];
        strings.extend(state_key.map(str::as_bytes));
        let member = state_key.filter(|_| event_type == "m.room.member");
        let member = member.and_then(|key| <&UserId>::try_from(key).ok());
        // The users of each server are counted under its number.
        strings.extend(member.map(|user| user.server_name().as_bytes()));
        let numbers = store.intern(&strings).await?;
        Ok(Self {
            event_type: numbers[0],
            sender: numbers[1],
            state_key: numbers.get(2).copied(),
        })
    }
}

impl Rooms {
    /// The number of a room id, if any room here ever had it.
    pub async fn find_number(&self, room_id: &RoomId) -> StoreResult<Option<i64>> {
        self.store.find_interned(room_id.as_bytes()).await
    }
}

/// An id as it was interned. Ids are checked before they are: one that is none names nobody.
pub(crate) fn parse<T: for<'a> TryFrom<&'a str>>(id: &[u8]) -> Option<T> {
    T::try_from(std::str::from_utf8(id).ok()?).ok()
}

/// The interned number of the type that names policy servers: it is none of those that are fixed.
pub(crate) async fn policy_type(store: &Store) -> StoreResult<i64> {
    let numbers = store.intern(&[POLICY.as_bytes()]).await?;
    let number = numbers.first().copied();
    number.ok_or(StoreError::Missing { table: "interned" })
}
