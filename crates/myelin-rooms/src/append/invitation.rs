//! Whether the one who is invited lets it happen.

use myelin_accounts::invite_wishes;
use myelin_core::invite_permission::InvitePermission;
use ruma::UserId;

use super::{AppendError, Draft};
use crate::open_room::OpenRoom;

impl OpenRoom<'_> {
    /// Refuses an invitation that the local user whom it is for has blocked; however it is made.
    pub(crate) async fn check_invitation(&mut self, draft: &Draft<'_>) -> Result<(), AppendError> {
        let (Some(target), Some(user)) = (draft.state_key, draft.numbers.state_key) else {
            return Ok(());
        };
        let membership = draft.content.get("membership");
        let is_invitation = draft.event_type == "m.room.member"
            && membership.and_then(|membership| membership.as_str()) == Some("invite");
        let server = &self.rooms.server;
        if self.invites_all
            || !is_invitation
            || !<&UserId>::try_from(target).is_ok_and(|id| server.is_local(id))
        {
            return Ok(());
        }
        let wishes = invite_wishes(&self.rooms.store, &mut self.read, user).await?;
        if wishes.of(draft.sender) == InvitePermission::Block {
            Err(AppendError::InviteBlocked(target.to_owned()))
        } else {
            Ok(())
        }
    }
}
