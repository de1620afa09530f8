//! Typing and presence of our own users, for other servers: what has changed since they were told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use myelin_rooms::EduPresence;
use myelin_store::{Presence, PresenceState, Store, StoreResult, memberships, room_servers};

use crate::pass::Pass;

/// Who goes on typing is told of again this often: other servers forget it after half a minute.
const TYPING_EVERY_MS: i64 = 25_000;
/// Who stays is told of again this often: other servers forget it after half an hour.
const PRESENCE_EVERY_MS: i64 = 25 * 60 * 1_000;
/// Most users whose presence is told at once; the others follow a second later.
const USERS_MAX: usize = 50;
/// Most changes of presence remembered; of more, the last.
const CHANGES_MAX: usize = 10_000;

/// What other servers have been told.
#[derive(Debug, Default)]
pub(crate) struct Ephemeral {
    /// Who types in which room, and when that was told last.
    typing: BTreeMap<(i64, i64), i64>,
    /// The changes of presence up to here have been noticed.
    presence_seen: i64,
    /// Users whose presence is to be told.
    changed: BTreeSet<i64>,
    /// When the presence of those who are there is to be told again.
    due: BTreeSet<(i64, i64)>,
    due_of: BTreeMap<i64, i64>,
    /// Servers new in a room, which know nothing of those who are there.
    newcomers: BTreeSet<(i64, i64)>,
}

/// That a user types, or does no longer.
pub(crate) struct TypingNews {
    pub(crate) room_id: Arc<str>,
    pub(crate) user_id: Arc<str>,
    pub(crate) typing: bool,
    pub(crate) servers: Vec<i64>,
}

/// A user's presence, and who is told.
pub(crate) struct PresenceNews {
    pub(crate) presence: EduPresence,
    pub(crate) servers: Vec<i64>,
}

impl Ephemeral {
    /// A server has come to a room.
    pub(crate) fn note_newcomer(&mut self, room: i64, server: i64) {
        self.newcomers.insert((room, server));
    }

    /// Who has begun to type or ended since the last call.
    pub(crate) async fn typing(
        &mut self,
        pass: &mut Pass,
        store: &Store,
        now_ms: i64,
    ) -> StoreResult<Vec<TypingNews>> {
        let typing: BTreeSet<(i64, i64)> = store.live().typing_now().into_iter().collect();
        let is_due = |told_ms: Option<&i64>| {
            told_ms.is_none_or(|told_ms| now_ms - told_ms >= TYPING_EVERY_MS)
        };
        let ended: Vec<_> = self
            .typing
            .keys()
            .filter(|at| !typing.contains(at))
            .copied()
            .collect();
        let begun: Vec<_> = typing
            .iter()
            .filter(|at| is_due(self.typing.get(at)))
            .copied()
            .collect();
        let all = ended.into_iter().map(|at| (at, false));
        let all = all.chain(begun.into_iter().map(|at| (at, true)));
        let mut news = Vec::new();
        for ((room, user), typing) in all {
            if typing {
                self.typing.insert((room, user), now_ms);
            } else {
                self.typing.remove(&(room, user));
            }
            let Some(user_id) = pass.local_user(user).await? else {
                continue;
            };
            let servers = pass.servers(room, pass.read_to).await?;
            if !servers.is_empty() {
                news.push(TypingNews {
                    room_id: pass.name(room).await?,
                    user_id,
                    typing,
                    servers,
                });
            }
        }
        Ok(news)
    }

    /// Whose presence has changed since the last call, or is to be told again.
    pub(crate) async fn presence(
        &mut self,
        pass: &Pass,
        store: &Store,
        now_ms: i64,
    ) -> StoreResult<Vec<PresenceNews>> {
        let found = store.live().presence_since(self.presence_seen, CHANGES_MAX);
        self.presence_seen = found.next;
        self.changed.extend(found.users);
        while let Some((due_ms, user)) = self.due.first().copied() {
            if due_ms > now_ms {
                break;
            }
            self.due.pop_first();
            self.due_of.remove(&user);
            self.changed.insert(user);
        }
        let mut news = Vec::new();
        for _ in 0..USERS_MAX {
            let Some(user) = self.changed.pop_first() else {
                break;
            };
            let Some(user_id) = pass.local_user(user).await? else {
                continue;
            };
            let Some(presence) = store.live().presence(user) else {
                continue;
            };
            self.remember(user, presence.state, now_ms);
            let mut read = store.read();
            let servers = room_servers::list_sharing(&mut read, user, pass.own()).await?;
            if !servers.is_empty() {
                news.push(PresenceNews {
                    presence: edu(&user_id, presence, now_ms),
                    servers,
                });
            }
        }
        self.tell_newcomers(pass, store, (now_ms, &mut news))
            .await?;
        Ok(news)
    }

    /// Tells servers new in rooms who of us is there.
    async fn tell_newcomers(
        &mut self,
        pass: &Pass,
        store: &Store,
        (now_ms, news): (i64, &mut Vec<PresenceNews>),
    ) -> StoreResult<()> {
        if self.newcomers.is_empty() {
            return Ok(());
        }
        let present = store.live().presence_since(0, CHANGES_MAX).users;
        for _ in 0..USERS_MAX {
            let Some((room, server)) = self.newcomers.pop_first() else {
                break;
            };
            let mut read = store.read();
            for user in memberships::list_joined(&mut read, room, &present).await? {
                let user_id = pass.local_user(user).await?;
                let told = user_id.zip(store.live().presence(user));
                news.extend(told.map(|(user_id, presence)| PresenceNews {
                    presence: edu(&user_id, presence, now_ms),
                    servers: vec![server],
                }));
            }
        }
        Ok(())
    }

    fn remember(&mut self, user: i64, state: PresenceState, now_ms: i64) {
        if let Some(due_ms) = self.due_of.remove(&user) {
            self.due.remove(&(due_ms, user));
        }
        if state != PresenceState::Offline {
            let due_ms = now_ms.saturating_add(PRESENCE_EVERY_MS);
            self.due.insert((due_ms, user));
            self.due_of.insert(user, due_ms);
        }
    }
}

fn edu(user_id: &str, presence: Presence, now_ms: i64) -> EduPresence {
    let active_ms = presence.last_active_ms.unwrap_or(now_ms);
    EduPresence {
        user_id: user_id.to_owned(),
        presence: match presence.state {
            PresenceState::Online => "online",
            PresenceState::Unavailable => "unavailable",
            PresenceState::Offline => "offline",
        }
        .to_owned(),
        status_msg: presence.status_msg,
        last_active_ago: (now_ms - active_ms).max(0),
        currently_active: presence.state == PresenceState::Online,
    }
}
