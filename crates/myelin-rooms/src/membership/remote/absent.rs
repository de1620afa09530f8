//! What was known of a room's members before it is taken over anew.

use std::collections::HashSet;

use myelin_core::membership::Membership;
use myelin_store::{StoreResult, WriteSet, followers::Lease, memberships};
use ruma::OwnedUserId;

use crate::{Rooms, numbers::parse};

/// Memberships that are looked at together.
const PAGE: i64 = 500;

const ALL: [Membership; 5] = [
    Membership::Join,
    Membership::Invite,
    Membership::Knock,
    Membership::Leave,
    Membership::Ban,
];

impl Rooms {
    /// Takes away the memberships of users of other servers that the state does not have: whoever
    /// comes into it later would be taken for one who is in it already, and not be counted. What
    /// this server's own users were is theirs to see.
    pub(super) async fn forget_absent(
        &self,
        lease: &mut Lease,
        room: i64,
        present: &HashSet<i64>,
    ) -> StoreResult<()> {
        for membership in ALL {
            let mut after = i64::MIN;
            while let Some(last) = self
                .forget_page(lease, (room, membership, after), present)
                .await?
            {
                after = last;
            }
        }
        Ok(())
    }

    /// The same of those with this membership after a user; the last one that was looked at.
    async fn forget_page(
        &self,
        lease: &mut Lease,
        (room, membership, after): (i64, Membership, i64),
        present: &HashSet<i64>,
    ) -> StoreResult<Option<i64>> {
        let mut read = self.store.read();
        let page = (after, PAGE);
        let users = memberships::list_users_after(&mut read, room, membership, page).await?;
        let last = users.last().copied();
        let absent = users.into_iter().filter(|user| !present.contains(user));
        let absent: Vec<i64> = absent.collect();
        let mut writes = WriteSet::new();
        for (user, id) in absent.iter().zip(self.store.interned(&absent).await?) {
            let id = parse::<OwnedUserId>(&id);
            if id.is_some_and(|id| !self.server.is_local(&id)) {
                memberships::delete(&mut writes, room, *user);
            }
        }
        if !writes.is_empty() {
            self.commit_slice(lease, writes).await?;
        }
        Ok(last)
    }
}
