//! Table `relation_redactions`: redactions that take along what relates to their target (MSC3912).
//!
//! A row stays: what comes later from another server is redacted as well.

use bytes::Bytes;
use myelin_core::relation::REPLACE;

use crate::{
    OnConflict, Param, Read, Row, StoreError, StoreResult, Table, WriteSet, bytes,
    events::StoredEvent, int,
};

static RELATION_REDACTIONS: Table = Table {
    name: "relation_redactions",
    key: &[int("redaction")],
    values: &[int("room"), bytes("target"), bytes("rel_types")],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// A redaction that takes along what relates to its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationRedaction {
    /// The number of the redaction.
    pub redaction: i64,
    /// The interned room id.
    pub room: i64,
    /// The id of the redacted event.
    pub target: String,
    /// The relation types that are taken along; empty: all of them.
    pub rel_types: Vec<String>,
}

impl RelationRedaction {
    /// Whether a relation of this type is taken along.
    pub fn takes(&self, rel_type: &str) -> bool {
        self.rel_types.is_empty() || self.rel_types.iter().any(|wanted| wanted == rel_type)
    }
}

/// Remembers what a redaction takes along, in the set that adds the redaction.
pub fn insert(writes: &mut WriteSet, wanted: &RelationRedaction) {
    let rel_types = serde_json::Value::from(wanted.rel_types.as_slice()).to_string();
    let values = vec![
        wanted.room.into(),
        wanted.target.as_str().into(),
        rel_types.as_str().into(),
    ];
    writes.put(&RELATION_REDACTIONS, vec![wanted.redaction.into()], values);
}

/// What the redaction with this number takes along, if it does that.
pub async fn find(read: &mut Read, redaction: i64) -> StoreResult<Option<RelationRedaction>> {
    let sql = "SELECT redaction, room, target, rel_types FROM relation_redactions
               WHERE redaction = $1";
    let row = read
        .query_one(RELATION_REDACTIONS.name, sql, &[redaction.into()])
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// The redactions of these events that take along what relates to them, in the order of their numbers.
pub async fn list_of_targets(
    read: &mut Read,
    room: i64,
    targets: &[&str],
) -> StoreResult<Vec<RelationRedaction>> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT redaction, room, target, rel_types FROM relation_redactions
               WHERE room = $1 AND target = ANY($2) ORDER BY redaction";
    let targets = targets.iter();
    let targets = targets.map(|target| Bytes::copy_from_slice(target.as_bytes()));
    let parameters = [room.into(), Param::BytesList(targets.collect())];
    let rows = read
        .query(RELATION_REDACTIONS.name, sql, &parameters)
        .await?;
    rows.iter().map(from_row).collect()
}

/// The numbers of the events that a redaction takes along, after one of them in their order, at most
/// `limit`: none of the barred types, and of edits those of the same type and by the same sender as
/// what they edit. Cost: all that relates to the redacted event.
pub async fn list_taken_along(
    read: &mut Read,
    wanted: &RelationRedaction,
    (target, barred): (&StoredEvent, &[&str]),
    (after, limit): (i64, i64),
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT event FROM relations
               WHERE room = $1 AND parent = $2 AND event > $3
               AND (rel_type = ANY($4) OR $5 = 1) AND NOT (rel_type = ANY($9))
               AND (rel_type <> $6 OR (sender = $7 AND type = $8))
               ORDER BY event LIMIT $10";
    let names = |kind: &str| Bytes::copy_from_slice(kind.as_bytes());
    let rel_types = wanted.rel_types.iter().map(|kind| names(kind));
    let barred = barred.iter().map(|kind| names(kind));
    let parameters = [
        wanted.room.into(),
        wanted.target.as_str().into(),
        after.into(),
        Param::BytesList(rel_types.collect()),
        i64::from(wanted.rel_types.is_empty()).into(),
        REPLACE.into(),
        target.sender.into(),
        target.event_type.into(),
        Param::BytesList(barred.collect()),
        limit.into(),
    ];
    let rows = read.query("relations", sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

fn from_row(row: &Row) -> StoreResult<RelationRedaction> {
    let rel_types = row.text(3)?;
    Ok(RelationRedaction {
        redaction: row.int(0)?,
        room: row.int(1)?,
        target: row.text(2)?,
        rel_types: serde_json::from_str(&rel_types).map_err(|_| StoreError::Corrupt {
            table: RELATION_REDACTIONS.name,
            column: 3,
            wanted: "a list of relation types",
            found: rel_types,
        })?,
    })
}

#[cfg(test)]
mod tests;
