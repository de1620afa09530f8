//! Table `gaps`: where events of a room are missing here.

use crate::{OnConflict, Read, Row, StoreResult, Table, Value, WriteSet, bytes, int};

static GAPS: Table = Table {
    name: "gaps",
    key: &[int("room"), int("upper")],
    values: &[int("lower"), int("version"), bytes("missing")],
    version: Some(1),
    on_conflict: OnConflict::Replace,
};

/// How many places of the room's order a gap leaves free for what is missing.
pub const GAP: i64 = 1 << 32;
/// The version that a gap has first.
const FIRST_VERSION: i64 = 1;
/// Gaps of one room that are looked at together.
const LIST_MAX: i64 = 100;

/// A stretch of a room's order in which events are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The interned room id.
    pub room: i64,
    /// The room order of the event before which something is missing.
    pub upper: i64,
    /// The room order of the newest event below; 0 for none.
    pub lower: i64,
    /// The ids of what is missing next: what events above the gap come after. Empty if nobody has
    /// noted it, which only old versions of this program have not.
    pub missing: Vec<String>,
    /// Changes whenever the gap does.
    pub version: i64,
}

impl Gap {
    /// A gap that nobody has written yet.
    pub fn new(room: i64, (lower, upper): (i64, i64), missing: Vec<String>) -> Self {
        Self {
            room,
            upper,
            lower,
            missing,
            version: FIRST_VERSION,
        }
    }
}

/// A query for gaps; what follows it is the argument.
macro_rules! select_gaps {
    ($rest:literal) => {
        concat!(
            "SELECT room, upper, lower, version, missing FROM gaps ",
            $rest
        )
    };
}

/// The gap that ends at this room order.
pub async fn find(read: &mut Read, room: i64, upper: i64) -> StoreResult<Option<Gap>> {
    let sql = select_gaps!("WHERE room = $1 AND upper = $2");
    let row = read
        .query_one(GAPS.name, sql, &[room.into(), upper.into()])
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// The newest gap that ends at this room order or below.
pub async fn find_below(read: &mut Read, room: i64, order: i64) -> StoreResult<Option<Gap>> {
    let sql = select_gaps!("WHERE room = $1 AND upper <= $2 ORDER BY upper DESC LIMIT 1");
    let row = read
        .query_one(GAPS.name, sql, &[room.into(), order.into()])
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// The gaps that end below this room order, the newest first, at most 100.
pub async fn list_below(read: &mut Read, room: i64, order: i64) -> StoreResult<Vec<Gap>> {
    let sql = select_gaps!("WHERE room = $1 AND upper < $2 ORDER BY upper DESC LIMIT $3");
    let parameters = [room.into(), order.into(), LIST_MAX.into()];
    let rows = read.query(GAPS.name, sql, &parameters).await?;
    rows.iter().map(from_row).collect()
}

/// Writes a new gap, in the set that stores the event above it.
pub fn insert(writes: &mut WriteSet, gap: &Gap) {
    let key = key(gap.room, gap.upper);
    writes.expect(&GAPS, key.clone(), None);
    writes.put(&GAPS, key, values(gap));
}

/// Lets a gap end elsewhere, or lack something else, in the set that stores what was missing. The
/// set falls if the gap has changed meanwhile.
pub fn narrow(writes: &mut WriteSet, gap: &Gap, upper: i64, missing: Vec<String>) {
    if upper == gap.upper {
        let narrowed = Gap {
            missing,
            version: gap.version + 1,
            ..gap.clone()
        };
        let key = expect(writes, gap);
        writes.put(&GAPS, key, values(&narrowed));
    } else {
        delete(writes, gap);
        insert(writes, &Gap::new(gap.room, (gap.lower, upper), missing));
    }
}

/// Divides a gap at events that have their places amid it, from `top` down to `bottom`, with what
/// is missing below, in the set that stores them. The set falls if the gap has changed meanwhile.
pub fn divide(writes: &mut WriteSet, gap: &Gap, (top, bottom): (i64, i64), missing: Vec<String>) {
    let above = Gap {
        lower: top,
        version: gap.version + 1,
        ..gap.clone()
    };
    let key = expect(writes, gap);
    writes.put(&GAPS, key, values(&above));
    if !missing.is_empty() {
        insert(writes, &Gap::new(gap.room, (gap.lower, bottom), missing));
    }
}

/// Takes a gap away that is filled. The set falls if it has changed meanwhile.
pub fn delete(writes: &mut WriteSet, gap: &Gap) {
    let key = expect(writes, gap);
    writes.delete(&GAPS, key);
}

fn expect(writes: &mut WriteSet, gap: &Gap) -> Vec<Value> {
    let key = key(gap.room, gap.upper);
    writes.expect(&GAPS, key.clone(), Some(gap.version));
    key
}

fn key(room: i64, upper: i64) -> Vec<Value> {
    vec![room.into(), upper.into()]
}

fn values(gap: &Gap) -> Vec<Value> {
    vec![
        gap.lower.into(),
        gap.version.into(),
        gap.missing.join("\n").as_str().into(),
    ]
}

fn from_row(row: &Row) -> StoreResult<Gap> {
    let missing = match row.opt_bytes(4)? {
        Some(_) => row.text(4)?,
        None => String::new(),
    };
    let missing = missing.split('\n').filter(|id| !id.is_empty());
    Ok(Gap {
        room: row.int(0)?,
        upper: row.int(1)?,
        lower: row.int(2)?,
        missing: missing.map(ToOwned::to_owned).collect(),
        version: row.int(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, StoreError, test_stores};

    fn gap(upper: i64, lower: i64) -> Gap {
        Gap::new(1, (lower, upper), vec!["$a".to_owned(), "$b".to_owned()])
    }

    async fn commit(store: &Store, change: &dyn Fn(&mut WriteSet)) -> StoreResult<()> {
        let mut writes = WriteSet::new();
        change(&mut writes);
        store.commit(writes).await.map(drop)
    }

    #[tokio::test]
    async fn the_next_gap_below_is_found() {
        for nodes in test_stores::both().await {
            let mut writes = WriteSet::new();
            insert(&mut writes, &gap(100, 0));
            insert(&mut writes, &gap(900, 150));
            nodes.one.commit(writes).await.unwrap();
            let mut read = nodes.two.read();
            let mut found = async |order| find_below(&mut read, 1, order).await.unwrap();
            assert_eq!(found(99).await, None);
            assert_eq!(found(100).await, Some(gap(100, 0)));
            assert_eq!(found(899).await, Some(gap(100, 0)));
            assert_eq!(found(2_000).await, Some(gap(900, 150)));
            assert_eq!(find_below(&mut read, 2, 2_000).await.unwrap(), None);
            assert_eq!(find(&mut read, 1, 899).await.unwrap(), None);
            assert_eq!(find(&mut read, 1, 900).await.unwrap(), Some(gap(900, 150)));
            let below = list_below(&mut read, 1, 900).await.unwrap();
            assert_eq!(below, [gap(100, 0)]);
            let below = list_below(&mut read, 1, 901).await.unwrap();
            assert_eq!(below, [gap(900, 150), gap(100, 0)]);
            nodes.close().await;
        }
    }

    #[tokio::test]
    async fn a_gap_is_divided_once() {
        for nodes in test_stores::both().await {
            let whole = gap(900, 100);
            let commit = async |change: &dyn Fn(&mut WriteSet)| commit(&nodes.two, change).await;
            commit(&|writes| insert(writes, &whole)).await.unwrap();
            let next = || vec!["$c".to_owned()];
            commit(&|writes| divide(writes, &whole, (500, 498), next()))
                .await
                .unwrap();
            let again = commit(&|writes| divide(writes, &whole, (400, 400), next())).await;
            assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
            let found = list_below(&mut nodes.one.read(), 1, i64::MAX)
                .await
                .unwrap();
            let above = Gap {
                lower: 500,
                version: 2,
                ..whole
            };
            assert_eq!(found, [above, Gap::new(1, (100, 498), next())]);
            nodes.close().await;
        }
    }

    #[tokio::test]
    async fn of_two_that_fill_a_gap_one_falls() {
        for nodes in test_stores::both().await {
            let first = gap(900, 150);
            let commit = async |change: &dyn Fn(&mut WriteSet)| commit(&nodes.two, change).await;
            commit(&|writes| insert(writes, &first)).await.unwrap();
            let again = commit(&|writes| insert(writes, &first)).await;
            assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
            let next = || vec!["$c".to_owned()];
            commit(&|writes| narrow(writes, &first, 800, next()))
                .await
                .unwrap();
            let late = commit(&|writes| narrow(writes, &first, 700, next())).await;
            assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
            let found = find_below(&mut nodes.one.read(), 1, 900).await.unwrap();
            let second = Gap::new(1, (150, 800), next());
            assert_eq!(found, Some(second.clone()));
            // What is missing can change where the gap stays.
            commit(&|writes| narrow(writes, &second, 800, Vec::new()))
                .await
                .unwrap();
            let late = commit(&|writes| delete(writes, &second)).await;
            assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
            let third = find(&mut nodes.one.read(), 1, 800).await.unwrap().unwrap();
            assert!(third.missing.is_empty());
            commit(&|writes| delete(writes, &third)).await.unwrap();
            assert_eq!(find(&mut nodes.one.read(), 1, 800).await.unwrap(), None);
            nodes.close().await;
        }
    }
}
