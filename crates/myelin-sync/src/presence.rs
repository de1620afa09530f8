//! Who is there, as far as a user may know it: of those who share a room.
//!
//! Nobody is told of a change when it happens. A poll asks who has changed since its token, and
//! which of these share a room with the user; the cost lies with the changes, not with the members
//! of rooms.

use std::{collections::BTreeSet, fmt::Write};

use myelin_store::{
    Presence, PresenceState, StoreError, StoreResult, memberships, sessions, users,
};
use ruma::UserId;

use crate::{Syncs, filter::EventFilter, render::quoted};

/// Most changed users that one poll looks at; of more, those who changed last.
const LOOK_MAX: usize = 500;
/// Most users in one answer.
const SHOW_MAX: usize = 100;
/// Most rooms just entered of which one answer tells who is there.
const ENTERED_MAX: usize = 10;

const PRESENCE: &str = "m.presence";

/// A user's presence at the moment of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPresence {
    /// Whether the user is there.
    pub state: PresenceState,
    /// Milliseconds since the user's last act, if one is known.
    pub last_active_ago_ms: Option<u64>,
    /// What the user says about it.
    pub status_msg: Option<String>,
}

/// Why a user's presence is not shown.
#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    /// This server has no such user.
    #[error("{0} is no user of this server")]
    UnknownUser(String),
    /// The two share no room.
    #[error("you share no room with {0}")]
    NotShared(String),
    /// The database failed.
    #[error("the presence could not be read")]
    Store(#[from] StoreError),
}

/// What is new of presence for a user.
#[derive(Debug, Default)]
pub(crate) struct PresenceNews {
    /// Events, with commas between them.
    pub(crate) events: String,
    /// The part of the token that belongs to presence.
    pub(crate) next: i64,
}

impl Syncs {
    /// A user's presence, if the viewer may know it.
    pub async fn presence(
        &self,
        viewer: i64,
        user_id: &UserId,
    ) -> Result<ShownPresence, PresenceError> {
        let mut read = self.store.read();
        let unknown = || PresenceError::UnknownUser(user_id.to_string());
        let user = self.store.find_interned(user_id.as_bytes()).await?;
        let user = user.ok_or_else(unknown)?;
        let sharing = memberships::list_sharing(&mut read, viewer, &[user]).await?;
        if viewer != user && sharing.is_empty() {
            users::find(&mut read, user).await?.ok_or_else(unknown)?;
            return Err(PresenceError::NotShared(user_id.to_string()));
        }
        if let Some(known) = self.store.live().presence(user) {
            return Ok(self.shown_presence(known));
        }
        // Nothing is known since this server was started: the last act that was recorded.
        let seen = sessions::list_last_seen(&mut read, &[user]).await?;
        Ok(self.shown_presence(Presence {
            state: PresenceState::Offline,
            last_active_ms: seen.first().map(|(_, seen_ms)| *seen_ms),
            status_msg: None,
        }))
    }

    /// Whose presence has changed since the token's part for it, and who is there in rooms that
    /// the viewer has just entered: of users who share a room with the viewer, at most 100.
    pub(crate) async fn presence_news(
        &self,
        viewer: i64,
        (since, entered): (i64, &[i64]),
        filter: &EventFilter,
    ) -> StoreResult<PresenceNews> {
        let found = self.store.live().presence_since(since, LOOK_MAX);
        let mut news = PresenceNews {
            events: String::new(),
            next: found.next,
        };
        if !filter.allows_type(PRESENCE) {
            return Ok(news);
        }
        let mut users = self.told_of(viewer, found.users).await?;
        if !entered.is_empty() {
            users.extend(self.present_in(entered).await?);
        }
        let mut seen = BTreeSet::new();
        users.retain(|user| seen.insert(*user));
        users.truncate(SHOW_MAX);
        self.write_presence(&mut news.events, &users, filter)
            .await?;
        Ok(news)
    }

    /// Those of these users whose presence a viewer may know, in their order.
    pub(crate) async fn told_of(&self, viewer: i64, mut users: Vec<i64>) -> StoreResult<Vec<i64>> {
        if users.iter().any(|user| *user != viewer) {
            let mut read = self.store.read();
            let sharing = memberships::list_sharing(&mut read, viewer, &users).await?;
            users.retain(|user| *user == viewer || sharing.binary_search(user).is_ok());
        }
        Ok(users)
    }

    async fn present_in(&self, rooms: &[i64]) -> StoreResult<Vec<i64>> {
        let present = self.store.live().presence_since(0, LOOK_MAX).users;
        let mut read = self.store.read();
        let mut found = Vec::new();
        for room in rooms.iter().take(ENTERED_MAX) {
            found.extend(memberships::list_joined(&mut read, *room, &present).await?);
        }
        Ok(found)
    }

    async fn write_presence(
        &self,
        out: &mut String,
        users: &[i64],
        filter: &EventFilter,
    ) -> StoreResult<()> {
        let names = self.store.interned(users).await?;
        for (user, name) in users.iter().zip(names) {
            let Ok(name) = std::str::from_utf8(&name) else {
                continue;
            };
            let Some(found) = self.store.live().presence(*user) else {
                continue;
            };
            if !filter.allows_sender(name) {
                continue;
            }
            if !out.is_empty() {
                out.push(',');
            }
            write_event(out, name, &self.shown_presence(found));
        }
        Ok(())
    }

    pub(crate) fn shown_presence(&self, presence: Presence) -> ShownPresence {
        let now_ms = self.rooms.server().now_ms();
        let ago =
            |active_ms: i64| now_ms.saturating_sub(u64::try_from(active_ms).unwrap_or_default());
        ShownPresence {
            state: presence.state,
            last_active_ago_ms: presence.last_active_ms.map(ago),
            status_msg: presence.status_msg,
        }
    }
}

impl ShownPresence {
    /// Whether the user is active now: who is online and has not been idle for long.
    pub fn currently_active(&self) -> bool {
        self.state == PresenceState::Online
    }

    /// The name of the state in events and APIs.
    pub fn state_name(&self) -> &'static str {
        match self.state {
            PresenceState::Online => "online",
            PresenceState::Unavailable => "unavailable",
            PresenceState::Offline => "offline",
        }
    }
}

fn write_event(out: &mut String, user_id: &str, presence: &ShownPresence) {
    let _ = write!(
        out,
        r#"{{"type":"m.presence","sender":{},"content":{{"presence":"{}","currently_active":{}"#,
        quoted(user_id),
        presence.state_name(),
        presence.currently_active()
    );
    if let Some(ago_ms) = presence.last_active_ago_ms {
        let _ = write!(out, r#","last_active_ago":{ago_ms}"#);
    }
    if let Some(status_msg) = &presence.status_msg {
        let _ = write!(out, r#","status_msg":{}"#, quoted(status_msg));
    }
    out.push_str("}}");
}
