use super::*;
use crate::{
    Store,
    memberships::{self, MembershipMove, UserMembership},
    test_stores,
};

const ROOM: i64 = 5;

/// Lets a user of a server become a member of the room, or leave it.
async fn moves(store: &Store, (user, server): (i64, i64), is_remote: bool, joins: bool) {
    let (now, before) = if joins {
        (Membership::Join, None)
    } else {
        (Membership::Leave, Some(Membership::Join))
    };
    let moved = MembershipMove {
        membership: UserMembership {
            room: ROOM,
            user,
            membership: now,
            event: 1,
        },
        room_order: 1,
        before,
        server,
        is_remote,
    };
    let mut writes = WriteSet::new();
    memberships::record(&mut writes, &moved);
    store.commit(writes).await.unwrap();
}

#[tokio::test]
async fn a_list_holds_until_something_may_have_changed() {
    for nodes in test_stores::both().await {
        let names = [&b"@alice:a"[..], b"@bob:b", b"a", b"b"];
        let numbers = nodes.one.intern(&names).await.unwrap();
        let &[alice, bob, own, other] = &numbers[..] else {
            panic!("four numbers");
        };
        let followed = async |after_ms| {
            let mut read = nodes.two.read();
            list_followed(&mut read, &[alice, bob, 99_999], (own, after_ms))
                .await
                .unwrap()
        };
        moves(&nodes.one, (bob, other), true, true).await;
        assert_eq!(followed(0).await, [], "nobody of this server is there");
        moves(&nodes.one, (alice, own), false, true).await;
        let found = followed(0).await;
        let of_bob = |found: &[Followed]| {
            let bob = found.iter().find(|found| found.user == bob).unwrap();
            (bob.changes, bob.list.clone())
        };
        let (changes, list) = of_bob(&found);
        assert_eq!(list, None);
        let told = ToldList {
            user: bob,
            changes,
            told_ms: 1_000,
            list: "{}".into(),
        };
        let mut writes = WriteSet::new();
        put(&mut writes, &told);
        nodes.two.commit(writes).await.unwrap();
        assert_eq!(of_bob(&followed(999).await), (changes, Some("{}".into())));
        assert_eq!(of_bob(&followed(1_000).await), (changes, None), "too old");
        let mut read = nodes.one.read();
        let mut expected = Kept {
            changes,
            last_update: None,
            list: Some(("{}".into(), 1_000)),
        };
        assert_eq!(find_kept(&mut read, bob).await.unwrap(), expected);
        assert_eq!(find_kept(&mut read, 99_999).await.unwrap(), Kept::default());
        let known = list_known(&mut read, &[alice, bob]).await.unwrap();
        assert_eq!(known, [bob]);
        let mut writes = WriteSet::new();
        note_change(&mut writes, bob);
        put_update(&mut writes, bob, 77);
        nodes.one.commit(writes).await.unwrap();
        expected.changes += 1;
        (expected.last_update, expected.list) = (Some(77), None);
        assert_eq!(find_kept(&mut read, bob).await.unwrap(), expected);
        assert_eq!(of_bob(&followed(0).await), (changes + 1, None));
        // What was asked for before the change is of no use if it is written after it.
        let mut writes = WriteSet::new();
        put(&mut writes, &told);
        nodes.one.commit(writes).await.unwrap();
        assert_eq!(of_bob(&followed(0).await), (changes + 1, None));
        // Nor is one that is older than a return.
        let mut writes = WriteSet::new();
        let changes = changes + 1;
        put(&mut writes, &ToldList { changes, ..told });
        nodes.one.commit(writes).await.unwrap();
        moves(&nodes.two, (bob, other), true, false).await;
        assert!(followed(0).await.iter().all(|found| found.user != bob));
        moves(&nodes.two, (bob, other), true, true).await;
        assert_eq!(of_bob(&followed(0).await), (changes + 1, None));
        nodes.close().await;
    }
}
