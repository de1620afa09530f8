use super::*;
use crate::{redacted_originals, test_stores};

fn event(number: i64) -> StoredEvent {
    StoredEvent {
        event: number,
        id: format!("${number}"),
        room: 1,
        room_order: number,
        event_type: 2,
        state_key: None,
        sender: 3,
        depth: number,
        origin_server_ts: 4,
        status: Status::Accepted,
        root_before: Bytes::new(),
        device: None,
        txn_id: Some("m1".to_owned()),
        delayed: Some(9),
        json: format!(r#"{{"content":{{"body":"{number}"}}}}"#),
        redaction: None,
    }
}

#[tokio::test]
async fn a_redacted_event_is_what_remains_of_it_and_comes_with_the_redaction() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for number in [10, 11] {
            insert(&mut writes, &event(number));
        }
        nodes.one.commit(writes).await.unwrap();

        let redaction = event(12);
        let tells = Redaction {
            event: 12,
            id: redaction.id.clone(),
            json: redaction.json.clone(),
        };
        let mut writes = WriteSet::new();
        insert(&mut writes, &redaction);
        redacted_originals::insert(&mut writes, &event(10), 1_000);
        redact(&mut writes, &event(10), "{}".to_owned(), tells.clone());
        nodes.one.commit(writes).await.unwrap();

        let pruned = StoredEvent {
            json: "{}".to_owned(),
            redaction: Some(tells),
            ..event(10)
        };
        let mut read = nodes.two.read();
        assert_eq!(find(&mut read, 10).await.unwrap(), Some(pruned.clone()));
        assert_eq!(find(&mut read, 11).await.unwrap(), Some(event(11)));
        let wanted = [pruned, event(11), redaction];
        assert_eq!(list_from(&mut read, 1, 0, 9).await.unwrap(), wanted);
        let mut before = list_before(&mut read, 1, 99, 9).await.unwrap();
        before.reverse();
        assert_eq!(before, wanted);
        nodes.close().await;
    }
}

#[tokio::test]
async fn originals_are_kept_until_they_expire() {
    for nodes in test_stores::both().await {
        let long = StoredEvent {
            json: format!(r#"{{"content":{{"body":"{}"}}}}"#, "a".repeat(5_000)),
            ..event(11)
        };
        let mut writes = WriteSet::new();
        redacted_originals::insert(&mut writes, &event(10), 2_000);
        redacted_originals::insert(&mut writes, &long, 1_000);
        redacted_originals::insert(&mut writes, &event(12), 3_000);
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let kept = redacted_originals::find(&mut read, 11).await.unwrap();
        assert_eq!(kept, Some(long.json));
        for (now_ms, limit, expired) in [
            (999, 9, vec![]),
            (2_000, 9, vec![11, 10]),
            (2_000, 1, vec![11]),
        ] {
            let found = redacted_originals::list_expired(&mut read, now_ms, limit).await;
            assert_eq!(found.unwrap(), expired);
        }
        let mut writes = WriteSet::new();
        redacted_originals::delete(&mut writes, 11);
        nodes.one.commit(writes).await.unwrap();
        assert_eq!(redacted_originals::find(&mut read, 11).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn events_are_found_by_time_and_in_one_moment_by_their_order() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for (number, origin_server_ts) in [(1, 10), (2, 30), (3, 20), (4, 20), (5, 40)] {
            let event = StoredEvent {
                origin_server_ts,
                ..event(number)
            };
            insert(&mut writes, &event);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let moment = |origin_server_ts, room_order| Moment {
            origin_server_ts,
            room_order,
        };
        let numbers = |found: Vec<StoredEvent>| -> Vec<i64> {
            found.iter().map(|event| event.event).collect()
        };
        for (room, after, wanted) in [
            ((1, 9), moment(20, i64::MIN), vec![3, 4, 2]),
            ((1, 9), moment(20, 3), vec![4, 2, 5]),
            ((1, 4), moment(20, 3), vec![4, 2]),
            ((2, 9), moment(0, 0), vec![]),
        ] {
            let found = list_after_time(&mut read, room, after, 3).await.unwrap();
            assert_eq!(numbers(found), wanted, "{after:?}");
        }
        for (room, before, wanted) in [
            ((1, 9), moment(20, i64::MAX), vec![4, 3, 1]),
            ((1, 9), moment(20, 4), vec![3, 1]),
            ((1, 3), moment(40, i64::MAX), vec![2, 3, 1]),
        ] {
            let found = list_before_time(&mut read, room, before, 3).await.unwrap();
            assert_eq!(numbers(found), wanted, "{before:?}");
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn only_accepted_events_have_a_place_in_the_room() {
    for nodes in test_stores::both().await {
        let outlier = StoredEvent {
            room_order: 0,
            status: Status::Outlier,
            ..event(10)
        };
        let (rejected, soft_failed) = (
            StoredEvent {
                event: 11,
                id: "$11".to_owned(),
                status: Status::Rejected,
                ..outlier.clone()
            },
            StoredEvent {
                event: 12,
                id: "$12".to_owned(),
                status: Status::SoftFailed,
                ..outlier.clone()
            },
        );
        let mut writes = WriteSet::new();
        for event in [&outlier, &rejected, &soft_failed, &event(13)] {
            insert_received(&mut writes, event);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let mut all = list(&mut read, &[10, 11, 12, 13]).await.unwrap();
        all.sort_by_key(|event| event.event);
        assert_eq!(all, [outlier.clone(), rejected, soft_failed, event(13)]);
        let moment = |origin_server_ts| Moment {
            origin_server_ts,
            room_order: 0,
        };
        let found = [
            list_before(&mut read, 1, 99, 9).await,
            list_from(&mut read, 1, i64::MIN, 9).await,
            list_after_time(&mut read, (1, 99), moment(0), 9).await,
            list_before_time(&mut read, (1, 99), moment(99), 9).await,
        ];
        for found in found {
            assert_eq!(found.unwrap(), [event(13)]);
        }

        let mut writes = WriteSet::new();
        insert_received(&mut writes, &event(10));
        let again = nodes.one.commit(writes).await;
        assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
        let mut writes = WriteSet::new();
        place(&mut writes, &event(10), Status::Outlier);
        nodes.one.commit(writes).await.unwrap();
        let found = list_from(&mut read, 1, 0, 9).await.unwrap();
        assert_eq!(found, [event(10), event(13)]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn of_two_that_give_an_event_its_place_one_falls() {
    for nodes in test_stores::both().await {
        let outlier = StoredEvent {
            status: Status::Outlier,
            room_order: 0,
            ..event(10)
        };
        let mut writes = WriteSet::new();
        insert_received(&mut writes, &outlier);
        nodes.one.commit(writes).await.unwrap();
        let place_one = |before| {
            let mut writes = WriteSet::new();
            place(&mut writes, &event(10), before);
            writes
        };
        let falls = async |writes| {
            let fallen = nodes.two.commit(writes).await;
            assert!(matches!(fallen, Err(StoreError::Conflict)), "{fallen:?}");
        };
        falls(place_one(Status::Rejected)).await;
        let placed = nodes.one.commit(place_one(Status::Outlier)).await;
        placed.unwrap();
        falls(place_one(Status::Outlier)).await;
        // So does who wants to cut what was an outlier, or took it for unknown.
        let by = Redaction {
            event: 13,
            id: "$13".to_owned(),
            json: event(13).json,
        };
        let mut writes = WriteSet::new();
        redact(&mut writes, &outlier, "{}".to_owned(), by);
        falls(writes).await;
        let mut writes = WriteSet::new();
        expect_unknown(&mut writes, "$10");
        insert(&mut writes, &event(14));
        falls(writes).await;
        let found = list_from(&mut nodes.two.read(), 1, 0, 9).await.unwrap();
        assert_eq!(found, [event(10)]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn events_are_found_by_their_ids() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for number in [10, 11] {
            insert(&mut writes, &event(number));
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let mut numbers = list_numbers(&mut read, &["$11", "$9", "$10"])
            .await
            .unwrap();
        numbers.sort_unstable();
        assert_eq!(numbers, [("$10".to_owned(), 10), ("$11".to_owned(), 11)]);
        let found = list_by_ids(&mut read, &["$11", "$9"]).await.unwrap();
        assert_eq!(found, [event(11)]);
        assert!(list_by_ids(&mut read, &[]).await.unwrap().is_empty());
        nodes.close().await;
    }
}
