//! Tables `cross_signing_keys` and `key_signatures`: the keys by which users vouch for their devices
//! and for each other, and the signatures that were uploaded apart from what they are of.

use bytes::Bytes;
use myelin_core::encryption_keys::Usage;

use crate::{
    OnConflict, Param, RangeDeletion, Read, StoreError, StoreResult, Table, WriteSet, bytes, int,
};

static CROSS_SIGNING_KEYS: Table = Table {
    name: "cross_signing_keys",
    key: &[int("user_number"), int("usage")],
    values: &[int("version"), bytes("value")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

// A signature of the same key by the same key is as good as the one before.
static KEY_SIGNATURES: Table = Table {
    name: "key_signatures",
    key: &[
        int("user_number"),
        bytes("key_id"),
        int("signer"),
        bytes("signing_key"),
    ],
    values: &[bytes("signature")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// A cross-signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossSigningKey {
    /// The interned user id.
    pub user: i64,
    /// What it is for.
    pub usage: Usage,
    /// The object as it was uploaded.
    pub value: Bytes,
    /// Raised by each change.
    pub version: i64,
}

/// A signature of somebody's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySignature {
    /// Whose key it is of: the interned user id.
    pub user: i64,
    /// Which key: a device id or a public key.
    pub key_id: String,
    /// Who has signed it: the interned user id.
    pub signer: i64,
    /// The name of the key that it was signed with.
    pub signing_key: String,
    /// The signature.
    pub signature: String,
}

/// The cross-signing keys of these users, by user and usage.
pub async fn list(read: &mut Read, users: &[i64]) -> StoreResult<Vec<CrossSigningKey>> {
    let sql = "SELECT user_number, usage, value, version FROM cross_signing_keys
               WHERE user_number = ANY($1) ORDER BY user_number, usage";
    let parameters = [Param::Ints(users.to_vec())];
    let rows = read
        .query(CROSS_SIGNING_KEYS.name, sql, &parameters)
        .await?;
    rows.iter()
        .map(|row| {
            let number = row.int(1)?;
            Ok(CrossSigningKey {
                user: row.int(0)?,
                usage: Usage::from_number(number).ok_or_else(|| StoreError::Corrupt {
                    table: CROSS_SIGNING_KEYS.name,
                    column: 1,
                    wanted: "a usage",
                    found: number.to_string(),
                })?,
                value: row.bytes(2)?,
                version: row.int(3)?,
            })
        })
        .collect()
}

/// The signatures of these users' keys that were made by their users themselves, or by `viewer`.
/// Others' are nobody's business.
pub async fn list_signatures(
    read: &mut Read,
    users: &[i64],
    viewer: i64,
) -> StoreResult<Vec<KeySignature>> {
    let sql = "SELECT user_number, key_id, signer, signing_key, signature FROM key_signatures
               WHERE user_number = ANY($1) AND (signer = user_number OR signer = $2)
               ORDER BY user_number, key_id, signer, signing_key";
    let parameters = [Param::Ints(users.to_vec()), viewer.into()];
    let rows = read.query(KEY_SIGNATURES.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(KeySignature {
                user: row.int(0)?,
                key_id: row.text(1)?,
                signer: row.int(2)?,
                signing_key: row.text(3)?,
                signature: row.text(4)?,
            })
        })
        .collect()
}

/// Writes a cross-signing key; falls if it is not of the version that was read (None: there was
/// none).
pub fn put(
    writes: &mut WriteSet,
    (user, usage): (i64, Usage),
    value: Bytes,
    read_version: Option<i64>,
) {
    let key = vec![user.into(), usage.number().into()];
    writes.expect(&CROSS_SIGNING_KEYS, key.clone(), read_version);
    let version = read_version.unwrap_or_default() + 1;
    writes.put(&CROSS_SIGNING_KEYS, key, vec![version.into(), value.into()]);
}

/// Lets the set fall if a cross-signing key is not of the version that was read (None: there was
/// none).
pub fn expect(writes: &mut WriteSet, (user, usage): (i64, Usage), read_version: Option<i64>) {
    let key = vec![user.into(), usage.number().into()];
    writes.expect(&CROSS_SIGNING_KEYS, key, read_version);
}

/// Deletes a cross-signing key; falls if it is not of the version that was read.
pub fn delete(writes: &mut WriteSet, (user, usage): (i64, Usage), read_version: i64) {
    let key = vec![user.into(), usage.number().into()];
    writes.expect(&CROSS_SIGNING_KEYS, key.clone(), Some(read_version));
    writes.delete(&CROSS_SIGNING_KEYS, key);
}

/// Deletes all cross-signing keys of a user, for users who are gone.
pub fn delete_of_user(writes: &mut WriteSet, user: i64) {
    writes.delete_range(RangeDeletion {
        table: &CROSS_SIGNING_KEYS,
        prefix: vec![user.into()],
        from: i64::MIN,
        to: i64::MAX,
    });
}

/// Writes a signature.
pub fn put_signature(writes: &mut WriteSet, signature: &KeySignature) {
    let key = vec![
        signature.user.into(),
        signature.key_id.as_str().into(),
        signature.signer.into(),
        signature.signing_key.as_str().into(),
    ];
    writes.put(
        &KEY_SIGNATURES,
        key,
        vec![signature.signature.as_str().into()],
    );
}

/// Deletes the signatures of a key that is there no more.
pub fn delete_signatures(writes: &mut WriteSet, (user, key_id): (i64, &str)) {
    writes.delete_range(RangeDeletion {
        table: &KEY_SIGNATURES,
        prefix: vec![user.into(), key_id.into()],
        from: i64::MIN,
        to: i64::MAX,
    });
}

#[cfg(test)]
mod tests;
