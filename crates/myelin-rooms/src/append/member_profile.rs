//! Member events carry the display name and the avatar of the user whom they are about.

use myelin_store::{StoreError, profiles};
use ruma::{CanonicalJsonObject, UserId};

use super::Draft;
use crate::open_room::OpenRoom;

impl OpenRoom<'_> {
    /// The draft's content with the profile of the local user whom it joins or invites, where it
    /// does not bring its own. The set then expects that profile, so no event carries an older one
    /// past the job that brings a new one into all rooms.
    pub(crate) async fn with_profile(
        &mut self,
        draft: &Draft<'_>,
    ) -> Result<CanonicalJsonObject, StoreError> {
        let mut content = draft.content.clone();
        let (Some(user_id), Some(user)) = (draft.state_key, draft.numbers.state_key) else {
            return Ok(content);
        };
        let is_shown = matches!(
            content
                .get("membership")
                .and_then(|membership| membership.as_str()),
            Some("join" | "invite" | "knock")
        );
        let is_local =
            || <&UserId>::try_from(user_id).is_ok_and(|id| self.rooms.server.is_local(id));
        if draft.event_type != "m.room.member" || !is_shown || !is_local() {
            return Ok(content);
        }
        let profile = profiles::find(&mut self.read, user).await?;
        profiles::expect(&mut self.writes, user, &profile);
        let fields = [
            ("displayname", profile.displayname),
            ("avatar_url", profile.avatar_url),
        ];
        for (key, value) in fields {
            if let Some(value) = value {
                content.entry(key.to_owned()).or_insert(value.into());
            }
        }
        Ok(content)
    }
}
