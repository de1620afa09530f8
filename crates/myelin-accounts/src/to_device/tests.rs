use myelin_store::{
    DatabaseUrl, StoreOptions,
    sessions::{self, Device, NewTokens},
};

use super::{waiting::drop_oldest, *};

const PHONE: (i64, &str) = (7, "PHONE");

async fn store_with_a_phone(directory: &tempfile::TempDir) -> Store {
    let url = DatabaseUrl::Sqlite(directory.path().join("test.db"));
    let store = Store::open(StoreOptions::new(url, "localhost")).await;
    let store = store.expect("a new file can be opened");
    let device = Device {
        user_number: 7,
        device_id: "PHONE".to_owned(),
        version: 1,
        ..Device::default()
    };
    let tokens = NewTokens {
        access: [1; 32],
        expires_ms: None,
        refresh: None,
    };
    let mut writes = WriteSet::new();
    sessions::insert(&mut writes, &device, &tokens, 1);
    store.commit(writes).await.expect("the device is new");
    store
}

async fn fill(store: &Store, count: i64) {
    let recipients = to_device::list_recipients(&mut store.read(), &[7]).await;
    let recipient = &recipients.expect("a read")[0];
    for message in 1..=count {
        let mut writes = WriteSet::new();
        to_device::insert(&mut writes, recipient, message, Bytes::from_static(b"{}"));
        store.commit(writes).await.expect("the device is there");
    }
}

#[tokio::test]
async fn a_queue_that_nobody_fetches_keeps_the_newest() {
    let directory = tempfile::tempdir().expect("a folder");
    let store = store_with_a_phone(&directory).await;
    fill(&store, 30).await;
    drop_oldest(&store, PHONE, 30, 12).await.expect("a commit");
    let mut read = store.read();
    let left = to_device::list(&mut read, PHONE, (0, i64::MAX), 99).await;
    let left: Vec<i64> = left
        .expect("a read")
        .iter()
        .map(|waiting| waiting.place.message)
        .collect();
    assert_eq!(left, (19..=30).collect::<Vec<_>>());
    let recipients = to_device::list_recipients(&mut read, &[7]).await;
    assert_eq!(recipients.expect("a read")[0].queue.looked_at, 30);
    // A queue that is short enough stays as it is.
    drop_oldest(&store, PHONE, 30, 12).await.expect("a commit");
    assert_eq!(
        to_device::count(&mut read, PHONE).await.expect("a read"),
        12
    );
    store.close().await;
}

#[test]
fn slices_follow_from_the_request_alone() {
    let named = BTreeMap::new();
    let message = |device: &'static str, bytes: usize| Outgoing {
        user: 1,
        device,
        named: &named,
        event: vec![b' '; bytes].into(),
    };
    let lengths = |outgoing: &[Outgoing<'_>]| -> Vec<usize> {
        slices(outgoing).iter().map(|slice| slice.len()).collect()
    };
    assert_eq!(lengths(&[]), [0]);
    assert_eq!(lengths(&[message("A", 1), message("B", 1)]), [2]);
    let mixed = [
        message("*", 1),
        message("A", 1),
        message("*", 1),
        message("B", 1),
    ];
    assert_eq!(lengths(&mixed), [1, 1, 1, 1]);
    let many: Vec<_> = (0..900).map(|_| message("A", 1)).collect();
    assert_eq!(lengths(&many), [400, 400, 100]);
    let large: Vec<_> = (0..70).map(|_| message("A", 60_000)).collect();
    assert_eq!(lengths(&large), [34, 34, 2]);
}
