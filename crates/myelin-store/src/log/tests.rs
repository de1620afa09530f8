use bytes::Bytes;

use super::*;
use crate::{LogWrite, Store, WriteSet, test_stores};

fn write(kind: LogKind, subject: i64, reference: i64) -> LogWrite {
    LogWrite {
        kind,
        subject,
        reference,
        data: Bytes::from(vec![1, 0, 255]),
    }
}

/// Commits one entry in a set of its own; returns its position.
async fn append(store: &Store, kind: LogKind, subject: i64, reference: i64) -> i64 {
    let mut writes = WriteSet::new();
    writes.log(write(kind, subject, reference));
    store.commit(writes).await.unwrap().first
}

fn positions(entries: &[LogEntry]) -> Vec<i64> {
    entries.iter().map(|entry| entry.pos).collect()
}

#[tokio::test]
async fn entries_are_read_back_in_their_order() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        for (subject, reference) in [(20, 1), (21, 2), (20, 3), (20, 4)] {
            append(store, LogKind::Event, subject, reference).await;
        }
        append(store, LogKind::Membership, 20, 5).await;
        let read = &mut store.read();
        assert_eq!(position(read).await.unwrap(), 5);
        let all = list(read, 0, 5, 99).await.unwrap();
        assert_eq!(positions(&all), [1, 2, 3, 4, 5]);
        assert_eq!(
            all[1],
            LogEntry {
                pos: 2,
                kind: LogKind::Event,
                subject: 21,
                reference: 2,
                data: Bytes::from(vec![1, 0, 255]),
            }
        );
        assert_eq!(positions(&list(read, 1, 4, 2).await.unwrap()), [2, 3]);
        let of_one = list_subject(read, 20, (1, 4), 99).await.unwrap();
        assert_eq!(positions(&of_one), [3, 4]);
        let last = find_last(read, 20, LogKind::Event, 5).await.unwrap();
        assert_eq!(last.unwrap().pos, 4);
        let last = find_last(read, 20, LogKind::Event, 3).await.unwrap();
        assert_eq!(last.unwrap().pos, 3);
        let none = find_last(read, 21, LogKind::Event, 1).await.unwrap();
        assert!(none.is_none());
        nodes.close().await;
    }
}

#[tokio::test]
async fn events_and_what_replaces_itself_are_read_apart() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        for (kind, subject) in [
            (LogKind::Event, 20),
            (LogKind::Sessions, 20),
            (LogKind::Event, 20),
            (LogKind::Event, 21),
            (LogKind::Sessions, 21),
            (LogKind::Event, 20),
        ] {
            append(store, kind, subject, 0).await;
        }
        let read = &mut store.read();
        let newest = list_newest(read, (20, LogKind::Event), (0, 6), 2).await;
        assert_eq!(positions(&newest.unwrap()), [6, 3]);
        let newest = list_newest(read, (20, LogKind::Event), (1, 5), 9).await;
        assert_eq!(positions(&newest.unwrap()), [3]);
        let latest = list_latest(read, 20, (0, 6)).await;
        assert_eq!(positions(&latest.unwrap()), [2]);
        append(store, LogKind::Sessions, 20, 0).await;
        let read = &mut store.read();
        let latest = list_latest(read, 20, (0, 6)).await;
        assert!(latest.unwrap().is_empty(), "it has moved on");
        let latest = list_latest(read, 20, (6, 7)).await;
        assert_eq!(positions(&latest.unwrap()), [7]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn the_last_position_of_each_subject_is_one_statement() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        let rooms = store.intern(&[b"!a", b"!b", b"!c", b"!d"]).await.unwrap();
        let [a, b, c, d] = rooms[..] else { panic!() };
        for subject in [d, a, b, a, b, c] {
            append(store, LogKind::Event, subject, 0).await;
        }
        let before = store.counts();
        let read = &mut store.read();
        let last = last_positions(read, &rooms, 1, 5).await.unwrap();
        // d has nothing after 1, c nothing up to 5.
        assert_eq!(last, [(a, 4), (b, 5)]);
        assert_eq!(store.counts().statements - before.statements, 1);
        assert!(last_positions(read, &[], 0, 9).await.unwrap().is_empty());
        nodes.close().await;
    }
}

#[tokio::test]
async fn an_entry_that_replaces_earlier_ones_moves() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        append(store, LogKind::Sessions, 30, 0).await;
        append(store, LogKind::Sessions, 31, 0).await;
        append(store, LogKind::Event, 30, 0).await;
        let moved_to = append(store, LogKind::Sessions, 30, 0).await;
        assert_eq!(moved_to, 4, "positions are never given twice");
        let read = &mut store.read();
        assert_eq!(positions(&list(read, 0, 9, 9).await.unwrap()), [2, 3, 4]);
        let last = find_last(read, 30, LogKind::Sessions, 9).await.unwrap();
        assert_eq!(last.unwrap().pos, 4);
        nodes.close().await;
    }
}

#[tokio::test]
async fn two_moves_in_one_set_leave_one_entry() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        let mut writes = WriteSet::new();
        writes.log(write(LogKind::Sessions, 30, 0));
        writes.log(write(LogKind::Event, 30, 0));
        writes.log(write(LogKind::Sessions, 30, 0));
        store.commit(writes).await.unwrap();
        let last = append(store, LogKind::Event, 30, 1).await;
        let of_both = list(&mut store.read(), 0, last, 9).await.unwrap();
        let sessions = of_both.iter().filter(|e| e.kind == LogKind::Sessions);
        assert_eq!(sessions.count(), 1);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_tail_says_whether_it_is_whole() {
    for nodes in test_stores::both().await {
        let store = &nodes.one;
        let empty = tail(&mut store.read(), 0, 3).await.unwrap();
        assert_eq!((empty.position, empty.entries.len()), (0, 0));
        assert!(empty.is_whole);
        for reference in 0..4 {
            append(store, LogKind::Event, 20, reference).await;
        }
        let read = &mut store.read();
        let part = tail(read, 0, 3).await.unwrap();
        assert_eq!((part.position, part.is_whole), (4, false));
        assert_eq!(positions(&part.entries), [1, 2, 3]);
        let rest = tail(read, 1, 3).await.unwrap();
        assert_eq!((rest.position, rest.is_whole), (4, true));
        assert_eq!(positions(&rest.entries), [2, 3, 4]);
        let nothing = tail(read, 4, 3).await.unwrap();
        assert!(nothing.is_whole && nothing.entries.is_empty());
        nodes.close().await;
    }
}
