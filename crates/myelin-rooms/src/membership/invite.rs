//! Inviting.

use myelin_core::membership::Membership;
use myelin_store::StoreError;
use ruma::{RoomId, UserId};

use super::{member_content, scoped};
use crate::{
    AppendError, ClientTransaction, RemoteError, Rooms, append::Draft, open_room::OpenRoom,
};

/// An invitation.
#[derive(Clone, Copy, Debug)]
pub struct Invite<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// Who invites.
    pub sender: &'a UserId,
    /// Who is invited; a local user need not exist.
    pub target: &'a UserId,
    /// Why, in words for the target.
    pub reason: Option<&'a str>,
    /// Names the request, if its repetition shall not invite again.
    pub transaction: Option<ClientTransaction<'a>>,
}

/// Why an invitation was not sent.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// There is no such room here, or the sender is not in it: which of the two is not told.
    #[error("{sender} is not in the room {room_id}")]
    NotInRoom {
        /// Who wanted to invite.
        sender: String,
        /// Where to.
        room_id: String,
    },
    /// The target is in the room already.
    #[error("{0} is already in the room")]
    AlreadyInRoom(String),
    /// The target's server was asked to sign the invitation, and did not.
    #[error(transparent)]
    Remote(RemoteError),
    /// While the target's server signed the invitation, the room has come to refuse it.
    #[error("the room refuses the invitation now: {0}")]
    Overtaken(String),
    /// The room's rules refuse it.
    #[error("{0}")]
    Append(AppendError),
    /// The database failed.
    #[error("the membership could not be stored")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Invites a user to a room. Who was invited by the same user with the same words stays so: no
    /// event is made.
    pub async fn invite(&self, invite: Invite<'_>) -> Result<(), InviteError> {
        let users = (invite.sender, invite.target);
        let content = member_content(Membership::Invite, invite.reason);
        let draft = self.member_draft(users, content).await?;
        let target = draft.numbers.state_key.unwrap_or_default();
        let transaction = scoped(invite.transaction, draft.numbers.sender, invite.room_id);
        let mut attempts = self.store.attempts();
        loop {
            if self.answered(transaction.as_ref()).await?.is_some() {
                return Ok(());
            }
            let refused = || InviteError::NotInRoom {
                sender: invite.sender.to_string(),
                room_id: invite.room_id.to_string(),
            };
            let room = self.open_as_member(invite.room_id, draft.numbers.sender);
            let mut room = room.await?.ok_or_else(refused)?;
            let number = room.number();
            self.prepare_invite(&mut room, (invite.target, target))
                .await?;
            if room.standing(&draft).await?.is_some() {
                drop(room);
                return Ok(self.remember_alone(transaction.as_ref(), number).await?);
            }
            if !self.server.is_local(invite.target) {
                drop(room);
                self.invite_elsewhere(&draft, (invite.room_id, invite.target))
                    .await?;
                return Ok(self.remember_alone(transaction.as_ref(), number).await?);
            }
            room = room.append(&draft).await?.room;
            self.remember(&mut room.writes, transaction.as_ref(), number);
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }

    /// Invites a user by a draft: of this server at once, of another after that has signed.
    pub(crate) async fn invite_by_draft(
        &self,
        draft: &Draft<'_>,
        (room_id, target): (&RoomId, &UserId),
    ) -> Result<(), InviteError> {
        if !self.server.is_local(target) {
            return self
                .invite_elsewhere(draft, (room_id, target))
                .await
                .map(|_| ());
        }
        let refused = || InviteError::NotInRoom {
            sender: draft.sender.to_string(),
            room_id: room_id.to_string(),
        };
        let mut attempts = self.store.attempts();
        loop {
            let room = self.open(room_id).await?.ok_or_else(refused)?;
            let room = room.append(draft).await?.room;
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }

    /// What must be so before somebody is invited, besides the rules of the room.
    pub(crate) async fn prepare_invite(
        &self,
        room: &mut OpenRoom<'_>,
        (target, number): (&UserId, i64),
    ) -> Result<(), InviteError> {
        if room.membership(number).await? == Membership::Join {
            return Err(InviteError::AlreadyInRoom(target.to_string()));
        }
        Ok(())
    }
}
