//! `m.device_list_update` and `m.signing_key_update`: another server's user has other devices or
//! cross-signing keys.
//!
//! Clients are told who has changed, and ask. They are answered from what is known of the user's devices,
//! if that goes on where it was; else their question goes to the user's server, so that it does not
//! matter whether an update was lost.

use myelin_accounts::{DeviceUpdate, RemoteKeyChange, note_remote_key_change};
use myelin_core::membership::Membership;
use myelin_store::{StoreError, WriteSet, device_lists, memberships};
use ruma::ServerName;
use serde::Deserialize;
use serde_json::Value;

use super::user_of;
use crate::Rooms;

/// The content of `m.device_list_update`.
#[derive(Deserialize)]
pub(super) struct DeviceListEdu {
    user_id: String,
    #[serde(flatten)]
    update: DeviceUpdate,
}

/// The content of `m.signing_key_update`.
#[derive(Deserialize)]
pub(super) struct SigningKeyEdu {
    user_id: String,
    #[serde(default)]
    master_key: Value,
    #[serde(default)]
    self_signing_key: Value,
}

impl Rooms {
    pub(super) async fn receive_device_list(
        &self,
        origin: &ServerName,
        edu: DeviceListEdu,
    ) -> Result<(), StoreError> {
        let change = RemoteKeyChange::Device(edu.update);
        self.receive_key_change(origin, (&edu.user_id, &change))
            .await
    }

    pub(super) async fn receive_signing_keys(
        &self,
        origin: &ServerName,
        edu: SigningKeyEdu,
    ) -> Result<(), StoreError> {
        let change = RemoteKeyChange::SigningKeys {
            master: edu.master_key,
            self_signing: edu.self_signing_key,
        };
        self.receive_key_change(origin, (&edu.user_id, &change))
            .await
    }

    async fn receive_key_change(
        &self,
        origin: &ServerName,
        (user_id, change): (&str, &RemoteKeyChange),
    ) -> Result<(), StoreError> {
        let Some(user_id) = user_of(origin, user_id) else {
            tracing::debug!(%origin, user = %user_id, "devices of somebody else's user");
            return Ok(());
        };
        let Some(user) = self.store.find_interned(user_id.as_bytes()).await? else {
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
        note_remote_key_change(&mut read, &mut writes, (user, user_id), change).await?;
        self.store.commit(writes).await.map(drop)
    }
}
