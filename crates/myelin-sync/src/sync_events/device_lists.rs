//! Whose devices a client is to look at again.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#tracking-the-device-list-for-a-user)

use std::collections::BTreeSet;

use myelin_core::{
    membership::Membership,
    trie::{StateKey, TYPE_ENCRYPTION, TYPE_MEMBER},
};
use myelin_store::{EMPTY_STRING, Read, StoreResult, memberships};

use super::news::{News, Others};
use crate::{Syncs, render::quoted};

/// Most users in one query.
const CHUNK: usize = 500;
/// Who joins a room that is not encrypted, and has more members than this, is not told of them: a
/// client asks for nobody's devices there.
const OPEN_MEMBERS_MAX: i64 = 500;

/// Whose devices have changed, and who need not be followed any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceLists {
    /// Users whose devices or cross-signing keys have changed, who now share a room with the user, or
    /// may soon: keys are given to those who are invited, too.
    pub changed: Vec<String>,
    /// Users who share no room with the user any more.
    pub left: Vec<String>,
}

impl DeviceLists {
    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }

    /// As JSON.
    pub(super) fn to_json(&self) -> String {
        let list = |users: &[String]| {
            let users: Vec<_> = users.iter().map(|user| quoted(user)).collect();
            users.join(",")
        };
        let (changed, left) = (list(&self.changed), list(&self.left));
        format!(r#"{{"changed":[{changed}],"left":[{left}]}}"#)
    }
}

impl Syncs {
    /// Whose devices a user's client is to look at again since a position, up to the newest one.
    pub async fn key_changes(&self, user: i64, since: i64) -> StoreResult<DeviceLists> {
        // A token ahead of the log is from before a backup was restored: everything may have
        // changed.
        let since = if since <= self.position().await? {
            since
        } else {
            0
        };
        let news = self.news(user, since, false).await?;
        self.device_lists(user, since, &news).await
    }

    /// The same from what is known of that time.
    ///
    /// Cost: what has changed. Where the user has left a room, or has joined one that is encrypted or
    /// small, its members, of whom each may be told of; where the log does not reach back that far,
    /// the differences of the states of the rooms in which something has happened.
    pub(super) async fn device_lists(
        &self,
        user: i64,
        since: i64,
        news: &News,
    ) -> StoreResult<DeviceLists> {
        let others = &news.others;
        let mut changed: BTreeSet<i64> = others.changed.union(&others.came).copied().collect();
        let (mut left, mut asked) = (others.went.clone(), others.asked.clone());
        let mut read = self.store.read();
        if others.unknown {
            let moved = self.moved_members(&mut read, since, news).await?;
            changed.extend(&moved.came);
            left.extend(&moved.went);
            asked.extend(&moved.asked);
        }
        for (room, own) in &news.own {
            let is_joined = own.last().map(|own| own.membership) == Some(Membership::Join);
            let was_joined = self.was_joined(&mut read, *room, (user, since)).await?;
            let (followed, members_max) = match (was_joined, is_joined) {
                (false, true) if self.is_encrypted(&mut read, *room, news.position).await? => {
                    (&mut changed, i64::MAX)
                }
                (false, true) => (&mut changed, OPEN_MEMBERS_MAX),
                (true, false) => (&mut left, i64::MAX),
                _ => continue,
            };
            let (joined, limit) = (Membership::Join, members_max.saturating_add(1));
            let members = memberships::list_users(&mut read, *room, joined, limit).await?;
            if i64::try_from(members.len()).is_ok_and(|members| members <= members_max) {
                followed.extend(members);
            }
        }
        let own_changed = others.changed.contains(&user);
        changed.remove(&user);
        left.remove(&user);
        let sharing = sharing(&mut read, user, &changed, &left).await?;
        changed.retain(|other| sharing.contains(other));
        left.retain(|other| !sharing.contains(other));
        asked.remove(&user);
        changed.extend(asked);
        changed.extend(own_changed.then_some(user));
        changed.extend(&others.signed);
        Ok(DeviceLists {
            changed: self.names(changed).await?,
            left: self.names(left).await?,
        })
    }

    /// What has become of the users whose member events differ between the states of then and now.
    async fn moved_members(&self, read: &mut Read, since: i64, news: &News) -> StoreResult<Others> {
        let mut moved = Others::default();
        let changed = news
            .rooms
            .iter()
            .filter(|(_, room)| !room.events.is_empty());
        for (room, _) in changed {
            let before = self.root_at(read, *room, since).await?;
            let after = self.root_at(read, *room, news.position).await?;
            let roots = (&before, &after);
            let difference = self.rooms.state_difference(read, *room, roots).await?;
            let members = difference.into_iter().map(|changed| changed.key);
            let members = members.filter(|key| key.event_type == TYPE_MEMBER);
            let members: Vec<i64> = members.map(|key| key.state_key).collect();
            for chunk in members.chunks(CHUNK) {
                let among = memberships::list_among(read, *room, chunk).await?;
                let among = among.into_iter();
                among.for_each(|(member, membership)| moved.moved(member, membership));
            }
        }
        Ok(moved)
    }

    async fn is_encrypted(&self, read: &mut Read, room: i64, position: i64) -> StoreResult<bool> {
        let root = self.root_at(read, room, position).await?;
        let key = StateKey {
            event_type: TYPE_ENCRYPTION,
            state_key: EMPTY_STRING,
        };
        let found = self
            .rooms
            .state_numbers(read, (room, &root), &[key])
            .await?;
        Ok(found.into_iter().flatten().next().is_some())
    }

    async fn names(&self, users: BTreeSet<i64>) -> StoreResult<Vec<String>> {
        let users: Vec<i64> = users.into_iter().collect();
        let names = self.store.interned(&users).await?;
        let names = names.iter();
        Ok(names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect())
    }
}

/// Those of these users who share a room with a user.
async fn sharing(
    read: &mut Read,
    user: i64,
    changed: &BTreeSet<i64>,
    left: &BTreeSet<i64>,
) -> StoreResult<BTreeSet<i64>> {
    let all: Vec<i64> = changed.union(left).copied().collect();
    let mut sharing = BTreeSet::new();
    for chunk in all.chunks(CHUNK) {
        sharing.extend(memberships::list_sharing(read, user, chunk).await?);
    }
    Ok(sharing)
}
