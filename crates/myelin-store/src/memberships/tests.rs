use super::*;
use crate::{forgotten_rooms, test_stores, users};

#[tokio::test]
async fn users_of_a_room_are_listed_by_membership_up_to_a_limit() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        let memberships = [
            (1, 12, Membership::Join),
            (1, 11, Membership::Join),
            (1, 10, Membership::Leave),
            (1, 13, Membership::Join),
            (2, 14, Membership::Join),
        ];
        for (room, user, membership) in memberships {
            let event = room * user;
            upsert(
                &mut writes,
                &UserMembership {
                    room,
                    user,
                    membership,
                    event,
                },
                0,
            );
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        for (room, membership, limit, users) in [
            (1, Membership::Join, 10, vec![11, 12, 13]),
            (1, Membership::Join, 2, vec![11, 12]),
            (1, Membership::Leave, 10, vec![10]),
            (2, Membership::Join, 10, vec![14]),
            (3, Membership::Join, 10, vec![]),
        ] {
            let found = list_users(&mut read, room, membership, limit).await;
            assert_eq!(found.unwrap(), users);
            let found = list_users_after(&mut read, room, membership, (11, limit)).await;
            let after: Vec<_> = users.into_iter().filter(|user| *user > 11).collect();
            assert!(found.unwrap().starts_with(&after));
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn rooms_of_a_user_are_listed_in_slices() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        let memberships = [
            (3, 10, Membership::Join),
            (1, 10, Membership::Join),
            (2, 10, Membership::Invite),
            (4, 10, Membership::Leave),
            (5, 10, Membership::Join),
            (6, 11, Membership::Join),
        ];
        for (room, user, membership) in memberships {
            let event = room * user;
            upsert(
                &mut writes,
                &UserMembership {
                    room,
                    user,
                    membership,
                    event,
                },
                0,
            );
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        for (wanted, slice, rooms) in [
            (&[Membership::Join][..], (0, 10), vec![1, 3, 5]),
            (&[Membership::Join, Membership::Invite], (0, 2), vec![1, 2]),
            (&[Membership::Join, Membership::Invite], (2, 2), vec![3, 5]),
            (&[Membership::Knock], (0, 10), vec![]),
        ] {
            let found = list_rooms_after(&mut read, 10, wanted, slice).await;
            assert_eq!(found.unwrap(), rooms);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn the_first_users_are_those_whose_member_events_came_first() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for (user, membership, room_order) in [
            (10, Membership::Join, 5),
            (11, Membership::Join, 3),
            (12, Membership::Invite, 1),
            (13, Membership::Join, 4),
        ] {
            let membership = UserMembership {
                room: 1,
                user,
                membership,
                event: user,
            };
            upsert(&mut writes, &membership, room_order);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let first = list_first_users(&mut read, 1, Membership::Join, 2).await;
        assert_eq!(first.unwrap(), [(3, 11), (4, 13)]);
        let invited = list_first_users(&mut read, 1, Membership::Invite, 5).await;
        assert_eq!(invited.unwrap(), [(1, 12)]);
        let elsewhere = list_first_users(&mut read, 2, Membership::Join, 5).await;
        assert_eq!(elsewhere.unwrap(), []);
        nodes.close().await;
    }
}

fn joined(room: i64, user: i64) -> UserMembership {
    UserMembership {
        room,
        user,
        membership: Membership::Join,
        event: room * user,
    }
}

#[tokio::test]
async fn forgotten_rooms_are_not_listed() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for room in [1, 2] {
            upsert(&mut writes, &joined(room, 10), room);
        }
        forgotten_rooms::insert(&mut writes, 10, 2);
        forgotten_rooms::insert(&mut writes, 11, 1);
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let rooms = list_by_user(&mut read, 10, Membership::Join).await.unwrap();
        assert_eq!(rooms, [joined(1, 10)]);
        assert!(forgotten_rooms::exists(&mut read, 10, 2).await.unwrap());
        assert!(!forgotten_rooms::exists(&mut read, 10, 1).await.unwrap());

        let mut writes = WriteSet::new();
        forgotten_rooms::delete(&mut writes, 10, 2);
        forgotten_rooms::delete(&mut writes, 10, 7);
        nodes.one.commit(writes).await.unwrap();
        let rooms = list_by_user(&mut read, 10, Membership::Join).await.unwrap();
        assert_eq!(rooms, [joined(1, 10), joined(2, 10)]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn guests_of_a_room_are_listed_page_by_page() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for number in [10, 11, 12, 13] {
            upsert(&mut writes, &joined(1, number), number);
            let user = users::User {
                number,
                user_id: format!("@user{number}:localhost"),
                guest: number != 11,
                version: 1,
                ..users::User::default()
            };
            users::insert(&mut writes, &user);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        for (room, last, limit, found) in [
            (1, 0, 2, vec![10, 12]),
            (1, 12, 2, vec![13]),
            (1, 13, 2, vec![]),
            (2, 0, 2, vec![]),
        ] {
            let listed = list_guests_after(&mut read, (room, last), Membership::Join, limit).await;
            assert_eq!(listed.unwrap(), found);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn joined_accounts_are_the_members_that_live_here() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for user in [10, 11, 12] {
            upsert(&mut writes, &joined(1, user), user);
        }
        for number in [10, 12, 13] {
            users::insert(
                &mut writes,
                &users::User {
                    number,
                    user_id: format!("@user{number}:localhost"),
                    version: 1,
                    ..users::User::default()
                },
            );
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        for (room, limit, users) in [(1, 10, vec![10, 12]), (1, 1, vec![10]), (2, 10, vec![])] {
            let found = list_joined_accounts(&mut read, room, limit).await;
            assert_eq!(found.unwrap(), users);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn member_events_are_listed_by_membership_in_the_order_of_their_arrival() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for (user, membership, room_order) in [
            (12, Membership::Join, 1),
            (11, Membership::Invite, 3),
            (10, Membership::Leave, 2),
            (13, Membership::Join, 0),
        ] {
            let membership = UserMembership {
                room: 1,
                user,
                membership,
                event: user * 10,
            };
            upsert(&mut writes, &membership, room_order);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        for (room, wanted, events) in [
            (1, &[Membership::Join][..], vec![130, 120]),
            (1, &Membership::ALL, vec![130, 120, 100, 110]),
            (1, &[], vec![]),
            (2, &Membership::ALL, vec![]),
        ] {
            let found = list_events(&mut read, room, wanted).await;
            assert_eq!(found.unwrap(), events);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn those_who_share_a_room_are_found_among_some_users() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for (room, user, membership) in [
            (1, 10, Membership::Join),
            (1, 11, Membership::Join),
            (1, 12, Membership::Invite),
            (2, 10, Membership::Leave),
            (2, 13, Membership::Join),
            (3, 10, Membership::Join),
            (3, 11, Membership::Join),
            (3, 14, Membership::Join),
        ] {
            let event = room * user;
            let membership = UserMembership {
                room,
                user,
                membership,
                event,
            };
            upsert(&mut writes, &membership, 0);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let users = [11, 12, 13, 14, 99];
        for (viewer, wanted) in [(10, vec![11, 14]), (12, vec![]), (13, vec![13])] {
            let found = list_sharing(&mut read, viewer, &users).await.unwrap();
            assert_eq!(found, wanted, "{viewer}");
        }
        assert_eq!(list_sharing(&mut read, 10, &[]).await.unwrap(), [0_i64; 0]);
        for (room, wanted) in [(1, vec![11]), (3, vec![11, 14]), (4, vec![])] {
            let found = list_joined(&mut read, room, &users).await.unwrap();
            assert_eq!(found, wanted, "{room}");
        }
        let among = list_among(&mut read, 1, &users).await.unwrap();
        assert_eq!(among, [(11, Membership::Join), (12, Membership::Invite)]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_membership_can_be_taken_away() {
    for nodes in test_stores::both().await {
        let membership = UserMembership {
            room: 1,
            user: 10,
            membership: Membership::Join,
            event: 100,
        };
        let mut writes = WriteSet::new();
        upsert(&mut writes, &membership, 1);
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        assert_eq!(find(&mut read, 1, 10).await.unwrap(), Some(membership));
        let mut writes = WriteSet::new();
        delete(&mut writes, 1, 10);
        nodes.one.commit(writes).await.unwrap();
        assert_eq!(find(&mut read, 1, 10).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn the_users_of_a_server_are_found_by_their_names() {
    for nodes in test_stores::both().await {
        let names = ["@a:x.org", "@b:x.org", "@c:y.org", "@d:xx.org", "x.org"];
        let names = names.map(str::as_bytes);
        let users = nodes.one.intern(&names).await.unwrap();
        let mut writes = WriteSet::new();
        for (user, membership) in users.iter().zip([
            Membership::Leave,
            Membership::Join,
            Membership::Join,
            Membership::Join,
            Membership::Join,
        ]) {
            let membership = UserMembership {
                room: 1,
                user: *user,
                membership,
                event: 1,
            };
            upsert(&mut writes, &membership, 1);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let found = list_users_of_server(&mut read, 1, "x.org", 9).await;
        assert_eq!(found.unwrap(), [users[1], users[0]]);
        let found = list_users_of_server(&mut read, 1, "x.org", 1).await;
        assert_eq!(found.unwrap(), [users[1]]);
        nodes.close().await;
    }
}
