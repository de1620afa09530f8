//! Invitations to people known by an e-mail address or a telephone number.

use myelin_core::membership::Membership;
use myelin_store::StoreResult;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedUserId, UserId};
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
    pub(super) async fn accept_third_party_invite<'a>(
        &self,
        mut room: OpenRoom<'a>,
        (user, numbers): (&UserId, EventNumbers),
        signed: &CanonicalJsonObject,
    ) -> Result<OpenRoom<'a>, JoinError> {
        let membership = room.membership(numbers.sender).await?;
        if !matches!(membership, Membership::Leave | Membership::Knock) {
            return Ok(room);
        }
        let pending = self.pending_invite(&mut room, (user, signed)).await?;
        let pending = pending.filter(|(inviter, _)| self.server.is_local(inviter));
        let (inviter, content) =
            pending.ok_or_else(|| JoinError::NoThirdPartyInvite(user.to_string()))?;
        let draft = self.member_draft((&inviter, user), content).await?;
        Ok(room.append(&draft).await?.room)
    }

    /// Who has sent the invitation that an identity server's signature is for, and the content of
    /// the one that takes its place.
    pub(crate) async fn pending_invite(
        &self,
        room: &mut OpenRoom<'_>,
        (user, signed): (&UserId, &CanonicalJsonObject),
    ) -> StoreResult<Option<(OwnedUserId, CanonicalJsonObject)>> {
        let text = |key: &str| signed.get(key).and_then(CanonicalJsonValue::as_str);
        let token = text("token").filter(|_| text("mxid") == Some(user.as_str()));
        let Some(token) = token else {
            return Ok(None);
        };
        let pending = room.state_named("m.room.third_party_invite", token).await?;
        let Some(pending) = pending else {
            return Ok(None);
        };
        // A revoked invitation is one with empty content.
        let Ok(invitation) = serde_json::from_str::<Invitation>(pending.content.get()) else {
            return Ok(None);
        };
        let mut content = member_content(Membership::Invite, None);
        let third_party = CanonicalJsonObject::from([
            ("display_name".to_owned(), invitation.display_name.into()),
            ("signed".to_owned(), signed.clone().into()),
        ]);
        content.insert("third_party_invite".to_owned(), third_party.into());
        Ok(Some((pending.sender.clone(), content)))
    }
}
