//! Who is told that a user's devices have changed.

use myelin_core::membership::Membership;
use myelin_store::{Read, Store, StoreResult, WriteSet, device_lists, memberships};

/// A change that is told to all who share a room with its user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// The devices that have changed, come or gone.
    pub(crate) devices: Vec<String>,
    /// Whether the cross-signing keys have.
    pub(crate) keys: bool,
    /// The rooms in which it is told.
    pub(super) rooms: Vec<i64>,
}

impl Change {
    /// A change of these devices.
    pub(crate) fn of_devices(devices: Vec<String>) -> Self {
        Self {
            devices,
            ..Self::default()
        }
    }

    /// A change of the cross-signing keys.
    pub(crate) fn of_keys() -> Self {
        Self {
            keys: true,
            ..Self::default()
        }
    }

    /// Tells of it in the set that makes it. Cost: the user's rooms.
    pub(crate) async fn tell(
        mut self,
        read: &mut Read,
        writes: &mut WriteSet,
        user: i64,
    ) -> StoreResult<Self> {
        self.rooms = joined_rooms(read, user).await?;
        self.write(writes, user);
        Ok(self)
    }

    /// Tells of it again if its user has joined another room while it was committed: whoever saw the
    /// user join before the change would otherwise not hear of it.
    pub(crate) async fn retell(mut self, store: &Store, user: i64) -> StoreResult<()> {
        let rooms = joined_rooms(&mut store.read(), user).await?;
        if rooms.iter().all(|room| self.rooms.contains(room)) {
            return Ok(());
        }
        self.rooms = rooms;
        let mut writes = WriteSet::new();
        self.write(&mut writes, user);
        store.commit(writes).await.map(drop)
    }

    fn write(&self, writes: &mut WriteSet, user: i64) {
        // One entry is enough for those in the rooms, who hear that the user has changed, not what.
        let mut rooms = &self.rooms[..];
        for device in &self.devices {
            device_lists::log_device(writes, (user, device), std::mem::take(&mut rooms));
        }
        if self.keys {
            device_lists::log_keys(writes, user, rooms);
        }
    }
}

/// The rooms whose members are told of a user's devices. Cost: the user's rooms.
async fn joined_rooms(read: &mut Read, user: i64) -> StoreResult<Vec<i64>> {
    let all = (0, i64::MAX);
    memberships::list_rooms_after(read, user, &[Membership::Join], all).await
}
