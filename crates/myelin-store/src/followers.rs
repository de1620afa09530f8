//! Durable cursors into the log, and leases so that one node at a time works off each.
//!
//! A follower's effects and its new cursor commit in one set ([`advance`]). The set expects the row
//! as the lease has seen it, so each entry has its effects once; whoever lost the lease in the
//! meantime is stopped by the same expectation, whatever its clock says.

mod duty;

pub use duty::{Duty, report, run};

use crate::{
    LogEntry, OnConflict, Row, Store, StoreError, StoreResult, Table, Value, WriteSet, bytes, int,
    log,
};

const TABLE: &str = "followers";

static FOLLOWERS: Table = Table {
    name: TABLE,
    key: &[bytes("name")],
    values: &[
        int("version"),
        int("cursor"),
        int("holder"),
        int("until_ms"),
    ],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// The holder of a lease that nobody has.
const NOBODY: i64 = 0;

/// The right to work for a follower, until it runs out or another takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    name: String,
    holder: i64,
    fence: i64,
    cursor: i64,
    until_ms: i64,
}

impl Lease {
    /// The follower's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything up to this position has had its effects.
    pub fn cursor(&self) -> i64 {
        self.cursor
    }

    /// Grows with every change of the row, so a receiver outside that keeps the highest one it has
    /// seen can refuse those who come late.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Renew before this moment.
    pub fn until_ms(&self) -> i64 {
        self.until_ms
    }

    /// The same, held for longer once it is written by [`advance`].
    #[must_use]
    pub fn prolonged(self, until_ms: i64) -> Self {
        Self { until_ms, ..self }
    }

    fn changed(&self) -> Self {
        Self {
            fence: self.fence + 1,
            ..self.clone()
        }
    }

    fn put(&self, writes: &mut WriteSet, expected: Option<i64>) {
        let key = vec![Value::from(self.name.as_str())];
        writes.expect(&FOLLOWERS, key.clone(), expected);
        let values = [self.fence, self.cursor, self.holder, self.until_ms];
        writes.put(&FOLLOWERS, key, values.map(Value::from).to_vec());
    }
}

/// What a follower has to do next.
#[derive(Clone, Debug)]
pub struct Work {
    /// The entries, oldest first.
    pub entries: Vec<LogEntry>,
    /// The cursor once they are done; positions between may be empty.
    pub cursor: i64,
}

/// Creates a follower that starts after `cursor`. One that is claimed without this starts at 0.
pub fn insert(writes: &mut WriteSet, name: &str, cursor: i64) {
    let values = [1, cursor, NOBODY, 0];
    writes.insert(
        &FOLLOWERS,
        vec![name.into()],
        values.map(Value::from).to_vec(),
    );
}

/// Takes the lease if nobody has it or it has run out. `holder` is this node's number; a node that
/// holds a lease already is refused like any other, so two of its tasks cannot share one.
pub async fn claim(
    store: &Store,
    name: &str,
    holder: i64,
    now_ms: i64,
    lease_ms: i64,
) -> StoreResult<Option<Lease>> {
    let mut attempts = store.attempts();
    loop {
        let row = store
            .read()
            .query_one(
                TABLE,
                "SELECT version, cursor, holder, until_ms FROM followers WHERE name = $1",
                &[name.into()],
            )
            .await?;
        let found = row.as_ref().map(|row| read_lease(name, row)).transpose()?;
        if let Some(lease) = &found
            && lease.holder != NOBODY
            && lease.until_ms > now_ms
        {
            return Ok(None);
        }
        let lease = Lease {
            name: name.to_owned(),
            holder,
            fence: found.as_ref().map_or(1, |lease| lease.fence + 1),
            cursor: found.as_ref().map_or(0, |lease| lease.cursor),
            until_ms: now_ms.saturating_add(lease_ms),
        };
        let mut writes = WriteSet::new();
        lease.put(&mut writes, found.map(|lease| lease.fence));
        if attempts.commit(writes).await?.is_some() {
            return Ok(Some(lease));
        }
    }
}

/// Frees a follower that an earlier run of this program held when it was killed. Only for a
/// database that no other process works on.
pub async fn free_held(store: &Store, name: &str) -> StoreResult<()> {
    let row = store
        .read()
        .query_one(
            TABLE,
            "SELECT version, cursor, holder, until_ms FROM followers WHERE name = $1",
            &[name.into()],
        )
        .await?;
    if let Some(row) = row {
        let held = read_lease(name, &row)?;
        if held.holder != NOBODY {
            release(store, held).await?;
        }
    }
    Ok(())
}

/// Holds the lease for longer. None: it is lost.
pub async fn renew(
    store: &Store,
    lease: &Lease,
    now_ms: i64,
    lease_ms: i64,
) -> StoreResult<Option<Lease>> {
    let renewed = Lease {
        until_ms: now_ms.saturating_add(lease_ms),
        ..lease.changed()
    };
    let mut writes = WriteSet::new();
    renewed.put(&mut writes, Some(lease.fence));
    let held = unless_lost(store.commit(writes).await)?;
    Ok(held.then_some(renewed))
}

/// Gives the lease back, so that another need not wait until it runs out. False: it was lost.
pub async fn release(store: &Store, lease: Lease) -> StoreResult<bool> {
    let released = Lease {
        holder: NOBODY,
        until_ms: 0,
        ..lease.changed()
    };
    let mut writes = WriteSet::new();
    released.put(&mut writes, Some(lease.fence));
    unless_lost(store.commit(writes).await)
}

/// Adds the new cursor to the set that holds the effects. Returns the lease as it is once the set
/// is committed; the next set may be built on it at once. If the set falls with
/// [`StoreError::Conflict`], the lease may be lost: claim it again and read again.
pub fn advance(writes: &mut WriteSet, lease: &Lease, cursor: i64) -> Lease {
    let advanced = Lease {
        cursor,
        ..lease.changed()
    };
    advanced.put(writes, Some(lease.fence));
    advanced
}

/// The next entries after the lease's cursor, at most `limit`. With none, wait for
/// [`crate::Live::beyond`] the cursor returned.
pub async fn next(store: &Store, lease: &Lease, limit: i64) -> StoreResult<Work> {
    let tail = log::tail(&mut store.read(), lease.cursor, limit).await?;
    let last = tail.entries.last().map(|entry| entry.pos);
    Ok(Work {
        cursor: match last {
            Some(last) if !tail.is_whole => last,
            _ => tail.position.max(lease.cursor),
        },
        entries: tail.entries,
    })
}

fn read_lease(name: &str, row: &Row) -> StoreResult<Lease> {
    Ok(Lease {
        name: name.to_owned(),
        fence: row.int(0)?,
        cursor: row.int(1)?,
        holder: row.int(2)?,
        until_ms: row.int(3)?,
    })
}

fn unless_lost<T>(result: StoreResult<T>) -> StoreResult<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
