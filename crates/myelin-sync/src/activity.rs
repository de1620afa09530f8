//! When the people of a user's rooms were last active.

use std::collections::BTreeSet;

use myelin_core::membership::Membership;
use myelin_store::{StoreResult, memberships, sessions};

use crate::Syncs;

/// Most members of one room whose activity is told: presence is a courtesy, and a room can have
/// more members than an answer can hold.
const MEMBERS_MAX: i64 = 100;
/// Most users in one query.
const CHUNK: usize = 500;

/// When a user was last active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The user id.
    pub user: String,
    /// Unix time in milliseconds, to the minute.
    pub last_active_ms: u64,
}

impl Syncs {
    /// The last activity of a user and of the members of these rooms, as far as it is known: at
    /// most 100 members of each room. Ordered by user id.
    pub async fn activities(&self, user: i64, rooms: &[i64]) -> StoreResult<Vec<Activity>> {
        let mut read = self.store.read();
        let mut users = BTreeSet::from([user]);
        for room in rooms {
            users.extend(
                memberships::list_users(&mut read, *room, Membership::Join, MEMBERS_MAX).await?,
            );
        }
        let users: Vec<i64> = users.into_iter().collect();
        let mut activities = self.activities_of(&users).await?;
        activities.sort_by(|one, other| one.user.cmp(&other.user));
        Ok(activities)
    }

    /// The last activity of these users, as far as it is known, in no particular order.
    pub async fn activities_of(&self, users: &[i64]) -> StoreResult<Vec<Activity>> {
        let mut read = self.store.read();
        let mut activities = Vec::new();
        for chunk in users.chunks(CHUNK) {
            let seen = sessions::list_last_seen(&mut read, chunk).await?;
            activities.extend(seen.into_iter().map(|(user, last_seen_ms)| {
                let last_active_ms = u64::try_from(last_seen_ms).unwrap_or_default();
                Activity {
                    user,
                    last_active_ms,
                }
            }));
        }
        Ok(activities)
    }
}
