//! Rows and counts, on both engines.

mod purge;

use super::*;
use crate::{
    Store,
    memberships::{self, UserMembership},
    receipts::{self, Receipt, ReceiptKey},
    rooms, test_stores,
    users::{self, User},
};
use myelin_core::membership::Membership;

const ALL: Before = Before {
    room_order: i64::MAX,
    noted_ms: i64::MAX,
};

fn event(room_order: i64, thread: &str, notify_sum: i64) -> NotifyingEvent {
    NotifyingEvent {
        room: 1,
        room_order,
        thread: thread.to_owned(),
        event: 100 + room_order,
        noted_ms: 1_000 + room_order,
        highlight: room_order == 7,
        actions: 9,
        redacted: false,
        sums: Sums {
            notify: notify_sum,
            highlight: i64::from(room_order >= 7),
        },
    }
}

fn exception(user: i64, room_order: i64) -> Exception {
    Exception {
        user,
        room: 1,
        room_order,
        thread: MAIN.to_owned(),
        event: 100 + room_order,
        noted_ms: 1_000 + room_order,
        notify: true,
        highlight: true,
        actions: r#"["notify"]"#.to_owned(),
        more: Sums {
            notify: 0,
            highlight: 1,
        },
    }
}

async fn commit(store: &Store, write: impl FnOnce(&mut WriteSet)) {
    let mut writes = WriteSet::new();
    write(&mut writes);
    store.commit(writes).await.unwrap();
}

async fn with_events() -> Vec<test_stores::Nodes> {
    let mut found = Vec::new();
    for nodes in test_stores::both().await {
        commit(&nodes.one, |writes| {
            for event in [event(2, MAIN, 1), event(5, "$thread", 1), event(7, MAIN, 2)] {
                put_event(writes, &event);
            }
        })
        .await;
        found.push(nodes);
    }
    found
}

#[tokio::test]
async fn events_are_read_as_they_were_written() {
    for nodes in with_events().await {
        let mut read = nodes.two.read();
        let found = find_event(&mut read, 1, 5).await.unwrap();
        assert_eq!(found, Some(event(5, "$thread", 1)));
        assert_eq!(find_event(&mut read, 1, 6).await.unwrap(), None);
        assert_eq!(find_event(&mut read, 2, 5).await.unwrap(), None);
        let found = list_events(&mut read, 1, ALL, 2).await.unwrap();
        assert_eq!(found, [event(7, MAIN, 2), event(5, "$thread", 1)]);
        let before = Before {
            room_order: 7,
            noted_ms: 1_005,
        };
        let found = list_events(&mut read, 1, before, 10).await.unwrap();
        assert_eq!(found, [event(2, MAIN, 1)]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn sums_are_those_of_a_thread_up_to_a_place() {
    for nodes in with_events().await {
        let mut read = nodes.two.read();
        let sums = |notify, highlight| Sums { notify, highlight };
        for (thread, up_to, wanted) in [
            (MAIN, 1, sums(0, 0)),
            (MAIN, 2, sums(1, 0)),
            (MAIN, 6, sums(1, 0)),
            (MAIN, 7, sums(2, 1)),
            (MAIN, i64::MAX, sums(2, 1)),
            ("$thread", i64::MAX, sums(1, 0)),
            ("$other", i64::MAX, sums(0, 0)),
        ] {
            let found = sums_up_to(&mut read, (1, thread), up_to).await.unwrap();
            assert_eq!(found, wanted, "{thread} {up_to}");
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_is_redacted_is_listed_no_more_and_unread_as_less() {
    for nodes in with_events().await {
        commit(&nodes.one, |writes| {
            redact_event(writes, &event(7, MAIN, 2));
        })
        .await;
        let mut read = nodes.two.read();
        let found = list_events(&mut read, 1, ALL, 10).await.unwrap();
        assert_eq!(found, [event(5, "$thread", 1), event(2, MAIN, 1)]);
        let unread = list_unread(&mut read, (3, 1), (5, 7)).await.unwrap();
        let row = |what| UnreadRow {
            thread: MAIN.to_owned(),
            room_order: 7,
            what,
        };
        let less = Sums {
            notify: 1,
            highlight: 1,
        };
        assert_eq!(unread, [row(Unread::Thread), row(Unread::Redacted(less))]);
        let unread = list_unread(&mut read, (3, 1), (7, 7)).await.unwrap();
        assert_eq!(unread, []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn exceptions_are_listed_for_users_and_for_events() {
    for nodes in test_stores::both().await {
        commit(&nodes.one, |writes| {
            put_exception(writes, &exception(3, 2));
            put_exception(writes, &exception(3, 7));
            put_exception(writes, &exception(4, 7));
        })
        .await;
        let mut read = nodes.two.read();
        let found = list_exceptions(&mut read, (3, 1), ALL, 10).await.unwrap();
        assert_eq!(found, [exception(3, 7), exception(3, 2)]);
        let before = Before {
            room_order: 7,
            ..ALL
        };
        let found = list_exceptions(&mut read, (3, 1), before, 10)
            .await
            .unwrap();
        assert_eq!(found, [exception(3, 2)]);
        let of_event = async |read: &mut Read, slice| {
            list_exceptions_of_event(read, (1, 7), slice).await.unwrap()
        };
        assert_eq!(of_event(&mut read, (i64::MIN, 10)).await, [3, 4]);
        assert_eq!(of_event(&mut read, (i64::MIN, 1)).await, [3]);
        assert_eq!(of_event(&mut read, (3, 10)).await, [4]);
        let unread = list_unread(&mut read, (4, 1), (0, 7)).await.unwrap();
        assert_eq!(unread[0].what, Unread::Exception(exception(4, 7).more));
        let unread = list_unread(&mut read, (4, 1), (0, 6)).await.unwrap();
        assert_eq!(unread, []);
        commit(&nodes.one, |writes| delete_exception(writes, 3, (1, 7))).await;
        assert_eq!(of_event(&mut read, (i64::MIN, 10)).await, [4]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_member_who_goes_is_forgotten_in_that_room_alone() {
    for nodes in test_stores::both().await {
        let mode = Mode {
            user: 3,
            room_order: 4,
            follows: false,
        };
        let member_of = |writes: &mut WriteSet, room| {
            put_mode(writes, room, mode);
            raise_mark(writes, (3, room), None, 4);
            raise_mark(writes, (3, room), Some("$thread"), 5);
        };
        commit(&nodes.one, |writes| {
            member_of(writes, 1);
            member_of(writes, 2);
            put_exception(writes, &exception(3, 2));
        })
        .await;
        commit(&nodes.one, |writes| delete_of_member(writes, 3, 1)).await;
        let mut read = nodes.two.read();
        assert_eq!(list_modes(&mut read, 1, &[3]).await.unwrap(), []);
        assert_eq!(list_modes(&mut read, 2, &[3]).await.unwrap(), [mode]);
        assert_eq!(list_modes(&mut read, 2, &[]).await.unwrap(), []);
        assert_eq!(find_join(&mut read, 3, 1).await.unwrap(), None);
        assert_eq!(find_join(&mut read, 3, 2).await.unwrap(), Some(4));
        let found = list_exceptions(&mut read, (3, 1), ALL, 10).await.unwrap();
        assert_eq!(found, []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn marks_only_rise() {
    for nodes in test_stores::both().await {
        for room_order in [4, 9, 6] {
            let mark = |writes: &mut WriteSet| raise_mark(writes, (3, 1), None, room_order);
            commit(&nodes.one, mark).await;
        }
        let found = find_join(&mut nodes.two.read(), 3, 1).await.unwrap();
        assert_eq!(found, Some(9));
        nodes.close().await;
    }
}

/// A room 1 in which alice (3) and bob (4), who have accounts, and eve (5), who has none, are.
async fn with_members() -> Vec<test_stores::Nodes> {
    let mut found = Vec::new();
    for nodes in test_stores::both().await {
        let room = rooms::Room {
            room: 1,
            version: 50,
            room_version: "12".to_owned(),
            extremities: vec!["$x".to_owned()],
            depth: 9,
            room_order: 9,
            root: Bytes::from_static(b"root"),
            joined: 2,
            invited: 0,
            joined_remote: 0,
        };
        commit(&nodes.one, |writes| rooms::put(writes, &room, None)).await;
        commit(&nodes.one, |writes| {
            for (user, membership, room_order) in [
                (3, Membership::Join, 4),
                (4, Membership::Leave, 8),
                (5, Membership::Join, 5),
            ] {
                let event = 100 + room_order;
                let membership = UserMembership {
                    room: 1,
                    user,
                    membership,
                    event,
                };
                memberships::upsert(writes, &membership, room_order);
            }
        })
        .await;
        for number in [3, 4] {
            let user = User {
                number,
                user_id: format!("@user{number}:localhost"),
                created_ms: 1_767_225_600_000,
                version: 1,
                ..User::default()
            };
            commit(&nodes.one, |writes| users::insert(writes, &user)).await;
        }
        found.push(nodes);
    }
    found
}

#[tokio::test]
async fn members_are_those_with_accounts_and_those_who_have_moved() {
    for nodes in with_members().await {
        let mut read = nodes.two.read();
        let member = |user, is_joined, room_order| Member {
            user,
            is_joined,
            room_order,
        };
        let found = list_members(&mut read, 1, 9).await.unwrap();
        assert_eq!(found, [member(3, true, 4)]);
        let found = list_members(&mut read, 1, 7).await.unwrap();
        assert_eq!(found, [member(3, true, 4), member(4, false, 8)]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn rooms_are_counted_up_to_a_place_and_in_a_mode() {
    for nodes in with_members().await {
        let mut read = nodes.two.read();
        let counted = |evaluated, follows| CountedRoom {
            room: 1,
            evaluated,
            follows,
        };
        let rooms = list_counted_rooms(&mut read, 3).await.unwrap();
        assert_eq!(rooms, [counted(0, true)]);
        assert_eq!(list_pending_rooms(&mut read, 3).await.unwrap(), [1]);
        assert!(list_pending_rooms(&mut read, 4).await.unwrap().is_empty());
        assert_eq!(find_evaluated(&mut read, 1).await.unwrap(), 0);
        let mode = |room_order, follows| Mode {
            user: 3,
            room_order,
            follows,
        };
        commit(&nodes.one, |writes| {
            put_evaluated(writes, 1, 6);
            put_mode(writes, 1, mode(2, true));
            put_mode(writes, 1, mode(4, false));
        })
        .await;
        let rooms = list_counted_rooms(&mut read, 3).await.unwrap();
        assert_eq!(rooms, [counted(6, false)]);
        assert_eq!(list_pending_rooms(&mut read, 3).await.unwrap(), [1]);
        commit(&nodes.one, |writes| put_evaluated(writes, 1, 9)).await;
        assert!(list_pending_rooms(&mut read, 3).await.unwrap().is_empty());
        assert_eq!(find_evaluated(&mut read, 1).await.unwrap(), 9);
        let left = list_counted_rooms(&mut read, 4).await.unwrap();
        assert_eq!(left, []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn all_that_a_count_begins_with_is_read_at_once() {
    for nodes in with_members().await {
        let receipt = Receipt {
            key: ReceiptKey {
                room: 1,
                user: 3,
                private: true,
                thread: Some(MAIN.to_owned()),
            },
            number: 1,
            event_id: "$x".to_owned(),
            room_order: 6,
            ts_ms: 0,
        };
        let mode = Mode {
            user: 3,
            room_order: 5,
            follows: false,
        };
        commit(&nodes.one, |writes| {
            receipts::put(writes, &receipt, None);
            put_mode(writes, 1, mode);
            put_evaluated(writes, 1, 8);
        })
        .await;
        let mut read = nodes.two.read();
        let mut wanted = Standing {
            read: vec![ReadUpTo {
                thread: Some(MAIN.to_owned()),
                room_order: 6,
            }],
            modes: vec![(5, false)],
            evaluated: 8,
            newest: 9,
            joined: Some(4),
            noted_join: None,
            departed: None,
        };
        let found = find_standing(&mut read, 3, 1).await.unwrap();
        assert_eq!(found, wanted);
        commit(&nodes.one, |writes| raise_mark(writes, (3, 1), None, 4)).await;
        let found = find_standing(&mut read, 3, 1).await.unwrap();
        wanted.noted_join = Some(4);
        assert_eq!(found, wanted);
        // Who has left is not joined.
        let found = find_standing(&mut read, 4, 1).await.unwrap();
        assert_eq!(found.joined, None);
        nodes.close().await;
    }
}

#[test]
fn nothing_counts_from_before_the_last_join() {
    for (noted_join, joined, departed, wanted) in [
        (None, Some(4), None, 4),
        // A change of the profile is a member event, too.
        (Some(4), Some(9), None, 4),
        (Some(4), Some(9), Some(7), 9),
        (Some(9), Some(11), Some(7), 9),
        (None, None, None, 0),
    ] {
        let standing = Standing {
            joined,
            noted_join,
            departed,
            ..Standing::default()
        };
        assert_eq!(standing.absent_until(), wanted, "{standing:?}");
    }
}

#[tokio::test]
async fn the_newest_of_each_room_is_found() {
    for nodes in with_members().await {
        commit(&nodes.one, |writes| {
            put_event(writes, &event(2, MAIN, 1));
            put_event(writes, &event(7, MAIN, 2));
            put_exception(writes, &exception(3, 5));
        })
        .await;
        let mut read = nodes.two.read();
        let mut found = list_newest(&mut read, 3, i64::MAX).await.unwrap();
        found.sort_unstable();
        assert_eq!(found, [(1, 1_005), (1, 1_007)]);
        let mut found = list_newest(&mut read, 3, 1_007).await.unwrap();
        found.sort_unstable();
        assert_eq!(found, [(1, 1_002), (1, 1_005)]);
        let left = list_newest(&mut read, 4, i64::MAX).await.unwrap();
        assert_eq!(left, []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn late_counts_are_told_once() {
    for nodes in test_stores::both().await {
        let start = nodes.one.live().catch_up().await.unwrap();
        for _ in 0..2 {
            commit(&nodes.one, |writes| log_late(writes, 1)).await;
        }
        let end = nodes.one.live().catch_up().await.unwrap();
        let mut read = nodes.two.read();
        let entries = crate::log::list_subject(&mut read, 1, (start, end), 10);
        let entries = entries.await.unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(
            (entries[0].kind, entries[0].reference),
            (LogKind::Counts, 1)
        );
        nodes.close().await;
    }
}
