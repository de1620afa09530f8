use myelin_core::membership::Membership;

use super::*;
use crate::{
    deliveries::{self, Delivery},
    log,
    memberships::{self, MembershipMove, UserMembership},
    test_stores,
};

const HERE: i64 = 30;
const THERE: i64 = 31;

fn moved(
    (room, user): (i64, i64),
    before: Option<Membership>,
    membership: Membership,
) -> MembershipMove {
    let is_remote = user >= 20;
    MembershipMove {
        membership: UserMembership {
            room,
            user,
            membership,
            event: 100 + user,
        },
        room_order: user,
        before,
        server: if is_remote { THERE } else { HERE },
        is_remote,
    }
}

#[tokio::test]
async fn the_servers_of_a_room_follow_its_memberships() {
    for nodes in test_stores::both().await {
        let (join, leave) = (Membership::Join, Membership::Leave);
        let moves = [
            ((1, 10), None, join),
            ((1, 20), None, join),
            ((1, 21), Some(Membership::Invite), join),
            ((1, 21), Some(join), join),
            ((2, 20), None, Membership::Invite),
            ((4, 20), Some(Membership::Invite), leave),
            ((3, 20), None, join),
            ((3, 20), Some(join), Membership::Ban),
            ((3, 20), Some(Membership::Ban), leave),
        ];
        for (turn, (place, before, membership)) in moves.into_iter().enumerate() {
            let mut writes = WriteSet::new();
            memberships::record(&mut writes, &moved(place, before, membership));
            nodes.by_turns(turn).commit(writes).await.unwrap();
        }
        let read = &mut nodes.two.read();
        let found = list(read, 1).await.unwrap();
        let of = |server, joined| RoomServer { server, joined };
        assert_eq!(found, [of(HERE, 1), of(THERE, 2)]);
        assert_eq!(list(read, 2).await.unwrap(), []);
        assert_eq!(list(read, 3).await.unwrap(), []);
        assert_eq!(count(read, 1, THERE).await.unwrap(), 2);
        assert_eq!(count(read, 3, THERE).await.unwrap(), 0);
        assert_eq!(count(read, 4, THERE).await.unwrap(), 0);
        let known = async |read: &mut Read, room| is_known(read, room, THERE).await.unwrap();
        assert!(known(read, 1).await && known(read, 3).await && known(read, 4).await);
        assert!(!known(read, 2).await);
        assert!(exists_other(read, HERE).await.unwrap());
        assert_eq!(list_sharing(read, 10, HERE).await.unwrap(), [THERE]);
        assert_eq!(list_sharing(read, 20, THERE).await.unwrap(), [HERE]);
        assert!(list_sharing(read, 99, HERE).await.unwrap().is_empty());
        assert!(exists_sharing(read, 10, THERE).await.unwrap());
        assert!(exists_sharing(read, 20, HERE).await.unwrap());
        assert!(!exists_sharing(read, 99, THERE).await.unwrap());
        assert!(!exists_sharing(read, 10, 999).await.unwrap());
        nodes.close().await;
    }
}

/// A user of this server comes into rooms in which there are, or are not, users of the other.
#[tokio::test]
async fn a_server_shares_its_first_room_with_a_user_once() {
    for nodes in test_stores::both().await {
        let (join, leave) = (Membership::Join, Membership::Leave);
        let position = async || nodes.one.live().catch_up().await.unwrap();
        let moves = async |place: (i64, i64), before, membership| {
            let mut writes = WriteSet::new();
            memberships::record(&mut writes, &moved(place, before, membership));
            writes.log(LogWrite {
                kind: LogKind::Membership,
                subject: place.1,
                reference: place.0,
                data: vec![u8::try_from(membership.as_number()).unwrap()].into(),
            });
            nodes.one.commit(writes).await.unwrap();
            (place.1, place.0, position().await)
        };
        for room in [1, 2] {
            moves((room, 20), None, join).await;
        }
        let alone = moves((3, 10), None, join).await;
        let first = moves((1, 10), None, join).await;
        let second = moves((2, 10), None, join).await;
        let told = async |joined| {
            let read = &mut nodes.two.read();
            list_newly_sharing(read, joined, HERE).await.unwrap()
        };
        assert_eq!(told(alone).await, [0_i64; 0]);
        assert_eq!(told(first).await, [THERE]);
        assert_eq!(told(second).await, [0_i64; 0]);
        // Another name in the first room is no reason to say it again of the second.
        moves((1, 10), Some(join), join).await;
        assert_eq!(told(first).await, [THERE]);
        assert_eq!(told(second).await, [0_i64; 0]);
        for room in [1, 2] {
            moves((room, 10), Some(join), leave).await;
        }
        let again = moves((1, 10), Some(leave), join).await;
        assert_eq!(told(again).await, [THERE]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn the_log_tells_who_came_and_who_went() {
    for nodes in test_stores::both().await {
        let (join, leave) = (Membership::Join, Membership::Leave);
        let mut writes = WriteSet::new();
        memberships::record(&mut writes, &moved((1, 10), None, join));
        memberships::record(&mut writes, &moved((1, 20), None, join));
        memberships::record(&mut writes, &moved((1, 21), Some(join), leave));
        log_many(&mut writes, 1);
        deliveries::insert(&mut writes, 1, 7);
        nodes.one.commit(writes).await.unwrap();
        let read = &mut nodes.two.read();
        let entries = log::list(read, 0, 9, 9).await.unwrap();
        let changes: Vec<_> = entries.iter().map(ServerChange::of).collect();
        let expected = [
            Some(ServerChange::Came(THERE)),
            Some(ServerChange::Went(THERE)),
            Some(ServerChange::Many),
            None,
        ];
        assert_eq!(changes, expected);
        let of_room = list_changes(read, 1, 1).await.unwrap();
        assert_eq!(of_room, [entries[2].clone(), entries[1].clone()]);
        let gone: Vec<_> = entries.iter().map(ServerChange::user_gone).collect();
        assert_eq!(gone, [None, Some(21), None, None]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_server_that_is_alone_has_no_others() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        add(&mut writes, 1, HERE, 1);
        add(&mut writes, 1, HERE, 1);
        add(&mut writes, 1, THERE, 1);
        add(&mut writes, 1, THERE, -1);
        nodes.one.commit(writes).await.unwrap();
        let read = &mut nodes.two.read();
        assert_eq!(count(read, 1, HERE).await.unwrap(), 2);
        assert!(!exists_other(read, HERE).await.unwrap());
        nodes.close().await;
    }
}

#[tokio::test]
async fn the_newest_deliveries_of_a_room_are_listed_oldest_first() {
    for nodes in test_stores::both().await {
        for (room, event) in [(1, 1), (2, 2), (1, 3), (1, 4)] {
            let mut writes = WriteSet::new();
            deliveries::insert(&mut writes, room, event);
            nodes.one.commit(writes).await.unwrap();
        }
        let read = &mut nodes.two.read();
        let found = deliveries::list_newest(read, 1, (0, 4), 2).await.unwrap();
        let events: Vec<_> = found.iter().map(|entry| entry.reference).collect();
        assert_eq!(events, [3, 4]);
        let found = deliveries::list_newest(read, 1, (1, 3), 9).await.unwrap();
        assert_eq!(found.len(), 1);
        let found = deliveries::list(read, 1, (0, 4), 2).await.unwrap();
        let events: Vec<_> = found.iter().map(Delivery::of).collect();
        let event = |event| {
            Some(Delivery::Event {
                room: 1,
                event,
                only: None,
            })
        };
        assert_eq!(events, [event(1), event(3)]);
        let mut writes = WriteSet::new();
        deliveries::retry(&mut writes, THERE);
        nodes.one.commit(writes).await.unwrap();
        let entries = log::list(read, 4, 5, 9).await.unwrap();
        assert_eq!(Delivery::of(&entries[0]), Some(Delivery::Retry(THERE)));
        nodes.close().await;
    }
}
