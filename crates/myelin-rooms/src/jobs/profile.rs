//! Carrying a user's display name and avatar into a room.

use myelin_core::json;
use myelin_store::{StoreResult, profiles};
use ruma::{CanonicalJsonObject, RoomId, UserId};

use crate::{Rooms, SendOptions, append::Draft, numbers::EventNumbers};

/// What a member event says about how the user came in, which is not to be said again.
const SAID_ONCE: [&str; 4] = [
    "reason",
    "is_direct",
    "third_party_invite",
    "join_authorised_via_users_server",
];

impl Rooms {
    /// Renews a user's member event of one room, unless it shows the profile as it is.
    pub(super) async fn carry_profile(&self, user: &UserId, room_id: &RoomId) -> StoreResult<()> {
        let event_type = "m.room.member";
        let key = Some(user.as_str());
        let numbers = EventNumbers::intern(&self.store, event_type, user, key).await?;
        let mut attempts = self.store.attempts();
        loop {
            let Some(mut room) = self.open(room_id).await? else {
                return Ok(());
            };
            let Some(member) = room.member(numbers.sender).await? else {
                return Ok(());
            };
            let profile = profiles::find(&mut room.read, numbers.sender).await?;
            let mut content = match json::parse_object(member.content.get().as_bytes()) {
                Ok(content) if is_joined(&content) && !shows(&content, &profile) => content,
                Ok(_) | Err(_) => return Ok(()),
            };
            // Appending puts in the present ones.
            content.remove("displayname");
            content.remove("avatar_url");
            content.retain(|key, _| !SAID_ONCE.contains(&key.as_str()));
            let draft = Draft {
                sender: user,
                event_type,
                state_key: key,
                numbers,
                content,
                transaction: None,
                options: SendOptions::default(),
            };
            if self.append_unless_refused(room, &draft).await? {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }
}

fn is_joined(content: &CanonicalJsonObject) -> bool {
    content.get("membership").and_then(|value| value.as_str()) == Some("join")
}

fn shows(content: &CanonicalJsonObject, profile: &profiles::Profile) -> bool {
    let is = |key, wanted: &Option<String>| {
        content.get(key).and_then(|value| value.as_str()) == wanted.as_deref()
    };
    is("displayname", &profile.displayname) && is("avatar_url", &profile.avatar_url)
}
