use super::*;
use crate::{
    memberships::{self, UserMembership},
    test_stores,
};

#[tokio::test]
async fn members_of_open_rooms_are_found() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for (room, user, membership) in [
            (1, 10, Membership::Join),
            (2, 11, Membership::Join),
            (3, 12, Membership::Join),
            (1, 13, Membership::Leave),
            (4, 14, Membership::Join),
        ] {
            let membership = UserMembership {
                room,
                user,
                membership,
                event: room * user,
            };
            memberships::upsert(&mut writes, &membership, 0);
        }
        upsert(&mut writes, 1, Aspect::Joining, true);
        upsert(&mut writes, 1, Aspect::Reading, true);
        upsert(&mut writes, 2, Aspect::Reading, true);
        upsert(&mut writes, 3, Aspect::Joining, true);
        nodes.one.commit(writes).await.unwrap();
        let mut writes = WriteSet::new();
        upsert(&mut writes, 3, Aspect::Joining, true);
        upsert(&mut writes, 3, Aspect::Joining, false);
        nodes.two.commit(writes).await.unwrap();
        let found = list_members(&mut nodes.two.read(), &[10, 11, 12, 13, 14]).await;
        assert_eq!(found.unwrap(), [10, 11]);
        nodes.close().await;
    }
}
