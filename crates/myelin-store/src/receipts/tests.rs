use super::*;
use crate::{Store, StoreError, log, test_stores};

fn receipt(user: i64, private: bool, thread: Option<&str>, room_order: i64) -> Receipt {
    let key = ReceiptKey {
        room: 1,
        user,
        private,
        thread: thread.map(str::to_owned),
    };
    Receipt {
        key,
        number: user * 10 + i64::from(private) * 5 + thread.map_or(0, |_| 1),
        event_id: format!("$event{room_order}"),
        room_order,
        ts_ms: 1_767_225_600_000 + room_order,
    }
}

async fn commit(store: &Store, receipt: &Receipt, expected: Option<i64>) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    put(&mut writes, receipt, expected);
    store.commit(writes).await.map(drop)
}

async fn with_four() -> Vec<(test_stores::Nodes, [Receipt; 4])> {
    let mut found = Vec::new();
    for nodes in test_stores::both().await {
        let receipts = [
            receipt(20, false, None, 7),
            receipt(20, false, Some("main"), 5),
            receipt(20, true, None, 8),
            receipt(21, false, None, 9),
        ];
        for receipt in &receipts {
            commit(&nodes.one, receipt, None).await.unwrap();
        }
        found.push((nodes, receipts));
    }
    found
}

#[tokio::test]
async fn a_receipt_is_read_as_it_was_written() {
    for (nodes, receipts) in with_four().await {
        let mut read = nodes.two.read();
        for receipt in &receipts {
            let found = find(&mut read, &receipt.key).await.unwrap();
            assert_eq!(found.as_ref(), Some(receipt));
        }
        let other = ReceiptKey {
            thread: Some("$root".to_owned()),
            ..receipts[0].key.clone()
        };
        assert_eq!(find(&mut read, &other).await.unwrap(), None);
        let numbers: Vec<i64> = receipts.iter().map(|receipt| receipt.number).collect();
        let mut by_number = list(&mut read, &numbers).await.unwrap();
        by_number.sort_by_key(|receipt| numbers.iter().position(|n| *n == receipt.number));
        assert_eq!(by_number, receipts);
        assert_eq!(list(&mut read, &[]).await.unwrap(), []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn lists_hold_the_newest_and_nothing_private_of_others() {
    for (nodes, [whole, main, private, other]) in with_four().await {
        let mut read = nodes.two.read();
        let newest = list_newest(&mut read, 1, 10).await.unwrap();
        assert_eq!(newest, [other.clone(), whole.clone(), main.clone()]);
        let newest = list_newest(&mut read, 1, 1).await.unwrap();
        assert_eq!(newest, [other]);
        assert_eq!(list_newest(&mut read, 2, 10).await.unwrap(), []);
        let own = list_by_user(&mut read, (1, 20), 10).await.unwrap();
        assert_eq!(own, [private.clone(), whole, main]);
        let own = list_by_user(&mut read, (1, 20), 1).await.unwrap();
        assert_eq!(own, [private]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_receipt_built_on_an_old_one_falls() {
    for nodes in test_stores::both().await {
        let first = receipt(20, false, None, 7);
        commit(&nodes.one, &first, None).await.unwrap();
        let second = receipt(20, false, None, 8);
        commit(&nodes.two, &second, Some(7)).await.unwrap();
        for expected in [None, Some(7)] {
            let late = commit(&nodes.one, &receipt(20, false, None, 9), expected).await;
            assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        }
        let found = find(&mut nodes.one.read(), &first.key).await.unwrap();
        assert_eq!(found, Some(second));
        nodes.close().await;
    }
}

#[tokio::test]
async fn the_log_names_the_newest_and_tells_private_ones_to_their_user() {
    for (nodes, [whole, ..]) in with_four().await {
        let moved = Receipt {
            room_order: 10,
            ..whole
        };
        commit(&nodes.one, &moved, Some(7)).await.unwrap();
        let mut read = nodes.two.read();
        let position = log::position(&mut read).await.unwrap();
        let entries = log::list(&mut read, 0, position, 100).await.unwrap();
        let entries = entries.iter();
        let found: Vec<_> = entries
            .filter(|entry| entry.kind == LogKind::Receipt)
            .map(|entry| (entry.subject, entry.reference, entry.data[7]))
            .collect();
        assert_eq!(
            found,
            [(1, 201, 20), (20, 205, 1), (1, 210, 21), (1, 200, 20)]
        );
        nodes.close().await;
    }
}
