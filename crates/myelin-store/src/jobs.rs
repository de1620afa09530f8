//! Table `jobs`: work over many rooms or events that a request leaves behind, answered once the job
//! is durable.
//!
//! There is one job of a kind for a subject: a newer one takes the place of the older and begins
//! again. One node at a time holds a job by lease; its effects may be repeated by whoever takes
//! the job after it, so they must do nothing the second time.

use bytes::Bytes;

use crate::{
    LogKind, LogWrite, OnConflict, Param, Read, Row, Store, StoreError, StoreResult, Table, Value,
    WriteSet, int,
};

static JOBS: Table = Table {
    name: "jobs",
    key: &[int("kind"), int("subject")],
    values: &[
        int("version"),
        int("cursor"),
        crate::bytes("data"),
        int("holder"),
        int("due_ms"),
        int("failures"),
    ],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// The holder of a job that nobody works on.
const NOBODY: i64 = 0;

/// The subject of the log entries that tell of new jobs, for a [`crate::Watch`]. No interned
/// string has this number.
pub const JOBS_SUBJECT: i64 = 0;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum JobKind {
    /// Carry the display name and avatar that a user has now into the rooms joined.
    Profile = 1,
    /// Take a user out of all rooms, and reject all invitations.
    LeaveAll = 2,
    /// Take the guests out of a room that lets them in no more; the subject is the room.
    SendGuestsAway = 3,
    /// Redact what relates to a redacted event; the subject is the number of the redaction.
    RedactRelated = 4,
    /// Show sticky events that wait: a room has refused them so far, or their senders had too many.
    /// The subject is the room, the cursor the number of the event by which the room was moved when it was last done.
    JudgeSticky = 5,
}

impl JobKind {
    /// The highest number that this version knows. During a rolling upgrade a newer node may write
    /// kinds that this one must leave alone.
    const LAST: i64 = Self::JudgeSticky as i64;

    const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Profile),
            2 => Some(Self::LeaveAll),
            3 => Some(Self::SendGuestsAway),
            4 => Some(Self::RedactRelated),
            5 => Some(Self::JudgeSticky),
            _ => None,
        }
    }
}

/// A job in the hands of the node that claimed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What is to be done.
    pub kind: JobKind,
    /// The interned id of the user, or of the room, or the number of the event that it is about.
    pub subject: i64,
    /// Everything up to this number, of a room, a user or an event, is done.
    pub cursor: i64,
    /// What belongs to the kind.
    pub data: Bytes,
    /// How often in a row an attempt has failed.
    pub failures: i64,
    version: i64,
}

impl Job {
    fn key(&self) -> Vec<Value> {
        vec![(self.kind as i64).into(), self.subject.into()]
    }

    fn put(&self, writes: &mut WriteSet, holder: i64, due_ms: i64) {
        writes.expect(&JOBS, self.key(), Some(self.version));
        let values = [
            Value::from(self.version + 1),
            self.cursor.into(),
            self.data.clone().into(),
            holder.into(),
            due_ms.into(),
            self.failures.into(),
        ];
        writes.put(&JOBS, self.key(), values.to_vec());
    }
}

/// What a node finds when it looks for work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A job that is now this node's until its lease ends.
    Job(Job),
    /// All jobs are held by others or wait for their next attempt; the first is due then.
    Later(i64),
    /// There is no job.
    Nothing,
}

/// Leaves a job behind, in the set that makes it necessary. One of this kind and subject that is
/// there already begins again with the new data; the set falls if it has changed since.
pub async fn enqueue(
    read: &mut Read,
    writes: &mut WriteSet,
    (kind, subject): (JobKind, i64),
    data: Bytes,
    now_ms: i64,
) -> StoreResult<()> {
    let key: [Value; 2] = [(kind as i64).into(), subject.into()];
    let row = read
        .query_one(
            JOBS.name,
            "SELECT version FROM jobs WHERE kind = $1 AND subject = $2",
            &key.clone().map(Param::Value),
        )
        .await?;
    let version = row.map(|row| row.int(0)).transpose()?;
    writes.expect(&JOBS, key.to_vec(), version);
    let values = [
        Value::from(version.unwrap_or_default() + 1),
        0.into(),
        data.into(),
        NOBODY.into(),
        now_ms.into(),
        0.into(),
    ];
    writes.put(&JOBS, key.to_vec(), values.to_vec());
    writes.log(LogWrite {
        kind: LogKind::Jobs,
        subject: JOBS_SUBJECT,
        reference: 0,
        data: Bytes::new(),
    });
    Ok(())
}

/// Takes the job that has been due for longest. `holder` is this run's number, not 0.
pub async fn claim(store: &Store, holder: i64, now_ms: i64, lease_ms: i64) -> StoreResult<Claim> {
    let mut attempts = store.attempts();
    loop {
        let row = store
            .read()
            .query_one(
                JOBS.name,
                "SELECT kind, subject, cursor, data, failures, version, due_ms FROM jobs
                 WHERE kind <= $1 ORDER BY due_ms, kind, subject LIMIT 1",
                &[JobKind::LAST.into()],
            )
            .await?;
        let Some(row) = row else {
            return Ok(Claim::Nothing);
        };
        let due_ms = row.int(6)?;
        if due_ms > now_ms {
            return Ok(Claim::Later(due_ms));
        }
        let job = from_row(&row)?;
        let mut writes = WriteSet::new();
        job.put(&mut writes, holder, now_ms.saturating_add(lease_ms));
        if attempts.commit(writes).await?.is_some() {
            return Ok(Claim::Job(Job {
                version: job.version + 1,
                ..job
            }));
        }
    }
}

/// Gives a job back with what is done of it, to be taken up again at `due_ms`. False: a newer job
/// has taken its place, or another node has taken it.
pub async fn put_back(store: &Store, job: &Job, due_ms: i64) -> StoreResult<bool> {
    let mut writes = WriteSet::new();
    job.put(&mut writes, NOBODY, due_ms);
    unless_lost(store, writes).await
}

/// Ends a job that is done. False: as for [`put_back`], and then it is not done.
pub async fn finish(store: &Store, job: &Job) -> StoreResult<bool> {
    let mut writes = WriteSet::new();
    writes.expect(&JOBS, job.key(), Some(job.version));
    writes.delete(&JOBS, job.key());
    unless_lost(store, writes).await
}

/// Frees the jobs that an earlier run of this program held when it was killed. Only for a database
/// that no other process works on.
pub async fn free_held(store: &Store, now_ms: i64) -> StoreResult<()> {
    let rows = store
        .read()
        .query(
            JOBS.name,
            "SELECT kind, subject, cursor, data, failures, version FROM jobs
             WHERE holder <> $1 AND kind <= $2",
            &[NOBODY.into(), JobKind::LAST.into()],
        )
        .await?;
    for row in rows {
        put_back(store, &from_row(&row)?, now_ms).await?;
    }
    Ok(())
}

fn from_row(row: &Row) -> StoreResult<Job> {
    let number = row.int(0)?;
    Ok(Job {
        kind: JobKind::from_number(number).ok_or_else(|| StoreError::Corrupt {
            table: JOBS.name,
            column: 0,
            wanted: "a kind of job",
            found: number.to_string(),
        })?,
        subject: row.int(1)?,
        cursor: row.int(2)?,
        data: row.bytes(3)?,
        failures: row.int(4)?,
        version: row.int(5)?,
    })
}

async fn unless_lost(store: &Store, writes: WriteSet) -> StoreResult<bool> {
    match store.commit(writes).await {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
