//! Sending state. Member events sent this way do what the endpoint for that change of membership
//! does, with content of the client's own.

use myelin_core::membership::Membership;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedEventId, RoomId, UserId};

use crate::{
    InviteError, JoinError, LeaveError, Rooms, SendError, SendOptions,
    aliases::CANONICAL_ALIAS,
    append::{Appended, Draft},
    membership::AUTHORISED_VIA,
    numbers::EventNumbers,
    open_room::OpenRoom,
};

/// A state event to send.
#[derive(Debug)]
pub struct SetState<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user.
    pub sender: &'a UserId,
    /// The event's type.
    pub event_type: &'a str,
    /// Its state key.
    pub state_key: &'a str,
    /// Its content.
    pub content: CanonicalJsonObject,
    /// Whether the sender is a guest.
    pub guest: bool,
    /// What else is asked.
    pub options: SendOptions<'a>,
}

impl Rooms {
    /// Sends a state event and answers with its id once it is durable. If the sender only repeats
    /// what they have said there, the answer is the event in place.
    pub async fn set_state(&self, set: SetState<'_>) -> Result<OwnedEventId, SendError> {
        if set.event_type == "m.room.member" {
            return self.set_member(set).await;
        }
        let numbers =
            EventNumbers::intern(&self.store, set.event_type, set.sender, Some(set.state_key))
                .await?;
        let draft = Draft {
            sender: set.sender,
            event_type: set.event_type,
            state_key: Some(set.state_key),
            numbers,
            content: set.content,
            transaction: None,
            options: set.options,
        };
        let asked = if set.event_type == CANONICAL_ALIAS && set.state_key.is_empty() {
            let asked = self.ask_for_aliases(set.room_id, &draft).await?;
            Some(asked.map_err(SendError::CanonicalAlias)?)
        } else {
            None
        };
        let mut attempts = self.store.attempts();
        loop {
            let mut room = self.open_joined(set.room_id, &draft).await?;
            if let Some(standing) = room.standing(&draft).await? {
                return Ok(standing);
            }
            if let Some(asked) = &asked {
                let checked = self.check_canonical_alias(&mut room, &draft, asked).await?;
                checked.map_err(SendError::CanonicalAlias)?;
            }
            let Appended { room, event, .. } = room.append(&draft).await?;
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(event.event_id.clone());
            }
            attempts.conflict()?;
        }
    }

    /// Sets a user's member event, and answers with its id once it is durable.
    async fn set_member(&self, set: SetState<'_>) -> Result<OwnedEventId, SendError> {
        let target = <&UserId>::try_from(set.state_key)
            .map_err(|_| SendError::NotAUser(set.state_key.to_owned()))?;
        let membership = set
            .content
            .get("membership")
            .and_then(CanonicalJsonValue::as_str)
            .and_then(Membership::from_name)
            .ok_or(SendError::NoMembership)?;
        let mut content = set.content;
        // It is for this server to say who lets users in.
        content.remove(AUTHORISED_VIA);
        let users = (set.sender, target);
        let mut draft = self.member_draft(users, content).await?;
        draft.options = set.options;
        let mut attempts = self.store.attempts();
        loop {
            let refused = || SendError::NotInRoom {
                sender: set.sender.to_string(),
                room_id: set.room_id.to_string(),
            };
            let mut room = self.open(set.room_id).await?.ok_or_else(refused)?;
            if let Some(standing) = room.standing(&draft).await? {
                return Ok(standing);
            }
            let change = (membership, target, set.guest);
            self.prepare_change(&mut room, &mut draft, change).await?;
            if membership == Membership::Invite && !self.server.is_local(target) {
                drop(room);
                let invited = self.invite_elsewhere(&draft, (set.room_id, target)).await;
                return invited.map_err(|error| match error {
                    InviteError::Store(error) => SendError::Store(error),
                    error => SendError::Invite(error),
                });
            }
            let Appended { room, event, .. } = room.append(&draft).await?;
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(event.event_id.clone());
            }
            attempts.conflict()?;
        }
    }

    async fn prepare_change(
        &self,
        room: &mut OpenRoom<'_>,
        draft: &mut Draft<'_>,
        (membership, target, guest): (Membership, &UserId, bool),
    ) -> Result<(), SendError> {
        let is_own = draft.sender == target;
        match membership {
            Membership::Join if is_own => {
                let prepared = self.prepare_join(room, draft, guest).await;
                return prepared.map_err(|error| match error {
                    JoinError::Store(error) => SendError::Store(error),
                    error => SendError::Join(error),
                });
            }
            Membership::Leave if is_own => {
                let prepared = self.prepare_leave(room, draft).await;
                return prepared.map_err(|error| match error {
                    LeaveError::Store(error) => SendError::Store(error),
                    error => SendError::Leave(error),
                });
            }
            Membership::Knock if is_own => return Ok(()),
            Membership::Join
            | Membership::Leave
            | Membership::Knock
            | Membership::Invite
            | Membership::Ban => {}
        }
        if room.membership(draft.numbers.sender).await? != Membership::Join {
            return Err(SendError::NotInRoom {
                sender: draft.sender.to_string(),
                room_id: room.id().to_string(),
            });
        }
        if membership == Membership::Invite {
            let number = draft.numbers.state_key.unwrap_or_default();
            let prepared = self.prepare_invite(room, (target, number)).await;
            prepared.map_err(|error| match error {
                InviteError::Store(error) => SendError::Store(error),
                error => SendError::Invite(error),
            })?;
        }
        Ok(())
    }
}
