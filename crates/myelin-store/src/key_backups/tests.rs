use super::*;
use crate::{StoreError, test_stores};

fn backup(number: i64) -> KeyBackup {
    KeyBackup {
        user: 7,
        backup: number,
        algorithm: "some".to_owned(),
        auth_data: "{}".into(),
        version: 1,
        ..KeyBackup::default()
    }
}

fn key_of(room: i64, session_id: &str) -> BackedUpKey {
    BackedUpKey {
        room,
        session_id: session_id.to_owned(),
        first_message_index: 3,
        forwarded_count: 4,
        is_verified: true,
        session_data: "{\"a\":1}".into(),
    }
}

#[tokio::test]
async fn the_newest_backup_is_found_deleted_or_not() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        insert(&mut writes, &backup(1));
        insert(&mut writes, &backup(2));
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        assert_eq!(find(&mut read, 8, None).await.unwrap(), None);
        assert_eq!(find(&mut read, 7, None).await.unwrap(), Some(backup(2)));
        assert_eq!(find(&mut read, 7, Some(1)).await.unwrap(), Some(backup(1)));
        assert_eq!(find(&mut read, 7, Some(3)).await.unwrap(), None);
        let deleted = KeyBackup {
            deleted: true,
            etag: 9,
            count: 2,
            ..backup(2)
        };
        let mut writes = WriteSet::new();
        update(&mut writes, &deleted);
        nodes.two.commit(writes).await.unwrap();
        let current = find_current(&mut read, 7).await.unwrap();
        assert_eq!(current, Some(backup(1)));
        let newest = find(&mut read, 7, None).await.unwrap().unwrap();
        let expected = KeyBackup {
            version: 2,
            ..deleted.clone()
        };
        assert_eq!(newest, expected);
        let mut stale = WriteSet::new();
        update(&mut stale, &deleted);
        let stale = nodes.one.commit(stale).await;
        assert!(matches!(stale, Err(StoreError::Conflict)), "{stale:?}");
        nodes.close().await;
    }
}

#[tokio::test]
async fn keys_are_read_as_they_were_written() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for key in [
            key_of(1, "a"),
            key_of(1, "b"),
            key_of(2, "a"),
            key_of(5, "c"),
        ] {
            put_key(&mut writes, (7, 1), &key);
        }
        put_key(&mut writes, (7, 2), &key_of(1, "a"));
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let wanted = (&[1, 5][..], vec!["a".into(), "c".into()]);
        let found = list_sessions(&mut read, (7, 1), wanted).await.unwrap();
        assert_eq!(found, [key_of(1, "a"), key_of(5, "c")]);
        let found = list_room(&mut read, (7, 1), 1).await.unwrap();
        assert_eq!(found, [key_of(1, "a"), key_of(1, "b")]);
        let found = list_after(&mut read, (7, 1), (1, "a"), 2).await.unwrap();
        assert_eq!(found, [key_of(1, "b"), key_of(2, "a")]);
        let rooms = list_rooms(&mut read, (7, 1), 2).await.unwrap();
        assert_eq!(rooms, [(1, 2), (2, 1)]);
        let mut writes = WriteSet::new();
        delete_key(&mut writes, (7, 1), (5, "c"));
        delete_rooms(&mut writes, (7, 1), (1, 1));
        nodes.two.commit(writes).await.unwrap();
        let left = list_after(&mut read, (7, 1), (0, ""), 9).await.unwrap();
        assert_eq!(left, [key_of(2, "a")]);
        let mut writes = WriteSet::new();
        delete_of_user(&mut writes, 7);
        nodes.one.commit(writes).await.unwrap();
        assert_eq!(list_rooms(&mut read, (7, 2), 9).await.unwrap(), []);
        nodes.close().await;
    }
}
