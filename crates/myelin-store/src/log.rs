//! Reads of the log: what happened, in the order in which it was committed.

use crate::{
    LogEntry, LogKind, OnConflict, Param, Read, Row, StoreError, StoreResult, Table, WriteSet, int,
};

const TABLE: &str = "log";

// Only for deletions: the committer writes the entries.
static LOG: Table = Table {
    name: TABLE,
    key: &[int("pos")],
    values: &[],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// The highest kind that this version knows. During a rolling upgrade a newer node may write kinds
/// that this one must pass over.
const KIND_MAX: i64 = {
    let (mut number, mut highest) = (1, 0);
    // Numbers that are reserved leave gaps.
    while number < 64 {
        if LogKind::from_number(number).is_some() {
            highest = number;
        }
        number += 1;
    }
    highest
};

/// The end of the log, seen at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    /// The counter's value.
    pub(crate) position: i64,
    /// The entries after the position asked for, oldest first.
    pub(crate) entries: Vec<LogEntry>,
    /// Whether that is all of them, or only the first.
    pub(crate) is_whole: bool,
}

/// The newest position.
pub async fn position(read: &mut Read) -> StoreResult<i64> {
    let row = read
        .query_one(
            "log_counter",
            "SELECT pos FROM log_counter WHERE id = 1",
            &[],
        )
        .await?;
    row.ok_or(StoreError::Missing {
        table: "log_counter",
    })?
    .int(0)
}

/// The entries after `after` up to `up_to`, oldest first, at most `limit`. An entry that replaces
/// earlier ones stands at its latest position only.
pub async fn list(
    read: &mut Read,
    after: i64,
    up_to: i64,
    limit: i64,
) -> StoreResult<Vec<LogEntry>> {
    let rows = read
        .query(
            TABLE,
            "SELECT pos, kind, subject, reference, data FROM log \
             WHERE pos > $1 AND pos <= $2 AND kind <= $3 ORDER BY pos LIMIT $4",
            &ints([after, up_to, KIND_MAX, limit]),
        )
        .await?;
    rows.iter().map(|row| entry(row, 0)).collect()
}

/// The entries of one subject after `after` up to `up_to`, oldest first, at most `limit`.
pub async fn list_subject(
    read: &mut Read,
    subject: i64,
    (after, up_to): (i64, i64),
    limit: i64,
) -> StoreResult<Vec<LogEntry>> {
    let rows = read
        .query(
            TABLE,
            "SELECT pos, kind, subject, reference, data FROM log \
             WHERE subject = $1 AND pos > $2 AND pos <= $3 AND kind <= $4 ORDER BY pos LIMIT $5",
            &ints([subject, after, up_to, KIND_MAX, limit]),
        )
        .await?;
    rows.iter().map(|row| entry(row, 0)).collect()
}

/// The last entry of this kind and subject up to `up_to`.
pub async fn find_last(
    read: &mut Read,
    subject: i64,
    kind: LogKind,
    up_to: i64,
) -> StoreResult<Option<LogEntry>> {
    let row = read
        .query_one(
            TABLE,
            "SELECT pos, kind, subject, reference, data FROM log \
             WHERE subject = $1 AND kind = $2 AND pos <= $3 ORDER BY pos DESC LIMIT 1",
            &ints([subject, kind as i64, up_to]),
        )
        .await?;
    row.map(|row| entry(&row, 0)).transpose()
}

/// The entries of one kind and subject after `after` up to `up_to`, at most `limit`, oldest first.
pub async fn list_oldest(
    read: &mut Read,
    (subject, kind): (i64, LogKind),
    (after, up_to): (i64, i64),
    limit: i64,
) -> StoreResult<Vec<LogEntry>> {
    let rows = read
        .query(
            TABLE,
            "SELECT pos, kind, subject, reference, data FROM log \
             WHERE subject = $1 AND kind = $2 AND pos > $3 AND pos <= $4 ORDER BY pos LIMIT $5",
            &ints([subject, kind as i64, after, up_to, limit]),
        )
        .await?;
    rows.iter().map(|row| entry(row, 0)).collect()
}

/// The newest entries of one kind and subject after `after` up to `up_to`, at most `limit`, newest
/// first.
pub async fn list_newest(
    read: &mut Read,
    (subject, kind): (i64, LogKind),
    (after, up_to): (i64, i64),
    limit: i64,
) -> StoreResult<Vec<LogEntry>> {
    let rows = read
        .query(
            TABLE,
            "SELECT pos, kind, subject, reference, data FROM log \
             WHERE subject = $1 AND kind = $2 AND pos > $3 AND pos <= $4 ORDER BY pos DESC LIMIT $5",
            &ints([subject, kind as i64, after, up_to, limit]),
        )
        .await?;
    rows.iter().map(|row| entry(row, 0)).collect()
}

/// The entries of one subject that replace earlier ones, after `after` up to `up_to`, oldest first.
/// It looks at each of them once, and at no event.
pub async fn list_latest(
    read: &mut Read,
    subject: i64,
    (after, up_to): (i64, i64),
) -> StoreResult<Vec<LogEntry>> {
    // The sums keep SQLite from walking the subject's events along the index of positions.
    let rows = read
        .query(
            TABLE,
            "SELECT pos, kind, subject, reference, data FROM log \
             WHERE latest = 1 AND subject = $1 AND pos + 0 > $2 AND pos + 0 <= $3 AND kind <= $4 \
             ORDER BY pos + 0",
            &ints([subject, after, up_to, KIND_MAX]),
        )
        .await?;
    rows.iter().map(|row| entry(row, 0)).collect()
}

/// The last position of each of these interned subjects after `after` up to `up_to`, in the order
/// of the subjects' ids; a subject without an entry there is left out. It costs one step into the
/// index per subject, however many entries there are.
pub async fn last_positions(
    read: &mut Read,
    subjects: &[i64],
    after: i64,
    up_to: i64,
) -> StoreResult<Vec<(i64, i64)>> {
    // A subject is an interned id: that table turns the list into rows on both engines.
    let rows = read
        .query(
            TABLE,
            "SELECT i.id, (SELECT l.pos FROM log l \
                 WHERE l.subject = i.id AND l.pos > $2 AND l.pos <= $3 \
                 ORDER BY l.pos DESC LIMIT 1) \
             FROM interned i WHERE i.id = ANY($1) ORDER BY i.id",
            &[Param::Ints(subjects.to_vec()), after.into(), up_to.into()],
        )
        .await?;
    let found = rows.iter().map(|row| Ok((row.int(0)?, row.opt_int(1)?)));
    found
        .filter_map(|row: StoreResult<_>| match row {
            Ok((subject, pos)) => pos.map(|pos| Ok((subject, pos))),
            Err(error) => Some(Err(error)),
        })
        .collect()
}

/// The entries of kind `DeviceList` after one position up to another, oldest first, by an index of
/// their own.
pub(crate) async fn list_device_lists(
    read: &mut Read,
    (after, up_to): (i64, i64),
    limit: i64,
) -> StoreResult<Vec<LogEntry>> {
    // The number stands in the text, so that the partial index is found.
    let rows = read
        .query(
            TABLE,
            "SELECT pos, kind, subject, reference, data FROM log \
             WHERE kind = 11 AND pos > $1 AND pos <= $2 ORDER BY pos LIMIT $3",
            &ints([after, up_to, limit]),
        )
        .await?;
    rows.iter().map(|row| entry(row, 0)).collect()
}

/// The entries of kind `DeviceList` that are about devices of a user, the oldest first.
pub(crate) async fn list_device_lists_of(read: &mut Read, user: i64) -> StoreResult<Vec<LogEntry>> {
    let rows = read
        .query(
            TABLE,
            "SELECT pos, kind, subject, reference, data FROM log \
             WHERE latest = 1 AND kind = $1 AND subject = $2 AND reference < 0 ORDER BY pos + 0",
            &ints([LogKind::DeviceList as i64, user]),
        )
        .await?;
    rows.iter().map(|row| entry(row, 0)).collect()
}

/// The position of the last entry of kind `DeviceList` that is about a device of a user, before
/// another position; 0: there is none. It looks at one entry for each of the user's devices.
pub(crate) async fn find_device_list_before(
    read: &mut Read,
    user: i64,
    before: i64,
) -> StoreResult<i64> {
    let row = read
        .query_one(
            TABLE,
            "SELECT MAX(pos + 0) FROM log \
             WHERE latest = 1 AND kind = $1 AND subject = $2 AND reference < 0 AND pos + 0 < $3",
            &ints([LogKind::DeviceList as i64, user, before]),
        )
        .await?;
    let found = row.map(|row| row.opt_int(0)).transpose()?;
    Ok(found.flatten().unwrap_or_default())
}

/// Deletes the entry at a position, with what it tells of. Nodes that remember it meet nothing.
pub(crate) fn delete(writes: &mut WriteSet, pos: i64) {
    writes.delete(&LOG, vec![pos.into()]);
}

/// The counter and the first `limit` entries after `after`. One statement, because an entry that
/// moves between two would be missed by both: gone from its old position, not yet at its new one.
pub(crate) async fn tail(read: &mut Read, after: i64, limit: i64) -> StoreResult<Tail> {
    let rows = read
        .query(
            TABLE,
            "SELECT c.pos, l.pos, l.kind, l.subject, l.reference, l.data \
             FROM log_counter c LEFT JOIN (\
                 SELECT pos, kind, subject, reference, data FROM log \
                 WHERE pos > $1 AND kind <= $2 ORDER BY pos LIMIT $3\
             ) l ON 1 = 1 WHERE c.id = 1 ORDER BY l.pos",
            // One more than asked for tells whether there are more.
            &ints([after, KIND_MAX, limit + 1]),
        )
        .await?;
    let first = rows.first().ok_or(StoreError::Missing {
        table: "log_counter",
    })?;
    let position = first.int(0)?;
    if first.opt_int(1)?.is_none() {
        return Ok(Tail {
            position,
            entries: Vec::new(),
            is_whole: true,
        });
    }
    let kept = rows.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Tail {
        position,
        entries: rows[..kept]
            .iter()
            .map(|row| entry(row, 1))
            .collect::<StoreResult<_>>()?,
        is_whole: kept == rows.len(),
    })
}

fn ints<const N: usize>(values: [i64; N]) -> [Param; N] {
    values.map(Param::from)
}

/// Reads an entry whose first column is `column`.
fn entry(row: &Row, column: usize) -> StoreResult<LogEntry> {
    let number = row.int(column + 1)?;
    Ok(LogEntry {
        pos: row.int(column)?,
        kind: LogKind::from_number(number).ok_or_else(|| StoreError::Corrupt {
            table: TABLE,
            column: column + 1,
            wanted: "a kind of log entry",
            found: number.to_string(),
        })?,
        subject: row.int(column + 2)?,
        reference: row.int(column + 3)?,
        data: row.bytes(column + 4)?,
    })
}

#[cfg(test)]
mod tests;
