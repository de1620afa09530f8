//! The keys in a backup.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use myelin_store::{
    Store, StoreResult, WriteSet,
    key_backups::{self, BackedUpKey, KeyBackup},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::{DATA_BYTES_MAX, KeyBackupError, find, object};

/// Longest room id and longest session id.
const ID_BYTES_MAX: usize = 255;
/// Keys and bytes written in one commit.
const KEYS_PER_SET: usize = 1_000;
const BYTES_PER_SET: usize = 2 * 1_024 * 1_024;
/// Keys read at once.
const PAGE: i64 = 500;

/// A key to be backed up.
#[derive(Clone, Debug, Deserialize)]
pub struct KeyUpload {
    first_message_index: u32,
    forwarded_count: u32,
    is_verified: bool,
    session_data: Map<String, Value>,
}

/// Keys by room and session.
pub type KeyUploads = BTreeMap<String, BTreeMap<String, KeyUpload>>;

/// A key as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct ShownKey {
    first_message_index: i64,
    forwarded_count: i64,
    is_verified: bool,
    session_data: Box<RawValue>,
}

/// Which keys of a backup are meant: all, those of a room, or one.
#[derive(Clone, Copy, Debug)]
pub enum BackupPlace<'a> {
    /// All.
    All,
    /// Those of a room.
    Room(&'a str),
    /// One session's.
    Session(&'a str, &'a str),
}

/// Some of the keys of a backup, by room id and session id in an order of its own.
#[derive(Clone, Debug, Default)]
pub struct BackupPage {
    /// The keys.
    pub keys: Vec<(String, String, ShownKey)>,
    /// What the next page begins after; None: this was the last one.
    pub next: Option<(i64, String)>,
}

/// Adds keys to a user's current backup, or puts them in the place of worse ones. The backup as it
/// is then.
pub async fn add_backup_keys(
    store: &Store,
    user: i64,
    version: &str,
    uploads: &KeyUploads,
) -> Result<KeyBackup, KeyBackupError> {
    let keys = parsed(store, uploads).await?;
    let mut backup = add(store, (user, version), &[]).await?;
    let mut rest = &keys[..];
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |key: &&BackedUpKey| {
            bytes += key.session_data.len();
            bytes <= BYTES_PER_SET
        };
        let len = rest.iter().take(KEYS_PER_SET).take_while(fits).count();
        let (slice, later) = rest.split_at(len.max(1));
        backup = add(store, (user, version), slice).await?;
        rest = later;
    }
    Ok(backup)
}

async fn parsed(store: &Store, uploads: &KeyUploads) -> Result<Vec<BackedUpKey>, KeyBackupError> {
    let rooms: Vec<&[u8]> = uploads.keys().map(String::as_bytes).collect();
    if rooms.iter().any(|room| !is_id(room)) {
        return Err(KeyBackupError::InvalidId);
    }
    let numbers = store.intern(&rooms).await?;
    let mut keys = Vec::new();
    for (sessions, room) in uploads.values().zip(numbers) {
        for (session_id, key) in sessions {
            if !is_id(session_id.as_bytes()) {
                return Err(KeyBackupError::InvalidId);
            }
            let session_data = Value::Object(key.session_data.clone()).to_string();
            if session_data.len() > DATA_BYTES_MAX {
                return Err(KeyBackupError::TooLarge);
            }
            keys.push(BackedUpKey {
                room,
                session_id: session_id.clone(),
                first_message_index: key.first_message_index.into(),
                forwarded_count: key.forwarded_count.into(),
                is_verified: key.is_verified,
                session_data: session_data.into(),
            });
        }
    }
    Ok(keys)
}

fn is_id(id: &[u8]) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len()) && !id.contains(&0)
}

/// Cost: one look at the keys that are there, and one commit.
async fn add(
    store: &Store,
    (user, version): (i64, &str),
    keys: &[BackedUpKey],
) -> Result<KeyBackup, KeyBackupError> {
    let rooms: BTreeSet<i64> = keys.iter().map(|key| key.room).collect();
    let rooms: Vec<i64> = rooms.into_iter().collect();
    let sessions = || keys.iter().map(|key| Bytes::from(key.session_id.clone()));
    let mut attempts = store.attempts();
    loop {
        let mut read = store.read();
        let backup = find(&mut read, user, version).await?;
        let current = key_backups::find_current(&mut read, user).await?;
        let current = current.ok_or(KeyBackupError::NotFound)?;
        if current.backup != backup.backup {
            return Err(KeyBackupError::NotCurrent(current.backup));
        }
        if keys.is_empty() {
            return Ok(backup);
        }
        let owner = (user, backup.backup);
        let there =
            key_backups::list_sessions(&mut read, owner, (&rooms, sessions().collect())).await?;
        let there: BTreeMap<(i64, &str), &BackedUpKey> = there
            .iter()
            .map(|key| ((key.room, key.session_id.as_str()), key))
            .collect();
        let mut writes = WriteSet::new();
        let mut count = backup.count;
        for key in keys {
            let before = there.get(&(key.room, key.session_id.as_str()));
            if before.is_none_or(|before| is_better(key, before)) {
                key_backups::put_key(&mut writes, owner, key);
                count += i64::from(before.is_none());
            }
        }
        if writes.is_empty() {
            return Ok(backup);
        }
        let changed = KeyBackup {
            count,
            etag: backup.etag + 1,
            ..backup
        };
        key_backups::update(&mut writes, &changed);
        if attempts.commit(writes).await?.is_some() {
            return Ok(changed);
        }
    }
}

/// Which of two keys for a session is kept: a verified one, else the one that decrypts more, else
/// the one that has been through fewer hands.
fn is_better(new: &BackedUpKey, old: &BackedUpKey) -> bool {
    let rank = |key: &BackedUpKey| {
        (
            !key.is_verified,
            key.first_message_index,
            key.forwarded_count,
        )
    };
    rank(new) < rank(old)
}

/// The keys of a room or a session in a backup, by session.
pub async fn get_backup_keys(
    store: &Store,
    user: i64,
    version: &str,
    (room_id, session_id): (&str, Option<&str>),
) -> Result<BTreeMap<String, ShownKey>, KeyBackupError> {
    let mut read = store.read();
    let backup = find(&mut read, user, version).await?;
    let Some(room) = store.find_interned(room_id.as_bytes()).await? else {
        return Ok(BTreeMap::new());
    };
    let owner = (user, backup.backup);
    let keys = match session_id {
        None => key_backups::list_room(&mut read, owner, room).await?,
        Some(session_id) => {
            let wanted = (&[room][..], vec![session_id.to_owned().into()]);
            key_backups::list_sessions(&mut read, owner, wanted).await?
        }
    };
    let keys = keys
        .into_iter()
        .map(|key| Ok((key.session_id.clone(), shown(&key)?)));
    Ok(keys.collect::<StoreResult<_>>()?)
}

/// Some of the keys of a backup that is there, after a place.
pub async fn backup_page(
    store: &Store,
    backup: &KeyBackup,
    (room, session_id): (i64, &str),
) -> StoreResult<BackupPage> {
    let owner = (backup.user, backup.backup);
    let mut read = store.read();
    let keys = key_backups::list_after(&mut read, owner, (room, session_id), PAGE).await?;
    let rooms: Vec<i64> = keys.iter().map(|key| key.room).collect();
    let names = store.interned(&rooms).await?;
    let is_full = i64::try_from(keys.len()) == Ok(PAGE);
    let next = keys.last().filter(|_| is_full);
    let next = next.map(|key| (key.room, key.session_id.clone()));
    let named = names.iter().zip(keys).map(|(name, key)| {
        let room_id = String::from_utf8_lossy(name).into_owned();
        let shown = shown(&key)?;
        Ok((room_id, key.session_id, shown))
    });
    Ok(BackupPage {
        keys: named.collect::<StoreResult<_>>()?,
        next,
    })
}

fn shown(key: &BackedUpKey) -> StoreResult<ShownKey> {
    Ok(ShownKey {
        first_message_index: key.first_message_index,
        forwarded_count: key.forwarded_count,
        is_verified: key.is_verified,
        session_data: object(&key.session_data)?,
    })
}

/// Deletes keys of a backup, whether it is the current one or not. The backup as it is then.
pub async fn delete_backup_keys(
    store: &Store,
    user: i64,
    version: &str,
    place: BackupPlace<'_>,
) -> Result<KeyBackup, KeyBackupError> {
    let mut attempts = store.attempts();
    loop {
        let mut read = store.read();
        let backup = find(&mut read, user, version).await?;
        let owner = (user, backup.backup);
        let mut writes = WriteSet::new();
        let room = match place {
            BackupPlace::All => None,
            BackupPlace::Room(room) | BackupPlace::Session(room, _) => {
                Some(store.find_interned(room.as_bytes()).await?)
            }
        };
        let deleted = match (place, room.flatten()) {
            (BackupPlace::All, _) => {
                key_backups::delete_rooms(&mut writes, owner, (i64::MIN, i64::MAX));
                backup.count
            }
            (_, None) => 0,
            (BackupPlace::Room(_), Some(room)) => {
                key_backups::delete_rooms(&mut writes, owner, (room, room));
                let keys = key_backups::list_room(&mut read, owner, room).await?;
                i64::try_from(keys.len()).unwrap_or(i64::MAX)
            }
            (BackupPlace::Session(_, session_id), Some(room)) => {
                key_backups::delete_key(&mut writes, owner, (room, session_id));
                let wanted = (&[room][..], vec![session_id.to_owned().into()]);
                let keys = key_backups::list_sessions(&mut read, owner, wanted).await?;
                i64::try_from(keys.len()).unwrap_or(i64::MAX)
            }
        };
        if deleted == 0 {
            return Ok(backup);
        }
        let changed = KeyBackup {
            count: backup.count - deleted,
            etag: backup.etag + 1,
            ..backup
        };
        key_backups::update(&mut writes, &changed);
        if attempts.commit(writes).await?.is_some() {
            return Ok(changed);
        }
    }
}
