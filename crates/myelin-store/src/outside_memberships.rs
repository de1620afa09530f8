//! Table `outside_memberships`: users who are invited to rooms that this server is not in, or have
//! knocked at them, and what they are told of these rooms.
//!
//! What they are stands in `memberships`, too. Both are written in one set, which expects the row
//! here and that the server is as far from the room as it was (see [`crate::rooms::expect`]).

use crate::{OnConflict, Read, Row, StoreResult, Table, WriteSet, bytes, int};

static OUTSIDE_MEMBERSHIPS: Table = Table {
    name: "outside_memberships",
    key: &[int("room"), int("user_number")],
    values: &[int("event"), bytes("room_version"), bytes("state")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// What a user is to a room from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideMembership {
    /// The interned room id.
    pub room: i64,
    /// The interned user id.
    pub user: i64,
    /// The number of the member event.
    pub event: i64,
    /// The version of the room.
    pub room_version: String,
    /// What the user is told of the room: a JSON array of stripped state.
    pub state: String,
}

/// What a user is to a room, if this server is not in it and the user is invited or knocks.
pub async fn find(read: &mut Read, room: i64, user: i64) -> StoreResult<Option<OutsideMembership>> {
    let sql = "SELECT room, user_number, event, room_version, state FROM outside_memberships
               WHERE room = $1 AND user_number = $2";
    let row = read
        .query_one(OUTSIDE_MEMBERSHIPS.name, sql, &[room.into(), user.into()])
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

/// The users and their member events, of one room, in the order of the users' numbers.
pub async fn list_users(read: &mut Read, room: i64) -> StoreResult<Vec<(i64, i64)>> {
    let sql = "SELECT user_number, event FROM outside_memberships WHERE room = $1
               ORDER BY user_number";
    let rows = read
        .query(OUTSIDE_MEMBERSHIPS.name, sql, &[room.into()])
        .await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// Writes what a user is; `before` is the event of the row that it takes the place of.
pub fn upsert(writes: &mut WriteSet, row: &OutsideMembership, before: Option<i64>) {
    let key = vec![row.room.into(), row.user.into()];
    writes.expect(&OUTSIDE_MEMBERSHIPS, key.clone(), before);
    let values = vec![
        row.event.into(),
        row.room_version.as_str().into(),
        row.state.as_str().into(),
    ];
    writes.put(&OUTSIDE_MEMBERSHIPS, key, values);
}

/// Deletes the row that holds this event.
pub fn delete(writes: &mut WriteSet, room: i64, user: i64, event: i64) {
    let key = vec![room.into(), user.into()];
    writes.expect(&OUTSIDE_MEMBERSHIPS, key.clone(), Some(event));
    writes.delete(&OUTSIDE_MEMBERSHIPS, key);
}

fn from_row(row: &Row) -> StoreResult<OutsideMembership> {
    Ok(OutsideMembership {
        room: row.int(0)?,
        user: row.int(1)?,
        event: row.int(2)?,
        room_version: row.text(3)?,
        state: row.text(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StoreError, rooms, test_stores};

    fn row(user: i64, event: i64) -> OutsideMembership {
        OutsideMembership {
            room: 1,
            user,
            event,
            room_version: "11".to_owned(),
            state: "[]".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_row_is_replaced_and_deleted_by_who_knows_it() {
        for nodes in test_stores::both().await {
            let mut read = nodes.two.read();
            let mut writes = WriteSet::new();
            upsert(&mut writes, &row(2, 10), None);
            upsert(&mut writes, &row(1, 11), None);
            nodes.one.commit(writes).await.unwrap();
            assert_eq!(find(&mut read, 1, 2).await.unwrap(), Some(row(2, 10)));
            assert_eq!(find(&mut read, 2, 1).await.unwrap(), None);
            assert_eq!(list_users(&mut read, 1).await.unwrap(), [(1, 11), (2, 10)]);

            let mut late = WriteSet::new();
            upsert(&mut late, &row(2, 12), None);
            let fallen = nodes.one.commit(late).await;
            assert!(matches!(fallen, Err(StoreError::Conflict)));
            let mut late = WriteSet::new();
            delete(&mut late, 1, 2, 9);
            let fallen = nodes.one.commit(late).await;
            assert!(matches!(fallen, Err(StoreError::Conflict)));

            let mut writes = WriteSet::new();
            upsert(&mut writes, &row(2, 12), Some(10));
            delete(&mut writes, 1, 1, 11);
            nodes.one.commit(writes).await.unwrap();
            assert_eq!(list_users(&mut read, 1).await.unwrap(), [(2, 12)]);
            nodes.close().await;
        }
    }

    #[tokio::test]
    async fn a_set_can_expect_that_there_is_no_room() {
        for nodes in test_stores::both().await {
            let mut writes = WriteSet::new();
            upsert(&mut writes, &row(2, 10), None);
            rooms::expect(&mut writes, 1, None);
            nodes.one.commit(writes).await.unwrap();
            let mut writes = WriteSet::new();
            upsert(&mut writes, &row(3, 10), None);
            rooms::expect(&mut writes, 1, Some(7));
            let fallen = nodes.one.commit(writes).await;
            assert!(matches!(fallen, Err(StoreError::Conflict)));
            nodes.close().await;
        }
    }
}
