use super::*;
use crate::{
    Store, StoreError,
    events::{self, Status},
    test_stores,
    threads::{self, Participant, Thread},
};

pub(crate) const ROOM: i64 = 7;
const MESSAGE: i64 = 50;
const REACTION: i64 = 51;
pub(crate) const ALICE: i64 = 60;
pub(crate) const BOB: i64 = 61;

/// An event's number, its sender, and its relation to the event of another number.
pub(crate) type Said<'a> = (i64, i64, Option<(&'a str, i64)>);

/// An event `$number` at the place of its number.
pub(crate) fn event(number: i64, sender: i64, relation: Option<(&str, i64)>) -> StoredEvent {
    let relates_to = relation.map(|(rel_type, parent)| {
        format!(
            r#""m.new_content":{{}},"m.relates_to":{{"event_id":"${parent}","key":"+","rel_type":"{rel_type}"}}"#
        )
    });
    let content = relates_to.unwrap_or_default();
    let is_reaction = relation.is_some_and(|(rel_type, _)| rel_type == "m.annotation");
    StoredEvent {
        event: number,
        id: format!("${number}"),
        room: ROOM,
        room_order: number,
        event_type: if is_reaction { REACTION } else { MESSAGE },
        state_key: None,
        sender,
        depth: number,
        origin_server_ts: 1_000 - number,
        status: Status::Accepted,
        root_before: Bytes::new(),
        device: None,
        txn_id: None,
        delayed: None,
        json: format!(r#"{{"content":{{{content}}}}}"#),
        redaction: None,
    }
}

/// Commits events one by one.
pub(crate) async fn commit(store: &Store, events: &[Said<'_>]) {
    for (number, sender, relation) in events {
        let event = event(*number, *sender, *relation);
        let mut writes = WriteSet::new();
        events::insert(&mut writes, &event);
        insert(&mut writes, &event);
        store.commit(writes).await.unwrap();
    }
}

fn children(parent: &str) -> Children<'_> {
    Children {
        room: ROOM,
        parent,
        rel_type: None,
        event_type: None,
        recurse: false,
    }
}

#[tokio::test]
async fn what_is_said_about_an_event_is_listed_both_ways() {
    for nodes in test_stores::both().await {
        let said = [
            (1, ALICE, None),
            (2, BOB, Some(("m.thread", 1))),
            (3, BOB, Some(("m.annotation", 1))),
            (4, BOB, Some(("m.replace", 2))),
            (5, BOB, Some(("m.reference", 4))),
            (6, BOB, Some(("m.reference", 5))),
            (7, BOB, Some(("m.thread", 1))),
        ];
        commit(&nodes.one, &said).await;
        let read = &mut nodes.two.read();
        let all = children("$1");
        assert_eq!(list_before(read, &all, 9, 9).await.unwrap(), [7, 3, 2]);
        assert_eq!(list_before(read, &all, 7, 1).await.unwrap(), [3]);
        assert_eq!(list_from(read, &all, 3, 9).await.unwrap(), [3, 7]);
        let threaded = Children {
            rel_type: Some("m.thread"),
            ..all
        };
        assert_eq!(list_before(read, &threaded, 9, 9).await.unwrap(), [7, 2]);
        assert_eq!(list_from(read, &threaded, 0, 1).await.unwrap(), [2]);
        let reactions = Children {
            event_type: Some(REACTION),
            ..all
        };
        assert_eq!(list_before(read, &reactions, 9, 9).await.unwrap(), [3]);
        // Three relations are followed, whatever they are; the fourth is not.
        let deep = Children {
            recurse: true,
            ..all
        };
        assert_eq!(
            list_before(read, &deep, 9, 9).await.unwrap(),
            [7, 5, 4, 3, 2]
        );
        assert_eq!(list_from(read, &deep, 4, 2).await.unwrap(), [4, 5]);
        // What leads there has to be of the kinds that are wanted, too.
        let deep_references = Children {
            rel_type: Some("m.reference"),
            parent: "$4",
            ..deep
        };
        let found = list_from(read, &deep_references, 0, 9).await.unwrap();
        assert_eq!(found, [5, 6]);
        let behind_a_thread = Children {
            parent: "$1",
            ..deep_references
        };
        let found = list_from(read, &behind_a_thread, 0, 9).await.unwrap();
        assert!(found.is_empty());
        let deep_messages = Children {
            event_type: Some(MESSAGE),
            ..deep
        };
        let found = list_from(read, &deep_messages, 0, 9).await.unwrap();
        assert_eq!(found, [2, 4, 5, 7]);
        let elsewhere = Children { room: 8, ..deep };
        assert!(
            list_before(read, &elsewhere, 9, 9)
                .await
                .unwrap()
                .is_empty()
        );
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_is_bundled_is_found() {
    for nodes in test_stores::both().await {
        let said = [
            (1, ALICE, None),
            (2, BOB, Some(("m.replace", 1))),
            (3, ALICE, Some(("m.replace", 1))),
            // It claims to be older than the one before.
            (4, ALICE, Some(("m.replace", 1))),
            (5, BOB, Some(("m.reference", 1))),
            (6, ALICE, Some(("m.reference", 1))),
            (7, ALICE, Some(("m.thread", 1))),
            (8, BOB, Some(("m.thread", 1))),
        ];
        commit(&nodes.one, &said).await;
        let read = &mut nodes.two.read();
        let one = || "$1".to_owned();
        let here = (ROOM, &["$1", "$2"][..]);
        let mut kinds = list_kinds(read, here, &["m.replace", "m.thread"])
            .await
            .unwrap();
        kinds.sort();
        let kind = |rel_type: &str| (one(), rel_type.to_owned());
        assert_eq!(kinds, [kind("m.replace"), kind("m.thread")]);
        let edits = list_newest(read, Newest::Edit, &[1, 2], (9, &[BOB])).await;
        assert_eq!(edits.unwrap(), [(1, 3)]);
        for bounds in [(2, &[][..]), (9, &[ALICE])] {
            let edits = list_newest(read, Newest::Edit, &[1], bounds).await;
            assert!(edits.unwrap().is_empty());
        }
        for (limit, wanted) in [(9, &[(1, 3), (1, 4)][..]), (1, &[(1, 3)])] {
            let edits = list_newest_of_all(read, Newest::Edit, &[1, 2], (9, &[]), limit).await;
            assert_eq!(edits.unwrap(), wanted);
        }
        let references = list_references(read, here, (9, &[ALICE]), 9).await.unwrap();
        let reference = Reference {
            parent: one(),
            id: "$5".to_owned(),
            event: 5,
            room_order: 5,
        };
        assert_eq!(references, [reference]);
        let references = list_references(read, here, (9, &[]), 1).await.unwrap();
        assert_eq!(references.len(), 1);
        assert!(
            list_references(read, here, (4, &[]), 9)
                .await
                .unwrap()
                .is_empty()
        );
        for (bounds, wanted) in [
            ((9, &[BOB][..]), &[(1, 7)][..]),
            ((9, &[]), &[(1, 8), (1, 7)]),
            ((7, &[]), &[(1, 7)]),
        ] {
            let newest = list_newest(read, Newest::InThread, &[1, 2], bounds).await;
            assert_eq!(newest.unwrap(), wanted[..1]);
            let all = list_newest_of_all(read, Newest::InThread, &[1, 2], bounds, 9).await;
            assert_eq!(all.unwrap(), wanted);
        }
        let counts = count_in_threads(read, here, &[BOB]).await.unwrap();
        assert_eq!(counts, [(one(), 1)]);
        let parents = list_parents(read, here, (Some(&[BOB]), None)).await;
        assert_eq!(parents.unwrap(), [one()]);
        let parents = list_parents(read, here, (None, Some(&["m.annotation"]))).await;
        assert!(parents.unwrap().is_empty());
        nodes.close().await;
    }
}

#[tokio::test]
async fn an_annotation_is_known_until_it_is_gone() {
    for nodes in test_stores::both().await {
        commit(&nodes.one, &[(2, BOB, Some(("m.annotation", 1)))]).await;
        let read = &mut nodes.two.read();
        for (who, event_type, key, known) in [
            (BOB, REACTION, "+", true),
            (ALICE, REACTION, "+", false),
            (BOB, MESSAGE, "+", false),
            (BOB, REACTION, "-", false),
        ] {
            let found = is_annotated(read, (ROOM, "$1"), (who, event_type), key).await;
            assert_eq!(found.unwrap(), known);
        }
        let mut writes = WriteSet::new();
        delete(&mut writes, 2);
        nodes.one.commit(writes).await.unwrap();
        let found = is_annotated(read, (ROOM, "$1"), (BOB, REACTION), "+").await;
        assert!(!found.unwrap());
        nodes.close().await;
    }
}

#[tokio::test]
async fn threads_stand_where_their_newest_event_does() {
    for nodes in test_stores::both().await {
        let said = [
            (1, ALICE, None),
            (2, BOB, None),
            (3, ALICE, Some(("m.thread", 1))),
            (4, ALICE, Some(("m.thread", 2))),
            (5, ALICE, Some(("m.thread", 1))),
        ];
        commit(&nodes.one, &said).await;
        let read = &mut nodes.two.read();
        let thread = |root: &str, latest| Thread {
            root: root.to_owned(),
            latest,
        };
        let all = (ROOM, Participant::Anyone);
        let both = [thread("$1", 5), thread("$2", 4)];
        assert_eq!(threads::list_before(read, all, 9, 9).await.unwrap(), both);
        let second = threads::list_before(read, all, 5, 9).await.unwrap();
        assert_eq!(second, [thread("$2", 4)]);
        let of_bob = (ROOM, Participant::User(BOB));
        let found = threads::list_before(read, of_bob, 9, 9).await.unwrap();
        assert_eq!(found, [thread("$2", 4)], "whose root he has sent");
        let of_alice = (ROOM, Participant::User(ALICE));
        assert_eq!(
            threads::list_before(read, of_alice, 9, 9).await.unwrap(),
            both
        );
        let here = (ROOM, &["$1", "$2", "$3"][..]);
        let mut sizes = threads::list_sizes(read, here).await.unwrap();
        sizes.sort();
        assert_eq!(sizes, [("$1".to_owned(), 2), ("$2".to_owned(), 1)]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_thread_falls_back_when_its_newest_event_goes() {
    for nodes in test_stores::both().await {
        let said = [
            (3, ALICE, Some(("m.thread", 1))),
            (5, ALICE, Some(("m.thread", 1))),
        ];
        commit(&nodes.one, &said).await;
        let read = &mut nodes.two.read();
        let here = (ROOM, "$1");
        for (event, stale, newest) in [(5, 4, Some(3)), (3, 2, None)] {
            let before = threads::find_latest(read, here).await.unwrap().unwrap();
            assert_eq!(before, event);
            let other = find_newest_other(read, here, event).await.unwrap();
            assert_eq!(other, newest);
            let refused = nodes.one.commit(gone(event, (stale, other))).await;
            assert!(matches!(refused, Err(StoreError::Conflict)));
            nodes
                .one
                .commit(gone(event, (before, other)))
                .await
                .unwrap();
            assert_eq!(threads::find_latest(read, here).await.unwrap(), newest);
        }
        let sizes = threads::list_sizes(read, (ROOM, &["$1"])).await.unwrap();
        assert_eq!(sizes, [("$1".to_owned(), 0)]);
        nodes.close().await;
    }
}

/// What takes an event of the thread of `$1`, whose newest place was and is then this.
fn gone(event: i64, newest: (i64, Option<i64>)) -> WriteSet {
    let mut writes = WriteSet::new();
    delete(&mut writes, event);
    threads::leave(&mut writes, (ROOM, "$1"), Some(newest));
    writes
}
