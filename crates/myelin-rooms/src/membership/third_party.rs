//! Invitations to people known by an e-mail address or a telephone number.

use myelin_core::membership::Membership;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, UserId};
use serde::Deserialize;

use super::{JoinError, member_content};
use crate::{Rooms, numbers::EventNumbers, open_room::OpenRoom};

#[derive(Deserialize)]
struct Invitation {
    #[serde(default)]
    display_name: String,
}

impl Rooms {
    /// Turns the invitation that the token names into one for this user, sent by who sent the
    /// first: the rules check that the identity server has signed for the user.
    pub(super) async fn accept_third_party_invite(
        &self,
        room: &mut OpenRoom<'_>,
        (user, numbers): (&UserId, EventNumbers),
        signed: &CanonicalJsonObject,
    ) -> Result<(), JoinError> {
        let membership = room.membership(numbers.sender).await?;
        if !matches!(membership, Membership::Leave | Membership::Knock) {
            return Ok(());
        }
        let unknown = || JoinError::NoThirdPartyInvite(user.to_string());
        let text = |key: &str| signed.get(key).and_then(CanonicalJsonValue::as_str);
        if text("mxid") != Some(user.as_str()) {
            return Err(unknown());
        }
        let token = text("token").ok_or_else(unknown)?;
        let pending = room.state_named("m.room.third_party_invite", token).await?;
        let pending = pending
            .filter(|event| self.server.is_local(&event.sender))
            .ok_or_else(unknown)?;
        // A revoked invitation is one with empty content.
        let invitation: Invitation =
            serde_json::from_str(pending.content.get()).map_err(|_| unknown())?;
        let mut content = member_content(Membership::Invite, None);
        let third_party = CanonicalJsonObject::from([
            ("display_name".to_owned(), invitation.display_name.into()),
            ("signed".to_owned(), signed.clone().into()),
        ]);
        content.insert("third_party_invite".to_owned(), third_party.into());
        let users = (&*pending.sender, user);
        let draft = self.member_draft(users, content).await?;
        room.append(&draft).await?;
        Ok(())
    }
}
