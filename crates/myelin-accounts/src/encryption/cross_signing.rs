//! Uploading cross-signing keys.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload)

use std::collections::BTreeMap;

use bytes::Bytes;
use myelin_core::{
    encryption_keys::{
        KeyError, Object, Usage, check_cross_signing_key, is_signature, public_key, signatures_of,
        without_signatures,
    },
    server::Server,
};
use myelin_store::{Read, Store, StoreError, StoreResult, WriteSet, cross_signing, sessions};
use ruma::UserId;
use serde_json::Value;

use super::{Change, parse};
use crate::uia::{Approval, ApprovalError};

/// Keys to be stored, by usage.
#[derive(Clone, Debug, Default)]
pub struct CrossSigningUpload {
    /// The keys.
    pub keys: BTreeMap<Usage, Object>,
}

/// Why cross-signing keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum CrossSigningError {
    /// A key has not the right form.
    #[error("the {} key cannot be stored", .0.name())]
    Key(Usage, #[source] KeyError),
    /// There is no master key, and none comes with the others.
    #[error("there is no master key")]
    NoMasterKey,
    /// The key is not signed by the master key.
    #[error("the {} key is not signed by the master key", .0.name())]
    NotSigned(Usage),
    /// A key is the id of one of the user's devices.
    #[error("the {} key is the id of a device", .0.name())]
    IdInUse(Usage),
    /// There are other keys, and the user has not approved that they are replaced.
    #[error("the user has to approve it")]
    NeedsApproval,
    /// Authentication was done, and then used by another request or revoked.
    #[error("the authentication does not hold any more")]
    NotApproved,
    /// The store failed.
    #[error("the keys were not stored")]
    Store(#[from] StoreError),
}

/// A stored key.
struct Known {
    object: Object,
    version: i64,
}

/// Stores cross-signing keys. Who has none may do so at any time, and who has the same; other keys
/// take the place of these only with the user's approval.
pub async fn upload_cross_signing_keys(
    server: &Server,
    store: &Store,
    (user, user_number): (&UserId, i64),
    upload: &CrossSigningUpload,
    approval: Option<&Approval>,
) -> Result<(), CrossSigningError> {
    for (usage, key) in &upload.keys {
        check_cross_signing_key(key, user.as_str(), *usage)
            .map_err(|error| CrossSigningError::Key(*usage, error))?;
    }
    let mut attempts = store.attempts();
    let told = loop {
        let mut read = store.read();
        let known = known(&mut read, user_number).await?;
        check_signatures(user, upload, &known)?;
        check_ids(&mut read, user_number, upload).await?;
        let mut writes = WriteSet::new();
        if let Some(approval) = approval {
            approval
                .redeem_for_user(&mut read, &mut writes, server.now_ms())
                .await?;
        }
        let changes = replace(&mut writes, user_number, upload, &known);
        if changes && approval.is_none() && known.contains_key(&Usage::Master) {
            return Err(CrossSigningError::NeedsApproval);
        }
        let mut told = None;
        if changes {
            let change = Change::of_keys();
            told = Some(change.tell(&mut read, &mut writes, user_number).await?);
        }
        if writes.is_empty() || attempts.commit(writes).await?.is_some() {
            break told;
        }
    };
    if let Some(told) = told {
        told.retell(store, user_number).await?;
    }
    Ok(())
}

async fn known(read: &mut Read, user: i64) -> StoreResult<BTreeMap<Usage, Known>> {
    let keys = cross_signing::list(read, &[user]).await?;
    keys.into_iter()
        .map(|key| {
            let known = Known {
                object: parse("cross_signing_keys", &key.value)?,
                version: key.version,
            };
            Ok((key.usage, known))
        })
        .collect()
}

/// Whether the master key, the new one or else the present one, has signed the others.
fn check_signatures(
    user: &UserId,
    upload: &CrossSigningUpload,
    known: &BTreeMap<Usage, Known>,
) -> Result<(), CrossSigningError> {
    let present = known.get(&Usage::Master).map(|known| &known.object);
    let master = upload.keys.get(&Usage::Master).or(present);
    let master = master.and_then(public_key);
    let master = master.ok_or(CrossSigningError::NoMasterKey)?;
    for (usage, key) in &upload.keys {
        if *usage == Usage::Master {
            continue;
        }
        let name = format!("ed25519:{master}");
        let is_signed = signatures_of(key, user.as_str())
            .any(|(signer, signature)| signer == name && is_signature(key, master, signature));
        if !is_signed {
            return Err(CrossSigningError::NotSigned(*usage));
        }
    }
    Ok(())
}

/// Device ids and cross-signing keys are names of one kind.
async fn check_ids(
    read: &mut Read,
    user: i64,
    upload: &CrossSigningUpload,
) -> Result<(), CrossSigningError> {
    for (usage, key) in &upload.keys {
        let id = public_key(key).unwrap_or_default();
        if sessions::find_device(read, user, id).await?.is_some() {
            return Err(CrossSigningError::IdInUse(*usage));
        }
    }
    Ok(())
}

/// Writes what is new. Whether anything is.
fn replace(
    writes: &mut WriteSet,
    user: i64,
    upload: &CrossSigningUpload,
    known: &BTreeMap<Usage, Known>,
) -> bool {
    let is_same = |usage: Usage, key: &Object| {
        let known = known.get(&usage);
        known.is_some_and(|known| without_signatures(&known.object) == without_signatures(key))
    };
    let master = upload.keys.get(&Usage::Master);
    let new_master = master.is_some_and(|key| !is_same(Usage::Master, key));
    let mut changes = false;
    for usage in Usage::ALL {
        let version = known.get(&usage).map(|known| known.version);
        match (upload.keys.get(&usage), version) {
            (Some(key), _) if new_master || !is_same(usage, key) => {
                let text = Bytes::from(Value::Object(key.clone()).to_string());
                cross_signing::put(writes, (user, usage), text, version);
                changes = true;
            }
            // What another master key has signed is worth nothing.
            (None, Some(version)) if new_master => {
                cross_signing::delete(writes, (user, usage), version);
            }
            // What is decided by it must still be so.
            (_, version) => cross_signing::expect(writes, (user, usage), version),
        }
    }
    let before = known.get(&Usage::Master);
    if let Some(before) = before.and_then(|known| public_key(&known.object))
        && new_master
    {
        cross_signing::delete_signatures(writes, (user, before));
    }
    changes
}

impl From<ApprovalError> for CrossSigningError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Void => Self::NotApproved,
            ApprovalError::Store(error) => Self::Store(error),
        }
    }
}
