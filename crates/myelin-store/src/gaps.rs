//! Table `gaps`: where events of a room are missing here.

use crate::{OnConflict, Read, Row, StoreResult, Table, WriteSet, int};

// Written only together with a room's head, whose expectation orders the writers.
static GAPS: Table = Table {
    name: "gaps",
    key: &[int("room"), int("upper")],
    values: &[int("lower")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// How many places of the room's order a gap leaves free for what is missing.
pub const GAP: i64 = 1 << 32;

/// A stretch of a room's order in which events are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The interned room id.
    pub room: i64,
    /// The room order of the event before which something is missing.
    pub upper: i64,
    /// The room order of the newest event below; 0 for none.
    pub lower: i64,
}

/// The newest gap that ends at this room order or below.
pub async fn find_below(read: &mut Read, room: i64, order: i64) -> StoreResult<Option<Gap>> {
    let sql = "SELECT room, upper, lower FROM gaps WHERE room = $1 AND upper <= $2
               ORDER BY upper DESC LIMIT 1";
    let row = read
        .query_one(GAPS.name, sql, &[room.into(), order.into()])
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// Writes a gap, in the set that moves the room's head.
pub fn put(writes: &mut WriteSet, gap: &Gap) {
    let key = vec![gap.room.into(), gap.upper.into()];
    writes.put(&GAPS, key, vec![gap.lower.into()]);
}

/// Takes a gap away that is filled, or smaller now.
pub fn delete(writes: &mut WriteSet, gap: &Gap) {
    writes.delete(&GAPS, vec![gap.room.into(), gap.upper.into()]);
}

fn from_row(row: &Row) -> StoreResult<Gap> {
    Ok(Gap {
        room: row.int(0)?,
        upper: row.int(1)?,
        lower: row.int(2)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_stores;

    #[tokio::test]
    async fn the_next_gap_below_is_found() {
        for nodes in test_stores::both().await {
            let gap = |upper, lower| Gap {
                room: 1,
                upper,
                lower,
            };
            let mut writes = WriteSet::new();
            put(&mut writes, &gap(100, 0));
            put(&mut writes, &gap(900, 150));
            nodes.one.commit(writes).await.unwrap();
            let mut read = nodes.two.read();
            let mut found = async |order| find_below(&mut read, 1, order).await.unwrap();
            assert_eq!(found(99).await, None);
            assert_eq!(found(100).await, Some(gap(100, 0)));
            assert_eq!(found(899).await, Some(gap(100, 0)));
            assert_eq!(found(2_000).await, Some(gap(900, 150)));
            assert_eq!(find_below(&mut read, 2, 2_000).await.unwrap(), None);
            let mut writes = WriteSet::new();
            delete(&mut writes, &gap(900, 150));
            put(&mut writes, &gap(800, 150));
            nodes.one.commit(writes).await.unwrap();
            let found = find_below(&mut read, 1, 2_000).await.unwrap();
            assert_eq!(found, Some(gap(800, 150)));
            nodes.close().await;
        }
    }
}
