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
        shown_ms: Some(0),
    }
}

/// The numbers of those that clients were told of.
async fn shown(read: &mut Read, rooms: &[i64], now_ms: i64) -> Vec<i64> {
    let span = (0, i64::MAX);
    let found = list_shown(read, Among::Rooms(rooms), span, now_ms).await;
    found.unwrap().iter().map(|found| found.event).collect()
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
        assert_eq!(shown(&mut read, &[ROOM], 150).await, [2, 3]);
        assert_eq!(shown(&mut read, &[ROOM, 51], 250).await, [3, 4]);
        assert!(shown(&mut read, &[], 0).await.is_empty());
        let by_number = Among::Events(&[1, 3, 4, 9]);
        let found = list_shown(&mut read, by_number, (0, i64::MAX), 100).await;
        let found = found.unwrap();
        let [three, four] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!((three.event, three.room, three.until_ms), (3, ROOM, 300));
        assert_eq!((four.event, four.room, four.sender), (4, 51, 40));
        for (span, events) in [
            ((three.pos, four.pos), vec![*four]),
            ((three.pos - 1, four.pos - 1), vec![*three]),
            ((four.pos, i64::MAX), vec![]),
        ] {
            let found = list_shown(&mut read, by_number, span, 100).await.unwrap();
            assert_eq!(found, events);
        }
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
async fn what_waits_is_told_once_it_is_shown() {
    for nodes in test_stores::both().await {
        let refused = StickyEvent {
            soft_failed: true,
            shown_ms: None,
            ..sticky(1, 100)
        };
        let held = StickyEvent {
            sender: 41,
            shown_ms: None,
            ..sticky(3, 200)
        };
        let later = StickyEvent { event: 4, ..held };
        add(&nodes.one, &[refused, sticky(2, 100), held, later]).await;
        let mut read = nodes.two.read();
        assert_eq!(told(&nodes.two).await, [2]);
        assert_eq!(list(&mut read, &[1, 3], 0).await.unwrap(), []);
        assert_eq!(shown(&mut read, &[ROOM], 0).await, [2]);
        for (now_ms, (after, limit), senders) in [
            (99, (0, 9), vec![40, 41]),
            (99, (40, 9), vec![41]),
            (99, (0, 1), vec![40]),
            (100, (0, 9), vec![41]),
            (200, (0, 9), vec![]),
        ] {
            let found = list_waiting_senders(&mut read, ROOM, now_ms, (after, limit)).await;
            assert_eq!(found.unwrap(), senders);
        }
        for (sender, now_ms, limit, events) in [
            (40, 99, 9, vec![refused]),
            (40, 100, 9, vec![]),
            (41, 100, 9, vec![held, later]),
            (41, 100, 1, vec![held]),
        ] {
            let found = list_waiting(&mut read, (ROOM, sender), now_ms, limit).await;
            assert_eq!(found.unwrap(), events);
        }

        change(&nodes.one, |writes| show(writes, &refused, 7))
            .await
            .unwrap();
        let late = change(&nodes.two, |writes| show(writes, &refused, 8)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let now = StickyEvent {
            shown_ms: Some(7),
            ..sticky(1, 100)
        };
        assert_eq!(list(&mut read, &[1], 0).await.unwrap(), [now]);
        assert_eq!(told(&nodes.two).await, [2, 1]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_a_sender_has_shown_lately_is_counted() {
    for nodes in test_stores::both().await {
        let at = |event, shown_ms, until_ms| StickyEvent {
            shown_ms,
            ..sticky(event, until_ms)
        };
        let elsewhere = StickyEvent {
            room: 51,
            ..sticky(5, 400)
        };
        let events = [
            at(1, Some(100), 400),
            at(2, Some(150), 180),
            at(3, Some(200), 400),
            at(4, None, 400),
            elsewhere,
        ];
        add(&nodes.one, &events).await;
        let mut read = nodes.two.read();
        for (now_ms, count) in [
            (170, (3, Some(180))),
            (180, (2, Some(200))),
            (199, (2, Some(200))),
            (200, (1, Some(300))),
            (300, (0, None)),
        ] {
            let found = count_shown(&mut read, (ROOM, 40), (now_ms, 100)).await;
            assert_eq!(found.unwrap(), count, "{now_ms}");
        }
        let other = count_shown(&mut read, (ROOM, 41), (170, 100)).await;
        assert_eq!(other.unwrap(), (0, None));
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_is_over_goes_with_its_entry_of_the_log() {
    for nodes in test_stores::both().await {
        let refused = StickyEvent {
            soft_failed: true,
            shown_ms: None,
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
        assert_eq!(shown(&mut read, &[ROOM], 0).await, [2]);
        nodes.close().await;
    }
}
