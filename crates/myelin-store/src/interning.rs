//! Strings that stand in many rows (types, state keys, users, rooms, servers) as integers.
//!
//! An id never changes its string and is never taken back, so what is cached here cannot go stale.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use myelin_core::trie::EMPTY_STATE_KEY;

use crate::{
    OnConflict, Param, Sequence, Store, StoreError, StoreResult, Table, Value, WriteSet, int,
};

/// By string, so that two nodes that intern one string meet on one key. The first migration gives
/// 1 to 15 to the usual types of state events and 16 to the empty string.
static INTERNED: Table = Table {
    name: "interned",
    key: &[crate::bytes("value")],
    values: &[int("id")],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// No Matrix identifier comes near; PostgreSQL's indexes take no more than 2,700.
const STRING_BYTES_MAX: usize = 2_048;

/// Strings handled by one statement and one commit.
const SLICE: usize = 1_000;

/// The number of the empty string, which most state keys are.
pub const EMPTY_STRING: i64 = EMPTY_STATE_KEY;

impl Store {
    /// The ids of these strings, in their order; new strings are given one, durably. Do this
    /// before a write set is built: it is a commit of its own.
    pub async fn intern(&self, strings: &[&[u8]]) -> StoreResult<Vec<i64>> {
        let mut ids = Vec::with_capacity(strings.len());
        for slice in strings.chunks(SLICE) {
            let cached: Vec<Option<i64>> = slice
                .iter()
                .map(|s| self.inner.interned_cache.id(s))
                .collect();
            let mut seen = BTreeSet::new();
            let mut missing = slice.to_vec();
            let mut is_cached = cached.iter().map(Option::is_some);
            missing.retain(|string| is_cached.next() == Some(false) && seen.insert(*string));
            let found = self.find_or_insert(missing).await?;
            for (string, id) in slice.iter().zip(cached) {
                let id = id.or_else(|| found.get(*string).copied());
                ids.push(id.ok_or(StoreError::Missing {
                    table: INTERNED.name,
                })?);
            }
        }
        Ok(ids)
    }

    /// The id of a string that was interned before.
    pub async fn find_interned(&self, string: &[u8]) -> StoreResult<Option<i64>> {
        if let Some(id) = self.inner.interned_cache.id(string) {
            return Ok(Some(id));
        }
        if string.len() > STRING_BYTES_MAX {
            return Ok(None);
        }
        let found = self.list_interned(&[string]).await?;
        Ok(found.into_values().next())
    }

    /// As [`Store::find_interned`], for many strings at once.
    pub async fn find_all_interned(&self, strings: &[&[u8]]) -> StoreResult<Vec<Option<i64>>> {
        let cache = &self.inner.interned_cache;
        let mut ids: Vec<Option<i64>> = strings.iter().map(|string| cache.id(string)).collect();
        let mut missing: Vec<&[u8]> = strings
            .iter()
            .zip(&ids)
            .filter(|(string, id)| id.is_none() && string.len() <= STRING_BYTES_MAX)
            .map(|(string, _)| *string)
            .collect();
        missing.sort_unstable();
        missing.dedup();
        let mut found = BTreeMap::new();
        for slice in missing.chunks(SLICE) {
            found.extend(self.list_interned(slice).await?);
        }
        for (string, id) in strings.iter().zip(&mut ids) {
            *id = id.or_else(|| found.get(*string).copied());
        }
        Ok(ids)
    }

    /// The strings of these ids, in their order.
    pub async fn interned(&self, ids: &[i64]) -> StoreResult<Vec<Bytes>> {
        let cache = &self.inner.interned_cache;
        let mut found: Vec<Option<Bytes>> = ids.iter().map(|id| cache.string(*id)).collect();
        let mut missing: Vec<i64> = ids
            .iter()
            .zip(&found)
            .filter(|(_, s)| s.is_none())
            .map(|(id, _)| *id)
            .collect();
        missing.sort_unstable();
        missing.dedup();
        let mut read_now = BTreeMap::new();
        for slice in missing.chunks(SLICE) {
            let rows = self
                .read()
                .query(
                    INTERNED.name,
                    "SELECT id, value FROM interned WHERE id = ANY($1)",
                    &[Param::Ints(slice.to_vec())],
                )
                .await?;
            for row in rows {
                let (id, string) = (row.int(0)?, row.bytes(1)?);
                self.inner.interned_cache.remember(id, string.clone());
                read_now.insert(id, string);
            }
        }
        for (id, string) in ids.iter().zip(&mut found) {
            if string.is_none() {
                *string = read_now.get(id).cloned();
            }
        }
        found
            .into_iter()
            .collect::<Option<_>>()
            .ok_or(StoreError::Missing {
                table: INTERNED.name,
            })
    }

    /// Reads the ids of these strings, and gives one to each that has none.
    async fn find_or_insert(&self, mut missing: Vec<&[u8]>) -> StoreResult<BTreeMap<Bytes, i64>> {
        if missing.iter().any(|string| string.len() > STRING_BYTES_MAX) {
            return Err(StoreError::Malformed {
                table: INTERNED.name,
                reason: "a string is too long to be interned",
            });
        }
        let mut ids = BTreeMap::new();
        let mut attempts = self.attempts();
        while !missing.is_empty() {
            ids.append(&mut self.list_interned(&missing).await?);
            missing.retain(|string| !ids.contains_key(*string));
            if missing.is_empty() {
                break;
            }
            let numbers = self.next_numbers(Sequence::Interned, missing.len()).await?;
            let mut writes = WriteSet::new();
            for (string, id) in missing.iter().zip(&numbers) {
                writes.insert(&INTERNED, vec![Value::from(*string)], vec![(*id).into()]);
            }
            // After a conflict another node has interned some of them: they are read.
            if attempts.commit(writes).await?.is_none() {
                continue;
            }
            for (string, id) in missing.drain(..).zip(numbers) {
                let string = Bytes::copy_from_slice(string);
                self.inner.interned_cache.remember(id, string.clone());
                ids.insert(string, id);
            }
        }
        Ok(ids)
    }

    async fn list_interned(&self, strings: &[&[u8]]) -> StoreResult<BTreeMap<Bytes, i64>> {
        let list = strings.iter().map(|s| Bytes::copy_from_slice(s)).collect();
        let rows = self
            .read()
            .query(
                INTERNED.name,
                "SELECT value, id FROM interned WHERE value = ANY($1)",
                &[Param::BytesList(list)],
            )
            .await?;
        let mut ids = BTreeMap::new();
        for row in rows {
            let (string, id) = (row.bytes(0)?, row.int(1)?);
            self.inner.interned_cache.remember(id, string.clone());
            ids.insert(string, id);
        }
        Ok(ids)
    }
}

#[cfg(test)]
mod tests;
