use super::*;
use crate::{Store, StoreError, test_stores};

async fn commit(store: &Store, build: impl FnOnce(&mut WriteSet)) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    build(&mut writes);
    store.commit(writes).await.map(drop)
}

fn rooms(found: &[PublishedRoom]) -> Vec<i64> {
    found.iter().map(|found| found.room).collect()
}

#[tokio::test]
async fn published_rooms_are_listed_by_size_in_both_directions() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for (room, joined) in [(1, 5), (2, 9), (3, 5), (4, 1), (5, 7)] {
            add_joined(&mut writes, room, joined - 1);
            add_joined(&mut writes, room, 1);
        }
        for room in 1..=4 {
            publish_new(&mut writes, room);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let all = list_after(&mut read, None, 10).await.unwrap();
        assert_eq!(rooms(&all), [2, 3, 1, 4]);
        let page = list_after(&mut read, Some(all[1]), 1).await.unwrap();
        assert_eq!(rooms(&page), [1]);
        let back = list_before(&mut read, all[3], 2).await.unwrap();
        assert_eq!(rooms(&back), [1, 3]);
        assert_eq!(count(&mut read, 10).await.unwrap(), 4);
        assert_eq!(count(&mut read, 3).await.unwrap(), 3);

        commit(&nodes.two, |writes| add_joined(writes, 4, 6))
            .await
            .unwrap();
        let all = list_after(&mut read, None, 10).await.unwrap();
        assert_eq!(rooms(&all), [2, 4, 3, 1]);
        assert_eq!(all[1].joined, 7);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_room_is_published_once_whatever_its_size_does() {
    for nodes in test_stores::both().await {
        let published = async || is_published(&mut nodes.two.read(), 1).await.unwrap();
        commit(&nodes.one, |writes| add_joined(writes, 1, 1))
            .await
            .unwrap();
        assert!(!published().await);
        let (one, other, more) = tokio::join!(
            commit(&nodes.one, |writes| set_published(writes, 1, true)),
            commit(&nodes.two, |writes| set_published(writes, 1, true)),
            commit(&nodes.two, |writes| add_joined(writes, 1, 2)),
        );
        more.unwrap();
        let fallen = [one, other].into_iter().filter_map(Result::err);
        let fallen: Vec<_> = fallen.collect();
        assert!(matches!(fallen[..], [StoreError::Conflict]), "{fallen:?}");
        assert!(published().await);
        let all = list_after(&mut nodes.one.read(), None, 9).await.unwrap();
        assert_eq!(all, [PublishedRoom { joined: 3, room: 1 }]);
        commit(&nodes.one, |writes| set_published(writes, 1, false))
            .await
            .unwrap();
        assert!(!published().await);
        assert!(!is_published(&mut nodes.one.read(), 2).await.unwrap());
        nodes.close().await;
    }
}
