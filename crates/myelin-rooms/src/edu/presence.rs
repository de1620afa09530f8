//! `m.presence`: which users of another server are there.

use myelin_core::membership::Membership;
use myelin_store::{PresenceState, RemotePresence, StoreError, memberships};
use ruma::ServerName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::user_of;
use crate::Rooms;

/// Most users of one EDU whose presence has an effect.
const USERS_MAX: usize = 200;
/// What a user says about it is cut off if it is longer, which no client sends.
const STATUS_BYTES_MAX: usize = 1_024;
/// How long it holds unless it is said again.
const LASTS_MS: i64 = 30 * 60_000;

/// The content of `m.presence`. It is read value by value, so that one that is malformed is
/// dropped alone.
#[derive(Deserialize)]
pub(super) struct PresenceEdu {
    push: Vec<Value>,
}

/// One user's presence in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EduPresence {
    /// Whose it is.
    pub user_id: String,
    /// `online`, `unavailable` or `offline`.
    pub presence: String,
    /// What the user says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_msg: Option<String>,
    /// Milliseconds since the user's last act.
    #[serde(default)]
    pub last_active_ago: i64,
    /// Whether the user is active now.
    #[serde(default)]
    pub currently_active: bool,
}

impl Rooms {
    pub(super) async fn receive_presence(
        &self,
        origin: &ServerName,
        edu: PresenceEdu,
    ) -> Result<(), StoreError> {
        for value in edu.push.iter().take(USERS_MAX) {
            match EduPresence::deserialize(value) {
                Ok(found) => self.receive_one_presence(origin, &found).await?,
                Err(error) => {
                    tracing::debug!(%origin, %error, "a malformed presence is dropped");
                }
            }
        }
        Ok(())
    }

    async fn receive_one_presence(
        &self,
        origin: &ServerName,
        found: &EduPresence,
    ) -> Result<(), StoreError> {
        let state = match found.presence.as_str() {
            "online" => PresenceState::Online,
            "unavailable" => PresenceState::Unavailable,
            "offline" => PresenceState::Offline,
            _ => return Ok(()),
        };
        let Some(user) = user_of(origin, &found.user_id) else {
            tracing::debug!(%origin, user = %found.user_id, "presence of somebody else's user");
            return Ok(());
        };
        let Some(user) = self.store.find_interned(user.as_bytes()).await? else {
            return Ok(());
        };
        // Memory is kept for those alone whom somebody here may ask about.
        let mut read = self.store.read();
        let rooms = memberships::list_rooms_after(&mut read, user, &[Membership::Join], (0, 1));
        if rooms.await?.is_empty() {
            return Ok(());
        }
        let now_ms = self.server.now_ms().cast_signed();
        let ago_ms = if found.currently_active {
            0
        } else {
            found.last_active_ago.clamp(0, now_ms)
        };
        let status = found.status_msg.as_deref();
        let heard = RemotePresence {
            user,
            state,
            active_ms: now_ms - ago_ms,
            status_msg: status.map(|text| &text[..text.floor_char_boundary(STATUS_BYTES_MAX)]),
            until_ms: now_ms.saturating_add(LASTS_MS),
        };
        self.store.live().hear_presence(now_ms, &heard);
        Ok(())
    }
}
