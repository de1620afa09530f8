use super::*;
use crate::{StoreError, log, test_stores};

const USER: i64 = 40;

async fn write(store: &Store, key: &Key, content: &'static str) -> StoreResult<()> {
    let found = find(&mut store.read(), USER, key.number).await?;
    let mut writes = WriteSet::new();
    let version = found.map(|data| data.version);
    put(&mut writes, USER, key, (content.into(), version));
    store.commit(writes).await.map(drop)
}

fn shown(found: &[AccountData]) -> Vec<(i64, &str, &str)> {
    found.iter().map(shown_one).collect()
}

fn shown_one(data: &AccountData) -> (i64, &str, &str) {
    let content = std::str::from_utf8(&data.content).unwrap();
    (data.key.room, &data.key.event_type, content)
}

#[tokio::test]
async fn data_is_read_by_user_by_room_and_by_key() {
    for nodes in test_stores::both().await {
        let direct = Key::intern(&nodes.one, None, "m.direct").await.unwrap();
        let tags = Key::intern(&nodes.one, Some("!a:x"), "m.tag")
            .await
            .unwrap();
        let other = Key::intern(&nodes.one, Some("!b:x"), "m.tag")
            .await
            .unwrap();
        assert_eq!(direct.room, NO_ROOM);
        for (key, content) in [(&direct, "1"), (&tags, "2"), (&other, "3")] {
            write(&nodes.one, key, content).await.unwrap();
        }
        write(&nodes.two, &other, "{}").await.unwrap();
        let mut read = nodes.two.read();

        let all = list_by_user(&mut read, USER).await.unwrap();
        let (of_none, of_a) = ((0, "m.direct", "1"), (tags.room, "m.tag", "2"));
        assert_eq!(shown(&all), [of_none, of_a]);
        let rooms = [NO_ROOM, other.room];
        let global = list_by_rooms(&mut read, USER, &rooms).await.unwrap();
        assert_eq!(shown(&global), [of_none]);
        let room = list_by_rooms(&mut read, USER, &[tags.room]).await.unwrap();
        assert_eq!(shown(&room), [of_a]);
        let found = list(&mut read, USER, &[tags.number, other.number]).await;
        assert_eq!(shown(&found.unwrap()), [of_a, (other.room, "m.tag", "{}")]);
        let deleted = find(&mut read, USER, other.number).await.unwrap();
        assert!(deleted.unwrap().is_deleted());
        assert!(find(&mut read, 41, tags.number).await.unwrap().is_none());

        let number = Key::find(&nodes.two, Some("!a:x"), "m.tag").await.unwrap();
        assert_eq!(number, Some(tags.number));
        assert_eq!(Key::find(&nodes.two, None, "m.tag").await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn changes_are_found_by_position_each_at_its_last_one() {
    for nodes in test_stores::both().await {
        let direct = Key::intern(&nodes.one, None, "m.direct").await.unwrap();
        let tags = Key::intern(&nodes.one, Some("!a:x"), "m.tag")
            .await
            .unwrap();
        write(&nodes.one, &direct, "1").await.unwrap();
        let between = log::position(&mut nodes.one.read()).await.unwrap();
        write(&nodes.two, &tags, "2").await.unwrap();
        write(&nodes.two, &direct, "{}").await.unwrap();
        let end = log::position(&mut nodes.one.read()).await.unwrap();
        let mut read = nodes.one.read();
        let changed = list_changed(&mut read, USER, (0, end)).await.unwrap();
        let (tagged, gone) = ((tags.room, "m.tag", "2"), (0, "m.direct", "{}"));
        assert_eq!(shown(&changed), [tagged, gone]);
        let changed = list_changed(&mut read, USER, (between, end - 1)).await;
        assert_eq!(shown(&changed.unwrap()), [tagged]);
        let changed = list_changed(&mut read, USER, (end, end + 9)).await;
        assert!(changed.unwrap().is_empty());
        let entries = log::list_subject(&mut read, USER, (0, end), 10)
            .await
            .unwrap();
        assert_eq!(entries[0].reference, tags.number);
        assert_eq!(entries[0].data[..], tags.room.to_be_bytes());
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_change_built_on_an_old_row_falls() {
    for nodes in test_stores::both().await {
        let key = Key::intern(&nodes.one, None, "m.direct").await.unwrap();
        let mut late = [WriteSet::new(), WriteSet::new()];
        put(&mut late[0], USER, &key, ("1".into(), None));
        write(&nodes.one, &key, "2").await.unwrap();
        put(&mut late[1], USER, &key, ("3".into(), Some(1)));
        write(&nodes.one, &key, "4").await.unwrap();
        for late in late {
            let late = nodes.two.commit(late).await;
            assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn all_rows_of_a_user_are_deleted_and_nobody_else_s() {
    for nodes in test_stores::both().await {
        let direct = Key::intern(&nodes.one, None, "m.direct").await.unwrap();
        write(&nodes.one, &direct, "1").await.unwrap();
        let mut writes = WriteSet::new();
        put(
            &mut writes,
            USER + 1,
            &direct,
            (Bytes::from_static(b"2"), None),
        );
        nodes.one.commit(writes).await.unwrap();

        let mut writes = WriteSet::new();
        delete_of_user(&mut writes, USER);
        nodes.two.commit(writes).await.unwrap();
        let mut read = nodes.one.read();
        assert!(list_by_user(&mut read, USER).await.unwrap().is_empty());
        let kept = list_by_user(&mut read, USER + 1).await.unwrap();
        assert_eq!(kept.len(), 1);
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_many_users_keep_is_read_at_once() {
    for nodes in test_stores::both().await {
        let key = Key::intern(&nodes.one, None, "m.direct").await.unwrap();
        let other = Key::intern(&nodes.one, None, "m.other").await.unwrap();
        for (user, key, content) in [(41, &key, "1"), (42, &key, "{}"), (43, &other, "2")] {
            let mut writes = WriteSet::new();
            put(&mut writes, user, key, (content.into(), None));
            nodes.one.commit(writes).await.unwrap();
        }
        let mut read = nodes.two.read();
        let found = list_of_users(&mut read, &[43, 42, 41], key.number).await;
        assert_eq!(found.unwrap(), [(41, Bytes::from_static(b"1"))]);
        let found = list_of_users(&mut read, &[42, 43], key.number).await;
        assert_eq!(found.unwrap(), []);
        let found = list_of_users(&mut read, &[], key.number).await;
        assert_eq!(found.unwrap(), []);
        nodes.close().await;
    }
}
