//! Leaving: a room, an invitation, a knock.

use myelin_core::membership::Membership;
use myelin_store::{StoreError, server_notice_rooms};
use ruma::{RoomId, UserId};

use super::{member_content, scoped};
use crate::{AppendError, ClientTransaction, Rooms, append::Draft, open_room::OpenRoom};

/// A user's wish not to be in a room.
#[derive(Clone, Copy, Debug)]
pub struct Leave<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user.
    pub user: &'a UserId,
    /// Why, in words for the others.
    pub reason: Option<&'a str>,
    /// Names the request, if its repetition shall be answered as the first time.
    pub transaction: Option<ClientTransaction<'a>>,
}

/// Why a user did not leave a room.
#[derive(Debug, thiserror::Error)]
pub enum LeaveError {
    /// There is no such room here, or the user is neither joined nor invited.
    #[error("{user} is not in the room {room_id}")]
    NotInRoom {
        /// Who wanted to leave.
        user: String,
        /// Which room.
        room_id: String,
    },
    /// The server tells the user there what they must know.
    #[error("{0} is for the notices of the server, and cannot be left")]
    ServerNotices(String),
    /// The room's rules refuse it.
    #[error("{0}")]
    Append(AppendError),
    /// The database failed.
    #[error("the membership could not be stored")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Takes a user out of a room, rejects an invitation, or takes a knock back. Who has left
    /// before has left: a client whose answer was lost may ask again.
    pub async fn leave(&self, leave: Leave<'_>) -> Result<(), LeaveError> {
        if !self.is_resident(leave.room_id).await?
            && self.is_outside(leave.room_id, leave.user).await?
        {
            return self.leave_from_outside(&leave).await;
        }
        self.leave_here(leave).await
    }

    async fn leave_here(&self, leave: Leave<'_>) -> Result<(), LeaveError> {
        let Leave { room_id, user, .. } = leave;
        let content = member_content(Membership::Leave, leave.reason);
        let draft = self.member_draft((user, user), content).await?;
        let transaction = scoped(leave.transaction, draft.numbers.sender, room_id);
        let mut attempts = self.store.attempts();
        loop {
            if self.answered(transaction.as_ref()).await?.is_some() {
                return Ok(());
            }
            let refused = || LeaveError::NotInRoom {
                user: user.to_string(),
                room_id: room_id.to_string(),
            };
            let mut room = self.open(room_id).await?.ok_or_else(refused)?;
            let number = room.number();
            if has_left(&mut room, &draft).await? {
                drop(room);
                return Ok(self.remember_alone(transaction.as_ref(), number).await?);
            }
            self.prepare_leave(&mut room, &draft).await?;
            room = room.append(&draft).await?.room;
            self.remember(&mut room.writes, transaction.as_ref(), number);
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }

    /// What must be so before somebody leaves, besides the rules of the room.
    pub(crate) async fn prepare_leave(
        &self,
        room: &mut OpenRoom<'_>,
        draft: &Draft<'_>,
    ) -> Result<(), LeaveError> {
        let notices = server_notice_rooms::find(&mut room.read, draft.numbers.sender).await?;
        if notices == Some(room.number()) {
            return Err(LeaveError::ServerNotices(room.id().to_string()));
        }
        let membership = room.membership(draft.numbers.sender).await?;
        if matches!(
            membership,
            Membership::Join | Membership::Invite | Membership::Knock
        ) {
            return Ok(());
        }
        Err(LeaveError::NotInRoom {
            user: draft.sender.to_string(),
            room_id: room.id().to_string(),
        })
    }
}

/// Whether the user has left of their own accord; who was kicked has not.
async fn has_left(room: &mut OpenRoom<'_>, draft: &Draft<'_>) -> Result<bool, StoreError> {
    let member = room.member(draft.numbers.sender).await?;
    Ok(member.is_some_and(|event| {
        event.sender == draft.sender
            && Membership::of_content(&event.content) == Some(Membership::Leave)
    }))
}
