use super::*;
use crate::{
    WriteSet,
    memberships::{self, UserMembership},
    test_stores,
};

#[tokio::test]
async fn rooms_of_two_users_are_listed_and_counted() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for (room, user, membership) in [
            (1, 10, Membership::Join),
            (1, 11, Membership::Join),
            (2, 10, Membership::Join),
            (2, 11, Membership::Leave),
            (3, 10, Membership::Join),
            (3, 11, Membership::Join),
            (4, 11, Membership::Join),
            (4, 12, Membership::Join),
            (5, 10, Membership::Invite),
            (5, 11, Membership::Join),
        ] {
            let membership = UserMembership {
                room,
                user,
                membership,
                event: room * user,
            };
            memberships::upsert(&mut writes, &membership, 0);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        for (users, slice, rooms) in [
            ((10, 11), (0, 9), vec![1, 3]),
            ((11, 10), (0, 1), vec![1]),
            ((10, 11), (1, 9), vec![3]),
            ((10, 12), (0, 9), vec![]),
        ] {
            assert_eq!(list(&mut read, users, slice).await.unwrap(), rooms);
        }
        assert_eq!(count(&mut read, (10, 11)).await.unwrap(), 2);
        assert_eq!(count(&mut read, (10, 99)).await.unwrap(), 0);
        let sharing = list_sharing(&mut read, 10, &[11, 12, 99]).await.unwrap();
        assert_eq!(sharing, [11]);
        let sharing = list_sharing(&mut read, 11, &[10, 12]).await.unwrap();
        assert_eq!(sharing, [10, 12]);
        nodes.close().await;
    }
}
