//! `m.device_list_update` and `m.signing_key_update`: another server's user has other devices or
//! cross-signing keys.
//!
//! What it says of the keys is not looked at: what is known of the user's devices is given up, clients
//! are told who has changed and ask, and their question goes to the user's server. So it does not
//! matter whether an update before this one was lost.

use myelin_core::membership::Membership;
use myelin_store::{StoreError, WriteSet, device_lists, memberships, remote_device_lists};
use ruma::ServerName;
use serde::Deserialize;

use super::user_of;
use crate::Rooms;

/// What there is in either content.
#[derive(Deserialize)]
pub(super) struct DeviceListEdu {
    user_id: String,
}

impl Rooms {
    pub(super) async fn receive_device_list(
        &self,
        origin: &ServerName,
        edu: &DeviceListEdu,
    ) -> Result<(), StoreError> {
        let Some(user) = user_of(origin, &edu.user_id) else {
            tracing::debug!(%origin, user = %edu.user_id, "devices of somebody else's user");
            return Ok(());
        };
        let Some(user) = self.store.find_interned(user.as_bytes()).await? else {
            return Ok(());
        };
        let all = (0, i64::MAX);
        let mut read = self.store.read();
        let joined = [Membership::Join];
        let rooms = memberships::list_rooms_after(&mut read, user, &joined, all).await?;
        if rooms.is_empty() {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        device_lists::log_keys(&mut writes, user, &rooms);
        remote_device_lists::note_change(&mut writes, user);
        self.store.commit(writes).await.map(drop)
    }
}
