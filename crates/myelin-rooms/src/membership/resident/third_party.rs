//! Invitations to people known by an e-mail address or a telephone number, once an identity server
//! knows who they are (spec: "Third-party invites").

use ruma::{
    CanonicalJsonObject, OwnedRoomId, OwnedUserId, RoomId, ServerName, UserId,
    api::federation::thirdparty::exchange_invite, serde::Raw,
};

use super::HandshakeError;
use crate::{InviteError, Rooms};

/// Invitations that one notice of an identity server may bring.
const INVITES_MAX: usize = 20;

/// An invitation that is to become one for a user.
#[derive(Clone, Debug)]
pub struct ThirdPartyInvite {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Who has sent it.
    pub sender: OwnedUserId,
    /// Whom it is for, as turns out.
    pub user: OwnedUserId,
    /// What the identity server has signed for the user.
    pub signed: CanonicalJsonObject,
}

impl Rooms {
    /// Invites a user of another server in the place of the address that a user of this server has
    /// invited.
    pub async fn exchange_third_party_invite(
        &self,
        origin: &ServerName,
        invite: &ThirdPartyInvite,
    ) -> Result<(), HandshakeError> {
        if invite.user.server_name() != origin {
            return Err(HandshakeError::NotYourUser(invite.user.to_string()));
        }
        if !self.server.is_local(&invite.sender) {
            return Err(HandshakeError::OtherEvent("sender"));
        }
        drop(self.open_for(&invite.room_id, origin).await?);
        self.invite_in_place(invite).await
    }

    /// Invites users of this server in the place of their addresses. What cannot be done for one
    /// invitation does not hold up the others.
    pub async fn accept_bound_invites(&self, user: &UserId, invites: Vec<ThirdPartyInvite>) {
        for invite in invites.into_iter().take(INVITES_MAX) {
            if invite.user != user || !self.server.is_local(user) {
                continue;
            }
            let accepted = if self.server.is_local(&invite.sender) {
                self.invite_in_place(&invite).await
            } else {
                self.ask_to_exchange(&invite).await
            };
            if let Err(error) = accepted {
                let ThirdPartyInvite {
                    room_id, sender, ..
                } = &invite;
                tracing::info!(%room_id, %sender, %user, %error, "no invitation for a bound address");
            }
        }
    }

    async fn invite_in_place(&self, invite: &ThirdPartyInvite) -> Result<(), HandshakeError> {
        let ThirdPartyInvite {
            room_id,
            sender,
            user,
            signed,
        } = invite;
        let unknown = || HandshakeError::UnknownRoom(room_id.to_string());
        let pending = {
            let mut room = self.open(room_id).await?.ok_or_else(unknown)?;
            let pending = self.pending_invite(&mut room, (user, signed)).await?;
            let pending = pending.filter(|pending| pending.inviter == *sender);
            let refused = || {
                let reason = "the room has no such third-party invitation";
                HandshakeError::Refused(reason.to_owned())
            };
            pending.ok_or_else(refused)?
        };
        let checked = self.check_identity_keys(&pending.keys).await;
        checked.map_err(|error| HandshakeError::Refused(error.to_string()))?;
        let draft = self.member_draft((sender, user), pending.content);
        let draft = draft.await?;
        self.bring_invite(&draft, (room_id, user)).await
    }

    async fn bring_invite(
        &self,
        draft: &crate::append::Draft<'_>,
        (room_id, user): (&RoomId, &UserId),
    ) -> Result<(), HandshakeError> {
        let invited = self.invite_by_draft(draft, (room_id, user)).await;
        invited.map_err(|error| match error {
            InviteError::Store(error) => HandshakeError::Store(error),
            InviteError::Append(error) => error.into(),
            error => HandshakeError::Refused(error.to_string()),
        })
    }

    async fn ask_to_exchange(&self, invite: &ThirdPartyInvite) -> Result<(), HandshakeError> {
        let refused = |error: String| HandshakeError::Refused(error);
        let content = serde_json::json!({
            "membership": "invite",
            "third_party_invite": {"display_name": "", "signed": invite.signed},
        });
        let content = Raw::new(&content).map_err(|error| refused(error.to_string()))?;
        let request = exchange_invite::v1::Request::new(
            invite.room_id.clone(),
            invite.sender.clone(),
            invite.user.clone(),
            content.cast_unchecked(),
        );
        let asked = self.federation.ask(invite.sender.server_name(), request);
        let answer = asked.await.map_err(|error| refused(error.to_string()));
        answer.map(|_| ())
    }
}
