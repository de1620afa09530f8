use super::*;
use crate::{Store, test_stores};

const SENDER: i64 = 40;
const ROOM: i64 = 50;

fn event(number: i64, delay_ms: i64) -> DelayedEvent {
    DelayedEvent {
        id: DelayId::new(number),
        sender: SENDER,
        room: ROOM,
        event_type: 60,
        state_key: None,
        content: Bytes::from_static(b"{}"),
        sticky_ms: None,
        delay_ms,
        scheduled_ms: 1_000,
        end: None,
        version: 1,
    }
}

async fn add(store: &Store, events: &[DelayedEvent]) {
    let mut writes = WriteSet::new();
    for event in events {
        insert(&mut writes, event);
    }
    store.commit(writes).await.unwrap();
}

async fn change(store: &Store, make: impl FnOnce(&mut WriteSet)) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    make(&mut writes);
    store.commit(writes).await.map(drop)
}

fn end(at_ms: i64, outcome: Outcome) -> End {
    End { at_ms, outcome }
}

fn numbers(events: &[DelayedEvent]) -> Vec<i64> {
    events.iter().map(|event| event.id.number()).collect()
}

#[test]
fn delay_ids_are_read_as_they_are_written() {
    for number in [0, 1, -1, i64::MIN, i64::MAX] {
        let id = DelayId::new(number);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    for text in [
        "",
        "1",
        "00000000000000001",
        "000000000000000g",
        "00000000000000AA",
        "+000000000000001",
    ] {
        assert_eq!(text.parse::<DelayId>(), Err(DelayIdError), "{text:?}");
    }
}

#[tokio::test]
async fn rows_come_back_as_they_were_written() {
    for nodes in test_stores::both().await {
        let whole = DelayedEvent {
            state_key: Some(70),
            sticky_ms: Some(5),
            content: Bytes::from_static(b"{\"a\":1}"),
            ..event(-3, 100)
        };
        add(&nodes.one, &[whole.clone(), event(4, 200)]).await;
        let mut read = nodes.two.read();
        assert_eq!(find(&mut read, whole.id).await.unwrap(), Some(whole));
        assert_eq!(
            find(&mut read, DelayId::new(4)).await.unwrap(),
            Some(event(4, 200))
        );
        assert_eq!(find(&mut read, DelayId::new(5)).await.unwrap(), None);
        let again = change(&nodes.two, |writes| insert(writes, &event(4, 1))).await;
        assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
        nodes.close().await;
    }
}

#[tokio::test]
async fn each_way_to_end_is_remembered() {
    for nodes in test_stores::both().await {
        let outcomes = [
            Outcome::Sent(7),
            Outcome::Failed(Bytes::from_static(b"{}")),
            Outcome::Cancelled,
        ];
        for (number, outcome) in (0..).zip(outcomes) {
            let waiting = event(number, 100);
            add(&nodes.one, std::slice::from_ref(&waiting)).await;
            let end = end(2_000, outcome);
            change(&nodes.one, |writes| finalise(writes, &waiting, end.clone()))
                .await
                .unwrap();
            let found = find(&mut nodes.two.read(), waiting.id)
                .await
                .unwrap()
                .unwrap();
            assert_eq!((found.end.as_ref(), found.version), (Some(&end), 2));
        }
        let mut read = nodes.one.read();
        assert_eq!(list_scheduled(&mut read, SENDER, 9).await.unwrap(), []);
        assert_eq!(list_due(&mut read, i64::MAX, &[], 9).await.unwrap(), []);
        assert_eq!(find_next_due(&mut read, &[]).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn of_two_who_change_one_at_once_one_comes_first() {
    for nodes in test_stores::both().await {
        let waiting = event(1, 100);
        add(&nodes.one, std::slice::from_ref(&waiting)).await;
        change(&nodes.one, |writes| restart(writes, &waiting, 1_050))
            .await
            .unwrap();
        let cancelled = end(1_060, Outcome::Cancelled);
        let late = change(&nodes.two, |writes| finalise(writes, &waiting, cancelled)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let late = change(&nodes.two, |writes| delete(writes, &waiting)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let found = find(&mut nodes.two.read(), waiting.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((found.scheduled_ms, found.due_ms()), (1_050, 1_150));
        change(&nodes.two, |writes| delete(writes, &found))
            .await
            .unwrap();
        assert_eq!(find(&mut nodes.one.read(), waiting.id).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn those_that_wait_are_found_by_their_time_and_by_their_sender() {
    for nodes in test_stores::both().await {
        let elsewhere = DelayedEvent {
            sender: 41,
            room: 51,
            ..event(4, 50)
        };
        add(
            &nodes.one,
            &[event(1, 300), event(2, 100), event(3, 200), elsewhere],
        )
        .await;
        let mut read = nodes.two.read();
        let found = list_scheduled(&mut read, SENDER, 9).await.unwrap();
        assert_eq!(numbers(&found), [2, 3, 1]);
        let found = list_scheduled(&mut read, SENDER, 2).await.unwrap();
        assert_eq!(numbers(&found), [2, 3]);
        let counted = count_scheduled(&mut read, SENDER).await.unwrap();
        assert_eq!(counted, (3, Some(1_100)));
        assert_eq!(count_scheduled(&mut read, 99).await.unwrap(), (0, None));
        let due = list_due(&mut read, 1_200, &[], 9).await.unwrap();
        assert_eq!(numbers(&due), [4, 2, 3]);
        let due = list_due(&mut read, 1_200, &[51], 1).await.unwrap();
        assert_eq!(numbers(&due), [2]);
        assert_eq!(find_next_due(&mut read, &[]).await.unwrap(), Some(1_050));
        assert_eq!(find_next_due(&mut read, &[51]).await.unwrap(), Some(1_100));
        assert_eq!(find_next_due(&mut read, &[ROOM, 51]).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn those_that_have_ended_are_found_by_age_and_by_number() {
    for nodes in test_stores::both().await {
        for number in 1..=4 {
            let waiting = event(number, 100);
            add(&nodes.one, std::slice::from_ref(&waiting)).await;
            let end = end(2_000 + number, Outcome::Cancelled);
            change(&nodes.one, |writes| finalise(writes, &waiting, end))
                .await
                .unwrap();
        }
        add(&nodes.one, &[event(5, 100)]).await;
        let mut read = nodes.two.read();
        let old = list_ended(&mut read, 2_003, 9).await.unwrap();
        assert_eq!(numbers(&old), [1, 2]);
        let old = list_ended(&mut read, 2_003, 1).await.unwrap();
        assert_eq!(numbers(&old), [1]);
        let beyond = list_ended_beyond(&mut read, SENDER, 2, 9).await.unwrap();
        assert_eq!(numbers(&beyond), [2, 1]);
        assert_eq!(list_ended_beyond(&mut read, 99, 0, 9).await.unwrap(), []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn whoever_sends_is_woken() {
    for nodes in test_stores::both().await {
        let watch = nodes.two.live().watch();
        watch.add(DELAYED_EVENTS_SUBJECT);
        let mark = watch.mark();
        add(&nodes.one, &[event(1, 100)]).await;
        let woken =
            tokio::time::timeout(std::time::Duration::from_mins(1), watch.changed_since(mark));
        woken.await.unwrap();
        nodes.close().await;
    }
}
