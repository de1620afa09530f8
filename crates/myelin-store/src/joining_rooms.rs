//! Table `joining_rooms`: rooms of other servers that somebody here is about to come into.

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, bytes, int};

static JOINING_ROOMS: Table = Table {
    name: "joining_rooms",
    key: &[int("room")],
    values: &[bytes("room_version"), int("until_ms")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// The version of the room, if somebody is about to come into it.
pub async fn find(read: &mut Read, room: i64, now_ms: i64) -> StoreResult<Option<String>> {
    let sql = "SELECT room_version FROM joining_rooms WHERE room = $1 AND until_ms > $2";
    let parameters = [room.into(), now_ms.into()];
    let row = read.query_one(JOINING_ROOMS.name, sql, &parameters).await?;
    row.map(|row| row.text(0)).transpose()
}

/// Remembers that somebody is about to come into the room, until then at most.
pub fn upsert(writes: &mut WriteSet, room: i64, room_version: &str, until_ms: i64) {
    let values = vec![room_version.into(), until_ms.into()];
    writes.put(&JOINING_ROOMS, vec![room.into()], values);
}

/// Forgets it: they are in, or not.
pub fn delete(writes: &mut WriteSet, room: i64) {
    writes.delete(&JOINING_ROOMS, vec![room.into()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_stores;

    #[tokio::test]
    async fn a_join_is_known_until_it_ends_or_must_have_ended() {
        for nodes in test_stores::both().await {
            let mut writes = WriteSet::new();
            upsert(&mut writes, 1, "10", 100);
            upsert(&mut writes, 1, "11", 200);
            nodes.one.commit(writes).await.unwrap();
            let mut read = nodes.two.read();
            let found = find(&mut read, 1, 199).await.unwrap();
            assert_eq!(found.as_deref(), Some("11"));
            assert_eq!(find(&mut read, 1, 200).await.unwrap(), None);
            assert_eq!(find(&mut read, 2, 0).await.unwrap(), None);
            let mut writes = WriteSet::new();
            delete(&mut writes, 1);
            nodes.one.commit(writes).await.unwrap();
            assert_eq!(find(&mut read, 1, 0).await.unwrap(), None);
            nodes.close().await;
        }
    }
}
