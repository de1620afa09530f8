use super::*;
use crate::{Store, StoreError, test_stores};

const ROOM: i64 = 50;

fn sticky(event: i64, until_ms: i64) -> StickyEvent {
    StickyEvent {
        event,
        room: ROOM,
        sender: 40,
        until_ms,
        own: false,
        soft_failed: false,
    }
}

async fn add(store: &Store, events: &[StickyEvent]) {
    change(store, |writes| {
        for event in events {
            insert(writes, event);
        }
    })
    .await
    .unwrap();
}

async fn change(store: &Store, make: impl FnOnce(&mut WriteSet)) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    make(&mut writes);
    store.commit(writes).await.map(drop)
}

async fn told(store: &Store) -> Vec<i64> {
    let entries = log::list(&mut store.read(), 0, i64::MAX, 100)
        .await
        .unwrap();
    let sticky = entries.iter().filter(|entry| entry.kind == LogKind::Sticky);
    sticky.map(|entry| entry.reference).collect()
}

#[tokio::test]
async fn sticky_events_are_shown_until_their_time_is_over() {
    for nodes in test_stores::both().await {
        let own = StickyEvent {
            own: true,
            ..sticky(3, 300)
        };
        let elsewhere = StickyEvent {
            room: 51,
            ..sticky(4, 400)
        };
        add(
            &nodes.one,
            &[sticky(1, 100), sticky(2, 200), own, elsewhere],
        )
        .await;
        let mut read = nodes.two.read();
        let all = list(&mut read, &[1, 2, 4, 9], 100).await.unwrap();
        assert_eq!(all, [sticky(2, 200), elsewhere]);
        assert_eq!(list(&mut read, &[], 0).await.unwrap(), []);
        let of_room = list_of_rooms(&mut read, &[ROOM], 150).await.unwrap();
        assert_eq!(of_room, [sticky(2, 200), own]);
        let of_both = list_of_rooms(&mut read, &[ROOM, 51], 250).await.unwrap();
        assert_eq!(of_both, [own, elsewhere]);
        assert_eq!(list_of_rooms(&mut read, &[], 0).await.unwrap(), []);
        assert_eq!(list_own(&mut read, ROOM, 0, 9).await.unwrap(), [own]);
        assert_eq!(list_own(&mut read, ROOM, 300, 9).await.unwrap(), []);
        assert_eq!(told(&nodes.two).await, [1, 2, 3, 4]);
        change(&nodes.two, |writes| delete(writes, 2))
            .await
            .unwrap();
        assert_eq!(list(&mut read, &[2], 0).await.unwrap(), []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn of_one_s_own_the_newest_are_found() {
    for nodes in test_stores::both().await {
        let own = |event, until_ms| StickyEvent {
            own: true,
            ..sticky(event, until_ms)
        };
        add(&nodes.one, &[own(1, 300), own(2, 100), own(3, 200)]).await;
        let mut read = nodes.two.read();
        let newest = list_own(&mut read, ROOM, 0, 2).await.unwrap();
        assert_eq!(newest, [own(3, 200), own(1, 300)]);
        let entries = log::list(&mut read, 0, i64::MAX, 100).await.unwrap();
        let pos = |event| {
            entries
                .iter()
                .find(|entry| entry.reference == event)
                .map(|it| it.pos)
        };
        for (now_ms, first) in [(0, pos(1)), (250, pos(1)), (300, None)] {
            let found = find_first_own(&mut read, ROOM, now_ms).await.unwrap();
            assert_eq!(found, first);
        }
        assert_eq!(find_first_own(&mut read, 51, 0).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_was_refused_is_told_once_it_is_not() {
    for nodes in test_stores::both().await {
        let refused = StickyEvent {
            soft_failed: true,
            ..sticky(1, 100)
        };
        add(&nodes.one, &[refused, sticky(2, 100)]).await;
        let mut read = nodes.two.read();
        assert_eq!(told(&nodes.two).await, [2]);
        assert_eq!(list(&mut read, &[1], 0).await.unwrap(), []);
        assert_eq!(
            list_of_rooms(&mut read, &[ROOM], 0).await.unwrap(),
            [sticky(2, 100)]
        );
        let waiting = list_soft_failed(&mut read, ROOM, 99, (0, 9)).await.unwrap();
        assert_eq!(waiting, [refused]);
        assert_eq!(
            list_soft_failed(&mut read, ROOM, 99, (1, 9)).await.unwrap(),
            []
        );
        assert_eq!(
            list_soft_failed(&mut read, ROOM, 100, (0, 9))
                .await
                .unwrap(),
            []
        );

        change(&nodes.one, |writes| show(writes, &refused))
            .await
            .unwrap();
        let late = change(&nodes.two, |writes| show(writes, &refused)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        assert_eq!(list(&mut read, &[1], 0).await.unwrap(), [sticky(1, 100)]);
        assert_eq!(told(&nodes.two).await, [2, 1]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_is_over_goes_with_its_entry_of_the_log() {
    for nodes in test_stores::both().await {
        let refused = StickyEvent {
            soft_failed: true,
            ..sticky(3, 50)
        };
        add(&nodes.one, &[sticky(1, 100), sticky(2, 200), refused]).await;
        let mut read = nodes.two.read();
        let expired = list_expired(&mut read, 100, 9).await.unwrap();
        assert_eq!(expired.len(), 2);
        assert_eq!(list_expired(&mut read, 100, 1).await.unwrap(), expired[..1]);
        for store in [&nodes.one, &nodes.two] {
            change(store, |writes| delete_expired(writes, &expired))
                .await
                .unwrap();
        }
        assert_eq!(list_expired(&mut read, 100, 9).await.unwrap(), []);
        assert_eq!(told(&nodes.two).await, [2]);
        assert_eq!(
            list_of_rooms(&mut read, &[ROOM], 0).await.unwrap(),
            [sticky(2, 200)]
        );
        nodes.close().await;
    }
}
