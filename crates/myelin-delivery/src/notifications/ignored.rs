//! Whom members ignore: they are not notified of what those say, for they are not shown it. Which
//! list a member had when an event was logged is not known any more; the newest holds.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use myelin_accounts::{IGNORED_USER_LIST, ignored_in};
use myelin_store::{
    LogEntry, LogKind, Read, Store, StoreResult,
    account_data::{self, Key},
};
use ruma::OwnedUserId;

use super::follower::Follower;

/// Most lists remembered; more are forgotten together.
const LISTS_MAX: usize = 10_000;

/// A list of users.
pub(super) type IgnoredUsers = Arc<BTreeSet<OwnedUserId>>;

/// Lists that were read, each once, in however many rooms its user is.
#[derive(Debug)]
pub(super) struct IgnoreLists {
    /// Under which number users keep them; None: as far as is known, nobody does.
    key: Option<i64>,
    lists: HashMap<Bytes, IgnoredUsers>,
}

impl IgnoreLists {
    pub(super) async fn new(store: &Store) -> StoreResult<Self> {
        Ok(Self {
            key: Key::find(store, None, IGNORED_USER_LIST).await?,
            lists: HashMap::new(),
        })
    }

    /// Whether an entry of the log may say that somebody has another list.
    pub(super) fn may_be_change(&self, entry: &LogEntry) -> bool {
        entry.kind == LogKind::AccountData && self.key.is_none_or(|key| entry.reference == key)
    }

    /// Whom these users ignore; those who ignore nobody are left out.
    pub(super) async fn of(
        &mut self,
        read: &mut Read,
        users: &[i64],
    ) -> StoreResult<BTreeMap<i64, IgnoredUsers>> {
        let Some(key) = self.key else {
            return Ok(BTreeMap::new());
        };
        let found = account_data::list_of_users(read, users, key).await?;
        let lists = found
            .into_iter()
            .map(|(user, content)| (user, self.parse(content)));
        Ok(lists.filter(|(_, list)| !list.is_empty()).collect())
    }

    fn parse(&mut self, content: Bytes) -> IgnoredUsers {
        if let Some(known) = self.lists.get(&content) {
            return Arc::clone(known);
        }
        let list = Arc::new(ignored_in(&content));
        if self.lists.len() >= LISTS_MAX {
            self.lists.clear();
        }
        self.lists.insert(content, Arc::clone(&list));
        list
    }
}

impl Follower {
    /// A user ignores others than before.
    pub(super) async fn pass_ignored(&mut self, entry: &LogEntry) -> StoreResult<()> {
        if self.ignored.key.is_none() {
            // The first list may be this one.
            self.ignored.key = Key::find(&self.store, None, IGNORED_USER_LIST).await?;
        }
        if self.ignored.key != Some(entry.reference) {
            return Ok(());
        }
        let user = entry.subject;
        let mut lists = self.ignored.of(&mut self.store.read(), &[user]).await?;
        let list = lists.remove(&user);
        for state in self.known.of_user(user) {
            state.ignore(user, list.clone());
        }
        Ok(())
    }
}
