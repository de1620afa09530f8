//! Users come and go: join, invite, leave.

use myelin_core::membership::Membership;
use myelin_store::StoreError;
use ruma::{CanonicalJsonObject, RoomId, UserId};

use crate::{
    AppendError, Rooms,
    append::{Draft, OpenRoom},
    numbers::EventNumbers,
};

const MEMBER: &str = "m.room.member";

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
}

/// Why a user did not enter a room.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// This server knows no such room.
    #[error("this server does not know the room {0}")]
    UnknownRoom(String),
    /// The room's rules refuse it.
    #[error("{0}")]
    Append(AppendError),
    /// The database failed.
    #[error("the membership could not be stored")]
    Store(#[from] StoreError),
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
    /// The target lives on another server, which this server cannot reach.
    #[error("{0} lives on another server, and this server does not federate")]
    OtherServer(String),
    /// The room's rules refuse it.
    #[error("{0}")]
    Append(AppendError),
    /// The database failed.
    #[error("the membership could not be stored")]
    Store(#[from] StoreError),
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
    /// The room's rules refuse it.
    #[error("{0}")]
    Append(AppendError),
    /// The database failed.
    #[error("the membership could not be stored")]
    Store(#[from] StoreError),
}

macro_rules! from_append_error {
    ($($error:ty),*) => { $(
        impl From<AppendError> for $error {
            fn from(error: AppendError) -> Self {
                match error {
                    AppendError::Store(error) => Self::Store(error),
                    other => Self::Append(other),
                }
            }
        }
    )* };
}
from_append_error!(JoinError, InviteError, LeaveError);

impl Rooms {
    /// Joins a user to a room. Who is in it already stays as they are: no event is made.
    pub async fn join(
        &self,
        room_id: &RoomId,
        user: &UserId,
        reason: Option<&str>,
    ) -> Result<(), JoinError> {
        let draft = self
            .member_draft((user, user), Membership::Join, reason)
            .await?;
        let mut attempts = self.store.attempts();
        loop {
            let unknown = || JoinError::UnknownRoom(room_id.to_string());
            let mut room = self.open(room_id).await?.ok_or_else(unknown)?;
            if room.membership(draft.numbers.sender).await? == Membership::Join {
                return Ok(());
            }
            room.append(&draft).await?;
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }

    /// Invites a user to a room.
    pub async fn invite(&self, invite: Invite<'_>) -> Result<(), InviteError> {
        if !self.server.is_local(invite.target) {
            return Err(InviteError::OtherServer(invite.target.to_string()));
        }
        let draft = self
            .member_draft(
                (invite.sender, invite.target),
                Membership::Invite,
                invite.reason,
            )
            .await?;
        let target = draft.numbers.state_key.unwrap_or_default();
        let mut attempts = self.store.attempts();
        loop {
            let mut room = self.open_as_member(invite, &draft).await?;
            if room.membership(target).await? == Membership::Join {
                return Err(InviteError::AlreadyInRoom(invite.target.to_string()));
            }
            room.append(&draft).await?;
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }

    /// Takes a user out of a room, or rejects an invitation.
    pub async fn leave(
        &self,
        room_id: &RoomId,
        user: &UserId,
        reason: Option<&str>,
    ) -> Result<(), LeaveError> {
        let draft = self
            .member_draft((user, user), Membership::Leave, reason)
            .await?;
        let refused = || LeaveError::NotInRoom {
            user: user.to_string(),
            room_id: room_id.to_string(),
        };
        let mut attempts = self.store.attempts();
        loop {
            let mut room = self.open(room_id).await?.ok_or_else(refused)?;
            let membership = room.membership(draft.numbers.sender).await?;
            if !matches!(
                membership,
                Membership::Join | Membership::Invite | Membership::Knock
            ) {
                return Err(refused());
            }
            room.append(&draft).await?;
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }

    async fn open_as_member<'a>(
        &'a self,
        invite: Invite<'a>,
        draft: &Draft<'_>,
    ) -> Result<OpenRoom<'a>, InviteError> {
        let refused = || InviteError::NotInRoom {
            sender: invite.sender.to_string(),
            room_id: invite.room_id.to_string(),
        };
        let mut room = self.open(invite.room_id).await?.ok_or_else(refused)?;
        if room.membership(draft.numbers.sender).await? == Membership::Join {
            Ok(room)
        } else {
            Err(refused())
        }
    }

    pub(crate) async fn member_draft<'a>(
        &self,
        (sender, target): (&'a UserId, &'a UserId),
        membership: Membership,
        reason: Option<&str>,
    ) -> Result<Draft<'a>, StoreError> {
        let mut content = CanonicalJsonObject::new();
        content.insert(
            "membership".to_owned(),
            membership.as_str().to_owned().into(),
        );
        if let Some(reason) = reason {
            content.insert("reason".to_owned(), reason.to_owned().into());
        }
        let numbers =
            EventNumbers::intern(&self.store, MEMBER, sender, Some(target.as_str())).await?;
        Ok(Draft {
            sender,
            event_type: MEMBER,
            state_key: Some(target.as_str()),
            numbers,
            content,
            redacts: None,
            transaction: None,
        })
    }
}
