use super::*;
use crate::{
    Store, StoreError,
    sessions::{Device, NewTokens},
    test_stores,
};

const PHONE: (i64, &str) = (7, "PHONE");
const LAPTOP: (i64, &str) = (7, "LAPTOP");

async fn log_in(store: &Store, (user_number, device_id): (i64, &str), token: u8) {
    let device = Device {
        user_number,
        device_id: device_id.to_owned(),
        version: 1,
        ..Device::default()
    };
    let tokens = NewTokens {
        access: [token; 32],
        expires_ms: None,
        refresh: None,
    };
    let mut writes = WriteSet::new();
    sessions::insert(&mut writes, &device, &tokens, 1);
    store.commit(writes).await.unwrap();
}

async fn recipients(store: &Store) -> Vec<Recipient> {
    list_recipients(&mut store.read(), &[7, 8]).await.unwrap()
}

async fn send(store: &Store, to: &Recipient, message: i64) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    insert(&mut writes, to, message, format!("{message}").into());
    store.commit(writes).await.map(drop)
}

async fn waiting(store: &Store, device: (i64, &str)) -> Vec<i64> {
    let found = list(&mut store.read(), device, (0, i64::MAX), 100).await;
    let numbers = found.unwrap().into_iter();
    let numbers = numbers.map(|waiting| {
        assert_eq!(waiting.event, format!("{}", waiting.place.message));
        waiting.place.message
    });
    numbers.collect()
}

#[tokio::test]
async fn messages_wait_in_the_order_in_which_they_were_committed() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one, PHONE, 1).await;
        log_in(&nodes.one, LAPTOP, 2).await;
        let [laptop, phone] = &recipients(&nodes.two).await[..] else {
            panic!("two devices");
        };
        for (turn, message) in [5, 3, 9, 4].into_iter().enumerate() {
            send(nodes.by_turns(turn), phone, message).await.unwrap();
        }
        send(&nodes.one, laptop, 6).await.unwrap();
        assert_eq!(waiting(&nodes.two, PHONE).await, [5, 3, 9, 4]);
        assert_eq!(waiting(&nodes.two, LAPTOP).await, [6]);
        let mut read = nodes.two.read();
        let places = list_places(&mut read, PHONE, i64::MAX, 2).await.unwrap();
        assert_eq!(places.len(), 2);
        let first = list(&mut read, PHONE, (0, places[0].pos), 9).await.unwrap();
        assert_eq!(first[0].place, places[0]);
        assert_eq!(first.len(), 1);
        let later = list(&mut read, PHONE, (places[1].pos, i64::MAX), 9).await;
        assert_eq!(later.unwrap().len(), 2);
        assert_eq!(count(&mut read, PHONE).await.unwrap(), 4);
        let known = &recipients(&nodes.two).await[1];
        assert_eq!((known.queue.sent, known.queue.looked_at), (4, 0));
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_was_taken_out_is_gone_with_its_log_entry() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one, PHONE, 1).await;
        let phone = &recipients(&nodes.one).await[0];
        for message in 1..=3 {
            send(&nodes.one, phone, message).await.unwrap();
        }
        let mut read = nodes.two.read();
        let places = list_places(&mut read, PHONE, i64::MAX, 2).await.unwrap();
        for _twice in 0..2 {
            let mut writes = WriteSet::new();
            delete(&mut writes, PHONE, &places);
            note_look(&mut writes, PHONE, 3);
            nodes.two.commit(writes).await.unwrap();
        }
        assert_eq!(waiting(&nodes.one, PHONE).await, [3]);
        let known = &recipients(&nodes.one).await[0];
        assert_eq!((known.queue.sent, known.queue.looked_at), (3, 3));
        let entries = log::list(&mut read, 0, i64::MAX, 9).await.unwrap();
        let entries: Vec<_> = entries.iter().map(|entry| entry.reference).collect();
        assert_eq!(entries, [3]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_device_that_is_gone() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one, PHONE, 1).await;
        let phone = &recipients(&nodes.one).await[0];
        send(&nodes.one, phone, 1).await.unwrap();
        let device = sessions::find_device(&mut nodes.one.read(), 7, "PHONE").await;
        let device = device.unwrap().unwrap();
        let mut writes = WriteSet::new();
        sessions::delete(&mut writes, &device);
        nodes.two.commit(writes).await.unwrap();
        let sent = send(&nodes.one, phone, 2).await;
        assert!(matches!(sent, Err(StoreError::Conflict)), "{sent:?}");
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_queue_is_removed_by_who_knows_all_that_is_in_it() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one, PHONE, 1).await;
        let phone = &recipients(&nodes.one).await[0];
        let remove = async |sent| {
            let mut writes = WriteSet::new();
            delete_queue(&mut writes, PHONE, sent);
            nodes.two.commit(writes).await.map(drop)
        };
        remove(None).await.unwrap();
        send(&nodes.one, phone, 1).await.unwrap();
        let mut read = nodes.one.read();
        let queue = find_queue(&mut read, PHONE).await.unwrap();
        assert_eq!(queue.map(|queue| queue.sent), Some(1));
        send(&nodes.one, phone, 2).await.unwrap();
        for stale in [None, Some(1)] {
            let removed = remove(stale).await;
            assert!(matches!(removed, Err(StoreError::Conflict)), "{removed:?}");
        }
        remove(Some(2)).await.unwrap();
        assert_eq!(find_queue(&mut read, PHONE).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_is_for_a_server_waits_in_a_queue_of_its_own() {
    for nodes in test_stores::both().await {
        for (turn, message) in [8, 2, 5].into_iter().enumerate() {
            let mut writes = WriteSet::new();
            insert_for_server(&mut writes, 70, message, format!("{message}").into());
            nodes.by_turns(turn).commit(writes).await.unwrap();
        }
        let queue = (70, SERVER);
        assert_eq!(waiting(&nodes.two, queue).await, [8, 2, 5]);
        let mut read = nodes.one.read();
        let found = list_messages(&mut read, queue, &[5, 8, 9]).await.unwrap();
        assert_eq!(found, [(5, "5".into()), (8, "8".into())]);
        let entries = log::list(&mut read, 0, i64::MAX, 9).await.unwrap();
        assert!(entries.iter().all(|entry| server_of(entry) == Some(70)));
        let places = list_places(&mut read, queue, entries[1].pos, 9).await;
        let mut writes = WriteSet::new();
        delete(&mut writes, queue, &places.unwrap());
        note_look(&mut writes, queue, 3);
        nodes.two.commit(writes).await.unwrap();
        assert_eq!(waiting(&nodes.one, queue).await, [5]);
        let expected = Queue {
            sent: 3,
            looked_at: 3,
        };
        let found = find_queue(&mut read, queue).await.unwrap();
        assert_eq!(found, Some(expected));
        log_in(&nodes.one, PHONE, 1).await;
        send(&nodes.one, &recipients(&nodes.one).await[0], 9)
            .await
            .unwrap();
        let entries = log::list_subject(&mut read, 7, (0, i64::MAX), 9).await;
        assert!(
            entries
                .unwrap()
                .iter()
                .all(|entry| server_of(entry).is_none())
        );
        nodes.close().await;
    }
}
