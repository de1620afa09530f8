//! Table `dehydrated_devices`: the one device of a user that has keys and receives messages, but no
//! session. It has a row in `devices`, too, and goes with that.

use bytes::Bytes;

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, bytes, int};

static DEHYDRATED_DEVICES: Table = Table {
    name: "dehydrated_devices",
    key: &[int("user_number")],
    values: &[int("version"), bytes("device_id"), bytes("device_data")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// A dehydrated device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DehydratedDevice {
    /// The device id.
    pub device_id: String,
    /// The device, encrypted by its user: a JSON object.
    pub device_data: Bytes,
    /// Raised by each change.
    pub version: i64,
}

/// A user's dehydrated device.
pub async fn find(read: &mut Read, user: i64) -> StoreResult<Option<DehydratedDevice>> {
    let sql = "SELECT device_id, device_data, version FROM dehydrated_devices
               WHERE user_number = $1";
    let row = read
        .query_one(DEHYDRATED_DEVICES.name, sql, &[user.into()])
        .await?;
    row.map(|row| {
        Ok(DehydratedDevice {
            device_id: row.text(0)?,
            device_data: row.bytes(1)?,
            version: row.int(2)?,
        })
    })
    .transpose()
}

/// Writes a user's dehydrated device; falls if there is one.
pub fn insert(writes: &mut WriteSet, user: i64, device_id: &str, device_data: Bytes) {
    let values = vec![1.into(), device_id.into(), device_data.into()];
    writes.insert(&DEHYDRATED_DEVICES, vec![user.into()], values);
}

/// Deletes it, in the set that deletes its row in `devices`.
pub fn delete(writes: &mut WriteSet, user: i64) {
    writes.delete(&DEHYDRATED_DEVICES, vec![user.into()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, test_stores};

    async fn put(store: &Store, device_id: &str) -> bool {
        let mut writes = WriteSet::new();
        insert(&mut writes, 7, device_id, "{}".into());
        store.commit(writes).await.is_ok()
    }

    #[tokio::test]
    async fn a_user_has_one_at_a_time() {
        for nodes in test_stores::both().await {
            assert!(put(&nodes.one, "first").await);
            assert!(!put(&nodes.one, "second").await);
            let mut read = nodes.two.read();
            let found = find(&mut read, 7).await.unwrap().unwrap();
            assert_eq!(found.device_id, "first");
            assert_eq!(found.device_data, "{}");
            assert_eq!(find(&mut read, 8).await.unwrap(), None);
            let mut writes = WriteSet::new();
            delete(&mut writes, 7);
            nodes.two.commit(writes).await.unwrap();
            assert!(put(&nodes.one, "second").await);
            nodes.close().await;
        }
    }
}
