//! What an operator sees of the servers that are behind, and can do about them.

use myelin_store::{
    Store, StoreResult, WriteSet, deliveries,
    destinations::{self, Destination},
};

use crate::back_off;

/// A server that has not been sent everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BehindServer {
    /// Its name.
    pub name: String,
    /// How many attempts in a row have failed; 0: it is being sent to, and is slow.
    pub failures: i64,
    /// Since when.
    pub failing_since_ms: i64,
    /// When the next attempt is due.
    pub next_try_ms: i64,
    /// Whether it is taken to be gone, and tried once a day.
    pub is_parked: bool,
}

/// How many servers have not been sent everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BehindCounts {
    /// All of them.
    pub behind: u32,
    /// Those of them of which the last attempt has failed.
    pub failing: u32,
    /// Those of them that are taken to be gone, and tried once a day.
    pub parked: u32,
}

/// The servers that are behind, those that fail longest first.
pub async fn list_behind(store: &Store, now_ms: i64) -> StoreResult<Vec<BehindServer>> {
    let mut rows = destinations::list(&mut store.read()).await?;
    rows.sort_by_key(|row| (row.failures == 0, row.failing_since_ms, row.server));
    let numbers: Vec<i64> = rows.iter().map(|row| row.server).collect();
    let names = store.interned(&numbers).await?;
    let behind = rows.iter().zip(names).map(|(row, name)| BehindServer {
        name: String::from_utf8_lossy(&name).into_owned(),
        failures: row.failures,
        failing_since_ms: row.failing_since_ms,
        next_try_ms: row.next_try_ms,
        is_parked: is_parked(row, now_ms),
    });
    Ok(behind.collect())
}

/// How many servers are behind. Cost: their rows.
pub async fn count_behind(store: &Store, now_ms: i64) -> StoreResult<BehindCounts> {
    let mut counts = BehindCounts::default();
    for row in destinations::list(&mut store.read()).await? {
        counts.behind += 1;
        counts.failing += u32::from(row.failures > 0);
        counts.parked += u32::from(is_parked(&row, now_ms));
    }
    Ok(counts)
}

fn is_parked(row: &Destination, now_ms: i64) -> bool {
    row.failures > 0 && back_off::is_parked(now_ms - row.failing_since_ms)
}

/// Lets the node that sends try a server again at once, or as soon as there is such a node. False:
/// this server is not behind.
pub async fn retry(store: &Store, name: &str) -> StoreResult<bool> {
    let Some(server) = store.find_interned(name.as_bytes()).await? else {
        return Ok(false);
    };
    let rows = destinations::list(&mut store.read()).await?;
    if rows.iter().all(|row| row.server != server) {
        return Ok(false);
    }
    let mut writes = WriteSet::new();
    deliveries::retry(&mut writes, server);
    store.commit(writes).await?;
    Ok(true)
}
