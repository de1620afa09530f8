//! What is known of the presence of people: their state, as far as they are there, and when they
//! were last active.

use std::collections::{BTreeSet, HashMap};

use myelin_core::membership::Membership;
use myelin_store::{Presence, PresenceState, StoreResult, memberships, sessions};

use crate::{ShownPresence, StreamToken, Syncs};

/// Most members of one room whose presence is told: it is a courtesy, and a room can have more
/// members than an answer can hold.
const MEMBERS_MAX: i64 = 100;
/// Most users in one query.
const CHUNK: usize = 500;
/// Most users whose changes one answer tells of; of more, those who changed last.
const CHANGED_MAX: usize = 100;

/// A user and what is known of their presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPresence {
    /// The user id.
    pub user: String,
    /// The presence.
    pub presence: ShownPresence,
}

impl Syncs {
    /// What is known of the presence of a user and of the members of these rooms: at most 100
    /// members of each room. Ordered by user id.
    pub async fn presence_in_rooms(
        &self,
        user: i64,
        rooms: &[i64],
    ) -> StoreResult<Vec<UserPresence>> {
        let mut read = self.store.read();
        let mut users = BTreeSet::from([user]);
        for room in rooms {
            users.extend(
                memberships::list_users(&mut read, *room, Membership::Join, MEMBERS_MAX).await?,
            );
        }
        let users: Vec<i64> = users.into_iter().collect();
        let mut known = self.presence_of_users(&users).await?;
        known.sort_by(|one, other| one.user.cmp(&other.user));
        Ok(known)
    }

    /// What is known of the presence of these users; those of whom nothing is known are left out.
    pub async fn presence_of_users(&self, users: &[i64]) -> StoreResult<Vec<UserPresence>> {
        let mut known = Vec::with_capacity(users.len());
        for chunk in users.chunks(CHUNK) {
            let mut read = self.store.read();
            let seen = sessions::list_last_seen(&mut read, chunk).await?;
            let seen: HashMap<String, i64> = seen.into_iter().collect();
            let names = self.store.interned(chunk).await?;
            let named = chunk.iter().zip(names);
            known.extend(named.filter_map(|(number, name)| {
                let user = String::from_utf8(name.to_vec()).ok()?;
                let live = self.store.live().presence(*number);
                let presence = self.shown_presence(newest(live, seen.get(&user).copied())?);
                Some(UserPresence { user, presence })
            }));
        }
        Ok(known)
    }

    /// Whose presence has changed since the token's part for it, of users who share a room with the
    /// viewer, and the token's next part. The viewer is told nothing of themselves.
    pub(crate) async fn presence_changes(
        &self,
        viewer: i64,
        since: i64,
    ) -> StoreResult<(Vec<UserPresence>, i64)> {
        let found = self.store.live().presence_since(since, CHANGED_MAX);
        let mut users = self.told_of(viewer, found.users).await?;
        users.retain(|user| *user != viewer);
        Ok((self.presence_of_users(&users).await?, found.next))
    }

    /// The token of a client that has seen everything up to a position, and the presence of now.
    pub fn token_at(&self, position: i64) -> StreamToken {
        StreamToken {
            presence: self.store.live().presence_since(0, 0).next,
            ..StreamToken::at(position)
        }
    }
}

/// The presence, with the last act that was recorded if that is the newer one.
fn newest(live: Option<Presence>, seen_ms: Option<i64>) -> Option<Presence> {
    if live.is_none() && seen_ms.is_none() {
        return None;
    }
    let mut presence = live.unwrap_or(Presence {
        state: PresenceState::Offline,
        last_active_ms: None,
        status_msg: None,
    });
    presence.last_active_ms = presence.last_active_ms.max(seen_ms);
    Some(presence)
}
