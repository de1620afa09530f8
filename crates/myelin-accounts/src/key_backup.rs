//! Backups of the keys of encrypted rooms.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups)
//!
//! A backup counts its keys, and the changes of them, in its row; so whoever changes keys changes
//! the row, and of two who do it at once one begins again.

mod keys;

use bytes::Bytes;
use myelin_store::{
    Read, Store, StoreError, StoreResult, WriteSet,
    key_backups::{self, KeyBackup},
};
use serde_json::{Map, Value};

pub use keys::{
    BackupPage, BackupPlace, KeyUpload, KeyUploads, ShownKey, add_backup_keys, backup_page,
    delete_backup_keys, get_backup_keys,
};

/// Largest description of how keys are encrypted, and largest encrypted key.
const DATA_BYTES_MAX: usize = 65_536;
const ALGORITHM_BYTES_MAX: usize = 255;
/// Rooms whose keys are deleted in one commit.
const ROOMS_PER_SET: i64 = 100;

/// Why a backup stays as it is, or is not shown.
#[derive(Debug, thiserror::Error)]
pub enum KeyBackupError {
    /// There is no such backup, or it was deleted.
    #[error("there is no such backup")]
    NotFound,
    /// Keys are added to the newest backup only; this is its version.
    #[error("the backup is not the current one, which is {0}")]
    NotCurrent(i64),
    /// The algorithm of a backup never changes.
    #[error("the backup has another algorithm")]
    OtherAlgorithm,
    /// The body names another version than the path.
    #[error("the version is not that of the path")]
    OtherVersion,
    /// A room id or a session id cannot be stored.
    #[error("a room id or a session id is too long")]
    InvalidId,
    /// What is to be stored is too large.
    #[error("a key, or what describes the backup, has more than {DATA_BYTES_MAX} bytes")]
    TooLarge,
    /// The store failed.
    #[error("the backup could not be read or changed")]
    Store(#[from] StoreError),
}

/// How a backup's keys are encrypted.
#[derive(Clone, Debug)]
pub struct BackupMethod {
    /// The algorithm.
    pub algorithm: String,
    /// What belongs to it.
    pub auth_data: Map<String, Value>,
}

impl BackupMethod {
    fn auth_data(&self) -> Result<Bytes, KeyBackupError> {
        let text = Value::Object(self.auth_data.clone()).to_string();
        if text.len() > DATA_BYTES_MAX || self.algorithm.len() > ALGORITHM_BYTES_MAX {
            return Err(KeyBackupError::TooLarge);
        }
        Ok(text.into())
    }
}

/// Makes a backup, the user's current one from then on; its version.
pub async fn create_backup(
    store: &Store,
    user: i64,
    method: &BackupMethod,
) -> Result<i64, KeyBackupError> {
    let auth_data = method.auth_data()?;
    let mut attempts = store.attempts();
    loop {
        let newest = key_backups::find(&mut store.read(), user, None).await?;
        let backup = KeyBackup {
            user,
            backup: newest.map_or(1, |newest| newest.backup + 1),
            algorithm: method.algorithm.clone(),
            auth_data: auth_data.clone(),
            ..KeyBackup::default()
        };
        let mut writes = WriteSet::new();
        key_backups::insert(&mut writes, &backup);
        if attempts.commit(writes).await?.is_some() {
            return Ok(backup.backup);
        }
    }
}

/// A backup; with None the current one.
pub async fn get_backup(
    store: &Store,
    user: i64,
    version: Option<&str>,
) -> Result<KeyBackup, KeyBackupError> {
    let mut read = store.read();
    match version {
        None => key_backups::find_current(&mut read, user)
            .await?
            .ok_or(KeyBackupError::NotFound),
        Some(version) => find(&mut read, user, version).await,
    }
}

/// Describes anew how a backup's keys are encrypted. `named`: the version in the body, if it has
/// one.
pub async fn update_backup(
    store: &Store,
    user: i64,
    (version, named): (&str, Option<&str>),
    method: &BackupMethod,
) -> Result<(), KeyBackupError> {
    let auth_data = method.auth_data()?;
    let mut attempts = store.attempts();
    loop {
        let backup = find(&mut store.read(), user, version).await?;
        if named.is_some_and(|named| named != version) {
            return Err(KeyBackupError::OtherVersion);
        }
        if backup.algorithm != method.algorithm {
            return Err(KeyBackupError::OtherAlgorithm);
        }
        let changed = KeyBackup {
            auth_data: auth_data.clone(),
            ..backup
        };
        let mut writes = WriteSet::new();
        key_backups::update(&mut writes, &changed);
        if attempts.commit(writes).await?.is_some() {
            return Ok(());
        }
    }
}

/// Deletes a backup with its keys; nothing is left to do for one that was deleted.
pub async fn delete_backup(store: &Store, user: i64, version: &str) -> Result<(), KeyBackupError> {
    let mut attempts = store.attempts();
    let backup = loop {
        let number = parse(version).ok_or(KeyBackupError::NotFound)?;
        let backup = key_backups::find(&mut store.read(), user, Some(number)).await?;
        let backup = backup.ok_or(KeyBackupError::NotFound)?;
        if backup.deleted {
            break backup;
        }
        let deleted = KeyBackup {
            auth_data: Bytes::from_static(b"{}"),
            deleted: true,
            count: 0,
            etag: backup.etag + 1,
            ..backup
        };
        let mut writes = WriteSet::new();
        key_backups::update(&mut writes, &deleted);
        if attempts.commit(writes).await?.is_some() {
            break deleted;
        }
    };
    // Nobody sees them any more, so they go while others' sets pass. What a kill leaves behind goes
    // when the request is repeated, or with the account.
    let owner = (user, backup.backup);
    loop {
        let rooms = key_backups::list_rooms(&mut store.read(), owner, ROOMS_PER_SET).await?;
        let (Some((first, _)), Some((last, _))) = (rooms.first(), rooms.last()) else {
            return Ok(());
        };
        let mut writes = WriteSet::new();
        key_backups::delete_rooms(&mut writes, owner, (*first, *last));
        store.commit_patiently(writes).await?;
    }
}

/// A backup that was not deleted.
async fn find(read: &mut Read, user: i64, version: &str) -> Result<KeyBackup, KeyBackupError> {
    let number = parse(version).ok_or(KeyBackupError::NotFound)?;
    let backup = key_backups::find(read, user, Some(number)).await?;
    backup
        .filter(|backup| !backup.deleted)
        .ok_or(KeyBackupError::NotFound)
}

/// The number that a version is written as.
fn parse(version: &str) -> Option<i64> {
    let number: i64 = version.parse().ok()?;
    (number > 0 && number.to_string() == version).then_some(number)
}

/// A stored object.
fn object(stored: &Bytes) -> StoreResult<Box<serde_json::value::RawValue>> {
    serde_json::from_slice(stored).map_err(|error| StoreError::Corrupt {
        table: "key_backups",
        column: 3,
        wanted: "a JSON object",
        found: error.to_string(),
    })
}

/// What describes a backup, as it is shown.
pub fn shown_auth_data(backup: &KeyBackup) -> StoreResult<Box<serde_json::value::RawValue>> {
    object(&backup.auth_data)
}
