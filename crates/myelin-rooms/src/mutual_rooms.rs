//! The rooms in which two users are.

use myelin_store::{StoreResult, shared_rooms};
use ruma::{OwnedRoomId, UserId};

use crate::{Rooms, numbers::parse};

/// Rooms in one answer.
const PAGE: i64 = 100;

/// A part of the rooms in which two users are joined.
#[derive(Clone, Debug, Default)]
pub struct MutualRooms {
    /// The rooms, in a fixed order.
    pub joined: Vec<OwnedRoomId>,
    /// How many there are in all.
    pub count: i64,
    /// Where the next part begins, if there is one.
    pub next: Option<i64>,
}

impl Rooms {
    /// The rooms in which both users are joined, from where the last part has ended (0: from the
    /// beginning). With a user whom this server never met there are none.
    pub async fn mutual_rooms(
        &self,
        user: i64,
        other: &UserId,
        from: i64,
    ) -> StoreResult<MutualRooms> {
        let Some(other) = self.store.find_interned(other.as_bytes()).await? else {
            return Ok(MutualRooms::default());
        };
        let mut read = self.store.read();
        let users = (user, other);
        // One more than is shown tells whether there are more.
        let mut rooms = shared_rooms::list(&mut read, users, (from, PAGE + 1)).await?;
        let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let next = rooms.get(page).is_some().then(|| rooms[page - 1]);
        rooms.truncate(page);
        let ids = self.store.interned(&rooms).await?;
        Ok(MutualRooms {
            joined: ids.iter().filter_map(|id| parse(id)).collect(),
            count: shared_rooms::count(&mut read, users).await?,
            next,
        })
    }
}
