//! Rows, on both engines.

use super::*;
use crate::{
    relations::tests::{ALICE, BOB, ROOM, commit, event},
    test_stores,
};

fn wanted(redaction: i64, target: &str, rel_types: &[&str]) -> RelationRedaction {
    RelationRedaction {
        redaction,
        room: 3,
        target: target.to_owned(),
        rel_types: rel_types.iter().map(|&kind| kind.to_owned()).collect(),
    }
}

#[test]
fn an_empty_list_takes_everything() {
    let some = wanted(1, "$a", &["m.replace", "m.thread"]);
    assert!(some.takes("m.thread") && !some.takes("m.reference"));
    assert!(wanted(1, "$a", &[]).takes("m.reference"));
}

#[tokio::test]
async fn they_are_found_by_number_and_by_target() {
    for nodes in test_stores::both().await {
        let all = [
            wanted(7, "$a", &["m.replace", "x\"y"]),
            wanted(8, "$b", &[]),
            wanted(9, "$a", &[]),
        ];
        let mut writes = WriteSet::new();
        for wanted in &all {
            insert(&mut writes, wanted);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        for wanted in &all {
            let found = find(&mut read, wanted.redaction).await.unwrap();
            assert_eq!(found.as_ref(), Some(wanted));
        }
        assert_eq!(find(&mut read, 1).await.unwrap(), None);
        let found = list_of_targets(&mut read, 3, &["$a", "$c"]).await.unwrap();
        assert_eq!(found, [all[0].clone(), all[2].clone()]);
        for (room, targets) in [(3, &[][..]), (3, &["$c"]), (4, &["$a"])] {
            let found = list_of_targets(&mut read, room, targets).await.unwrap();
            assert_eq!(found, []);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_a_redaction_takes_along_is_listed() {
    for nodes in test_stores::both().await {
        let said = [
            (1, ALICE, None),
            (2, ALICE, Some(("m.replace", 1))),
            (3, BOB, Some(("m.replace", 1))),
            (4, BOB, Some(("m.annotation", 1))),
            (5, BOB, Some(("m.thread", 1))),
            (6, ALICE, Some(("m.replace", 2))),
            (7, BOB, Some(("m.thread", 1))),
        ];
        commit(&nodes.one, &said).await;
        let read = &mut nodes.two.read();
        let target = event(1, ALICE, None);
        for (rel_types, barred, slice, found) in [
            (&["m.replace"][..], &[][..], (0, 9), vec![2]),
            (&["m.replace"], &["m.replace"], (0, 9), vec![]),
            (&["m.thread", "m.replace"], &[], (0, 9), vec![2, 5, 7]),
            (&["m.thread"], &[], (5, 9), vec![7]),
            (&[], &[], (0, 3), vec![2, 4, 5]),
            (&[], &["m.replace"], (0, 9), vec![4, 5, 7]),
            (&[], &["m.thread", "m.annotation"], (0, 9), vec![2]),
            (&["m.reference"], &[], (0, 9), vec![]),
        ] {
            let wanted = RelationRedaction {
                room: ROOM,
                ..wanted(9, "$1", rel_types)
            };
            let listed = list_taken_along(read, &wanted, (&target, barred), slice).await;
            assert_eq!(listed.unwrap(), found, "{rel_types:?} {barred:?}");
        }
        nodes.close().await;
    }
}
