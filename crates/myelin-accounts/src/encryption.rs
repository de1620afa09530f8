//! Keys of end-to-end encryption: what devices upload, what others are shown and given of it.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#end-to-end-encryption)
//!
//! The server keeps keys and hands them on; whether they are to be trusted is for clients to find
//! out. What it checks is their form (`myelin_core::encryption_keys`), so that no client and no
//! server chokes on what another has uploaded.

mod claim;
mod cross_signing;
mod device_list;
mod kept_list;
mod lists;
mod query;
mod query_all;
mod remote;
mod signatures;
mod upload;

use bytes::Bytes;
use myelin_core::encryption_keys::Object;
use myelin_store::{StoreError, StoreResult};
use ruma::UserId;

pub use claim::{ClaimedKeys, KeyClaims, claim_keys};
pub use cross_signing::{CrossSigningError, CrossSigningUpload, upload_cross_signing_keys};
pub use device_list::{DeviceList, device_list};
pub use kept_list::{DeviceUpdate, RemoteKeyChange, note_remote_key_change};
pub use query::{KeyQuery, QueriedKeys, query_keys};
pub use query_all::query_all_keys;
pub use remote::{KeyFailures, claim_remote_keys};
pub use signatures::{SignatureFailure, SignatureFailures, SignedKeys, upload_signatures};
pub use upload::{KeyTotals, UploadKeys, UploadKeysError, key_totals, upload_keys};

pub(crate) use lists::Change;
pub(crate) use upload::{add_keys, prepare_keys};

use remote::query_remote_keys;

/// Whose keys they are.
#[derive(Clone, Copy, Debug)]
pub struct KeyOwner<'a> {
    /// The user.
    pub user: &'a UserId,
    /// The interned number of the user's id.
    pub user_number: i64,
    /// The device.
    pub device: &'a str,
}

impl<'a> KeyOwner<'a> {
    /// As the store names the device.
    fn of_store(self) -> (i64, &'a str) {
        (self.user_number, self.device)
    }
}

/// A stored key.
fn parse(table: &'static str, stored: &Bytes) -> StoreResult<Object> {
    serde_json::from_slice(stored).map_err(|error| StoreError::Corrupt {
        table,
        column: 3,
        wanted: "a JSON object",
        found: error.to_string(),
    })
}
