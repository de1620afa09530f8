//! Invitations of this server's users by those of others (spec: "Inviting to a room").

use std::time::Duration;

use myelin_accounts::invite_wishes;
use myelin_core::{
    event::{self, Event},
    invite_permission::InvitePermission,
    membership::Membership,
};
use myelin_store::users;
use ruma::{EventId, OwnedUserId, RoomId, RoomVersionId, ServerName, UserId};
use serde_json::value::RawValue;

use super::HandshakeError;
use crate::{Rooms, membership::MEMBER, membership::remote::Outside};

pub use state::InviteState;

mod state;

/// How long the keys for an invitation are waited for.
const KEYS_WITHIN: Duration = Duration::from_secs(15);

/// An invitation by a user of another server.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedInvite<'a> {
    /// Which server sends it.
    pub origin: &'a ServerName,
    /// The room that the request is about.
    pub room_id: &'a RoomId,
    /// The event that it is about.
    pub event_id: &'a EventId,
    /// The version of the room.
    pub version: &'a RoomVersionId,
    /// The event itself.
    pub pdu: &'a RawValue,
    /// What is told of the room.
    pub state: &'a [Box<RawValue>],
}

impl Rooms {
    /// Signs an invitation that a user of this server may get, and shows it to the user. If this
    /// server is in the room, the invitation comes to the user by the room.
    pub async fn receive_invite(
        &self,
        invite: ReceivedInvite<'_>,
    ) -> Result<Event, HandshakeError> {
        if invite.version.rules().is_none() {
            return Err(HandshakeError::UnknownVersion(invite.version.clone()));
        }
        let event = event::parse(invite.pdu.get().as_bytes(), invite.version)?;
        let user = self.check_invite(&invite, &event)?;
        self.check_invited(&user, &event.sender).await?;
        let room = (invite.version, invite.room_id);
        let mut verified = self.verify(&[invite.pdu], room, KEYS_WITHIN).await;
        let event = verified.pop().unwrap_or(Ok(event))?;
        let state = self.invite_state(room, invite.state, &user).await?;
        let signed = event::add_signature(&event, invite.version, &self.server)?;
        let outside = Outside {
            event: &signed,
            version: invite.version,
            membership: Membership::Invite,
            state: &state.json,
        };
        self.store_outside(&outside).await?;
        Ok(signed)
    }

    /// Every place that names the room, the event, the users or the act must name the same
    /// (CVE-2020-26257).
    fn check_invite(
        &self,
        invite: &ReceivedInvite<'_>,
        event: &Event,
    ) -> Result<OwnedUserId, HandshakeError> {
        let user = event.state_key.as_deref().map(UserId::parse);
        let user = user.and_then(Result::ok);
        let user = user.filter(|user| self.server.is_local(user));
        let membership = Membership::of_content(&event.content);
        let checks = [
            ("event_id", event.event_id == invite.event_id),
            ("room_id", event.room_id == invite.room_id),
            ("type", event.type_str() == MEMBER),
            ("content.membership", membership == Some(Membership::Invite)),
            ("sender", event.sender.server_name() == invite.origin),
        ];
        match checks.into_iter().find(|(_, holds)| !holds) {
            Some((key, _)) => Err(HandshakeError::OtherEvent(key)),
            None => user.ok_or(HandshakeError::OtherEvent("state_key")),
        }
    }

    /// Whether a user of this server takes invitations of somebody else.
    async fn check_invited(&self, user: &UserId, sender: &UserId) -> Result<(), HandshakeError> {
        let unknown = || HandshakeError::NoSuchUser(user.to_string());
        let number = self.store.find_interned(user.as_bytes()).await?;
        let number = number.ok_or_else(unknown)?;
        let mut read = self.store.read();
        let account = users::find(&mut read, number).await?;
        if account.is_none_or(|account| account.deactivated_ms.is_some()) {
            return Err(unknown());
        }
        let wishes = invite_wishes(&self.store, &mut read, number).await?;
        if wishes.of(sender) == InvitePermission::Block {
            return Err(HandshakeError::InviteBlocked(user.to_string()));
        }
        Ok(())
    }
}
