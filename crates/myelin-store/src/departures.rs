//! Table `departures`: where the history ends that a departed user may still see.

use bytes::Bytes;

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, bytes, int};

// Written only together with a room's head, whose expectation orders the writers.
static DEPARTURES: Table = Table {
    name: "departures",
    key: &[int("room"), int("user_number")],
    values: &[int("event"), int("room_order"), bytes("root")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// The newest event that ended a user's being joined to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The interned room id.
    pub room: i64,
    /// The interned user id.
    pub user: i64,
    /// The number of the member event.
    pub event: i64,
    /// Its place in the room.
    pub room_order: i64,
    /// The root of the state after it.
    pub root: Bytes,
}

/// A user's newest departure from a room, if the user was ever joined to it, has left it, and has
/// not forgotten it.
pub async fn find(read: &mut Read, room: i64, user: i64) -> StoreResult<Option<Departure>> {
    let sql = "SELECT room, user_number, event, room_order, root FROM departures
               WHERE room = $1 AND user_number = $2";
    let row = read
        .query_one(DEPARTURES.name, sql, &[room.into(), user.into()])
        .await?;
    row.map(|row| {
        Ok(Departure {
            room: row.int(0)?,
            user: row.int(1)?,
            event: row.int(2)?,
            room_order: row.int(3)?,
            root: row.bytes(4)?,
        })
    })
    .transpose()
}

/// Writes a departure, in the set that moves the room's head.
pub fn upsert(writes: &mut WriteSet, departure: &Departure) {
    let key = vec![departure.room.into(), departure.user.into()];
    let values = vec![
        departure.event.into(),
        departure.room_order.into(),
        departure.root.clone().into(),
    ];
    writes.put(&DEPARTURES, key, values);
}

/// Takes from a user what may still be seen of a room that is forgotten.
pub fn delete(writes: &mut WriteSet, room: i64, user: i64) {
    writes.delete(&DEPARTURES, vec![room.into(), user.into()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, test_stores};

    fn departure(room_order: i64) -> Departure {
        Departure {
            room: 1,
            user: 2,
            event: room_order * 10,
            room_order,
            root: vec![1; 16].into(),
        }
    }

    #[tokio::test]
    async fn the_newest_departure_counts_until_it_is_deleted() {
        for nodes in test_stores::both().await {
            let mut read = nodes.two.read();
            put(&nodes.one, &departure(5)).await;
            assert_eq!(find(&mut read, 1, 2).await.unwrap(), Some(departure(5)));
            put(&nodes.one, &departure(9)).await;
            assert_eq!(find(&mut read, 1, 2).await.unwrap(), Some(departure(9)));
            assert_eq!(find(&mut read, 2, 1).await.unwrap(), None);
            let mut writes = WriteSet::new();
            delete(&mut writes, 1, 2);
            nodes.one.commit(writes).await.unwrap();
            assert_eq!(find(&mut read, 1, 2).await.unwrap(), None);
            nodes.close().await;
        }
    }

    async fn put(store: &Store, departure: &Departure) {
        let mut writes = WriteSet::new();
        upsert(&mut writes, departure);
        store.commit(writes).await.unwrap();
    }
}
