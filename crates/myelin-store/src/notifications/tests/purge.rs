//! What is found and deleted once it is old.

use super::*;

fn sums(notify: i64, highlight: i64) -> Sums {
    Sums { notify, highlight }
}

#[tokio::test]
async fn differences_stay_what_they_are_when_the_oldest_rows_go() {
    for nodes in with_events().await {
        let mut read = nodes.two.read();
        let between = async |read: &mut Read, span| {
            let found = sums_between(read, (1, MAIN), span).await;
            found.unwrap()
        };
        let spans = [(2, 6, 0, 0), (2, 7, 1, 1), (6, 9, 1, 1), (7, 9, 0, 0)];
        for (after, up_to, notify, highlight) in [(0, 6, 1, 0), (0, 9, 2, 1)].iter().chain(&spans) {
            let found = between(&mut read, (*after, *up_to)).await;
            assert_eq!(found, sums(*notify, *highlight), "{after} {up_to}");
        }
        commit(&nodes.one, |writes| delete_event(writes, 1, 2)).await;
        for (after, up_to, notify, highlight) in spans {
            let found = between(&mut read, (after, up_to)).await;
            assert_eq!(found, sums(notify, highlight), "{after} {up_to}");
        }
        // Of what is deleted nothing is counted.
        assert_eq!(between(&mut read, (0, 6)).await, sums(0, 0));
        let found = sums_up_to(&mut read, (1, MAIN), 6).await.unwrap();
        assert_eq!(found, sums(1, 0));
        let found = sums_up_to(&mut read, (1, MAIN), 7).await.unwrap();
        assert_eq!(found, sums(2, 1));
        commit(&nodes.one, |writes| delete_event(writes, 1, 7)).await;
        assert_eq!(between(&mut read, (0, 9)).await, sums(0, 0));
        let thread = (1, "$thread");
        let found = sums_between(&mut read, thread, (0, 9)).await.unwrap();
        assert_eq!(found, sums(1, 0));
        nodes.close().await;
    }
}

#[tokio::test]
async fn threads_are_walked_in_order_with_their_oldest_events() {
    for nodes in with_events().await {
        let mut read = nodes.two.read();
        let oldest = |thread: &str, noted_ms| OldestOfThread {
            room: 1,
            thread: thread.to_owned(),
            noted_ms,
        };
        let start = (i64::MIN, "");
        let found = list_oldest_of_threads(&mut read, start, 10).await.unwrap();
        assert_eq!(found, [oldest("$thread", 1_005), oldest(MAIN, 1_002)]);
        let found = list_oldest_of_threads(&mut read, start, 1).await.unwrap();
        assert_eq!(found, [oldest("$thread", 1_005)]);
        let after = (1, "$thread");
        let found = list_oldest_of_threads(&mut read, after, 10).await.unwrap();
        assert_eq!(found, [oldest(MAIN, 1_002)]);
        let found = list_of_thread(&mut read, (1, MAIN), 10).await.unwrap();
        assert_eq!(found, [(2, 1_002), (7, 1_007)]);
        let found = list_of_thread(&mut read, (1, MAIN), 1).await.unwrap();
        assert_eq!(found, [(2, 1_002)]);
        commit(&nodes.one, |writes| {
            delete_event(writes, 1, 5);
            delete_thread(writes, 1, "$thread");
        })
        .await;
        let found = list_oldest_of_threads(&mut read, start, 10).await.unwrap();
        assert_eq!(found, [oldest(MAIN, 1_002)]);
        nodes.close().await;
    }
}

/// Alice (3) reads a thread of room 1, or with None all of it, up to a place.
async fn read_up_to(store: &Store, thread: Option<&str>, room_order: i64) {
    let receipt = Receipt {
        key: ReceiptKey {
            room: 1,
            user: 3,
            private: false,
            thread: thread.map(str::to_owned),
        },
        number: room_order,
        event_id: "$x".to_owned(),
        room_order,
        ts_ms: 0,
    };
    let before = receipts::find(&mut store.read(), &receipt.key).await;
    let before = before.unwrap().map(|before| before.room_order);
    commit(store, |writes| receipts::put(writes, &receipt, before)).await;
}

#[tokio::test]
async fn the_slowest_member_says_what_was_read_by_all() {
    for nodes in with_members().await {
        let mut read = nodes.two.read();
        let by_all = async |read: &mut Read, thread| {
            let found = read_by_all(read, (1, thread)).await;
            found.unwrap()
        };
        // Bob has left, and eve has no account here.
        assert_eq!(by_all(&mut read, MAIN).await, Some(0));
        commit(&nodes.one, |writes| raise_mark(writes, (3, 1), None, 4)).await;
        assert_eq!(by_all(&mut read, MAIN).await, Some(4));
        read_up_to(&nodes.one, Some("$thread"), 6).await;
        assert_eq!(by_all(&mut read, MAIN).await, Some(4));
        assert_eq!(by_all(&mut read, "$thread").await, Some(6));
        commit(&nodes.one, |writes| {
            raise_mark(writes, (3, 1), Some(MAIN), 5);
        })
        .await;
        assert_eq!(by_all(&mut read, MAIN).await, Some(5));
        read_up_to(&nodes.one, None, 7).await;
        assert_eq!(by_all(&mut read, MAIN).await, Some(7));
        assert_eq!(by_all(&mut read, "$thread").await, Some(7));
        // Nobody with an account here is in room 2.
        assert_eq!(read_by_all(&mut read, (2, MAIN)).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn who_counts_by_exceptions_needs_only_what_was_before_that() {
    for nodes in with_members().await {
        let mut read = nodes.two.read();
        let mode = |room_order, follows| Mode {
            user: 3,
            room_order,
            follows,
        };
        commit(&nodes.one, |writes| {
            raise_mark(writes, (3, 1), None, 4);
            put_mode(writes, 1, mode(6, false));
        })
        .await;
        assert_eq!(read_by_all(&mut read, (1, MAIN)).await.unwrap(), Some(4));
        read_up_to(&nodes.one, None, 6).await;
        assert_eq!(read_by_all(&mut read, (1, MAIN)).await.unwrap(), None);
        commit(&nodes.one, |writes| put_mode(writes, 1, mode(8, true))).await;
        assert_eq!(read_by_all(&mut read, (1, MAIN)).await.unwrap(), Some(6));
        nodes.close().await;
    }
}

#[tokio::test]
async fn old_exceptions_are_found_with_who_has_read_them() {
    for nodes in with_members().await {
        commit(&nodes.one, |writes| {
            let unread = [2, 6, 8].into_iter();
            unread.for_each(|place| put_exception(writes, &exception(3, place)));
            // Bob has left.
            put_exception(writes, &exception(4, 7));
            raise_mark(writes, (3, 1), None, 4);
        })
        .await;
        let mut read = nodes.two.read();
        let old = |user, room_order, is_unread| OldException {
            noted_ms: 1_000 + room_order,
            user,
            room: 1,
            room_order,
            is_unread,
        };
        let first = (&OldException::FIRST, 10);
        let found = list_old_exceptions(&mut read, 1_008, first).await.unwrap();
        let wanted = [old(3, 2, false), old(3, 6, true), old(4, 7, false)];
        assert_eq!(found, wanted);
        let found = list_old_exceptions(&mut read, 2_000, (&wanted[0], 2)).await;
        assert_eq!(found.unwrap(), wanted[1..]);
        read_up_to(&nodes.one, Some(MAIN), 6).await;
        let found = list_old_exceptions(&mut read, 2_000, first).await.unwrap();
        let wanted = [
            old(3, 2, false),
            old(3, 6, false),
            old(4, 7, false),
            old(3, 8, true),
        ];
        assert_eq!(found, wanted);
        nodes.close().await;
    }
}

#[tokio::test]
async fn modes_are_over_once_later_ones_hold_for_all_that_is_needed() {
    for nodes in with_members().await {
        let mode = |room_order, follows| Mode {
            user: 3,
            room_order,
            follows,
        };
        commit(&nodes.one, |writes| {
            put_event(writes, &event(7, MAIN, 1));
            put_mode(writes, 1, mode(2, false));
            put_mode(writes, 1, mode(5, true));
            put_mode(writes, 1, mode(8, false));
            raise_mark(writes, (3, 1), None, 4);
        })
        .await;
        let mut read = nodes.two.read();
        let place = |room_order, is_over| ModePlace {
            user: 3,
            room: 1,
            room_order,
            is_over,
        };
        let all = async |read: &mut Read, before_ms| {
            let found = list_replaced_modes(read, before_ms, (&ModePlace::FIRST, 10)).await;
            found.unwrap()
        };
        let unread = [place(2, false), place(5, false), place(8, false)];
        assert_eq!(all(&mut read, 2_000).await, unread);
        read_up_to(&nodes.one, None, 9).await;
        let wanted = [place(2, true), place(5, true), place(8, false)];
        assert_eq!(all(&mut read, 2_000).await, wanted);
        // What was noted since then is listed still.
        let wanted = [place(2, true), place(5, false), place(8, false)];
        assert_eq!(all(&mut read, 1_007).await, wanted);
        let found = list_replaced_modes(&mut read, 2_000, (&wanted[0], 1)).await;
        assert_eq!(found.unwrap(), [place(5, true)]);
        commit(&nodes.one, |writes| delete_mode(writes, &wanted[0])).await;
        let found = list_modes(&mut read, 1, &[3]).await.unwrap();
        assert_eq!(found, [mode(5, true), mode(8, false)]);
        nodes.close().await;
    }
}
