//! Users come and go: join, invite, leave.

use myelin_core::membership::Membership;
use myelin_store::{StoreError, WriteSet, transactions::Transaction};
use ruma::{CanonicalJsonObject, RoomId, UserId};

use crate::{
    AppendError, ClientTransaction, Rooms,
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
    /// Names the request, if its repetition shall not invite again.
    pub transaction: Option<ClientTransaction<'a>>,
}

/// A user's wish to be in a room.
#[derive(Clone, Copy, Debug)]
pub struct Join<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user.
    pub user: &'a UserId,
    /// Why, in words for the others.
    pub reason: Option<&'a str>,
    /// Names the request, if its repetition shall not join again after a leave.
    pub transaction: Option<ClientTransaction<'a>>,
}

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
    pub async fn join(&self, join: Join<'_>) -> Result<(), JoinError> {
        let draft = self
            .member_draft((join.user, join.user), Membership::Join, join.reason)
            .await?;
        let transaction = scoped(join.transaction, draft.numbers.sender, join.room_id);
        let mut attempts = self.store.attempts();
        loop {
            if self.answered(transaction.as_ref()).await?.is_some() {
                return Ok(());
            }
            let unknown = || JoinError::UnknownRoom(join.room_id.to_string());
            let mut room = self.open(join.room_id).await?.ok_or_else(unknown)?;
            let number = room.number();
            if room.membership(draft.numbers.sender).await? == Membership::Join {
                drop(room);
                return Ok(self.remember_alone(transaction.as_ref(), number).await?);
            }
            room.append(&draft).await?;
            self.remember(&mut room.writes, transaction.as_ref(), number);
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
        let users = (invite.sender, invite.target);
        let draft = self
            .member_draft(users, Membership::Invite, invite.reason)
            .await?;
        let target = draft.numbers.state_key.unwrap_or_default();
        let transaction = scoped(invite.transaction, draft.numbers.sender, invite.room_id);
        let mut attempts = self.store.attempts();
        loop {
            if self.answered(transaction.as_ref()).await?.is_some() {
                return Ok(());
            }
            let mut room = self.open_as_member(invite, &draft).await?;
            if room.membership(target).await? == Membership::Join {
                return Err(InviteError::AlreadyInRoom(invite.target.to_string()));
            }
            room.append(&draft).await?;
            let number = room.number();
            self.remember(&mut room.writes, transaction.as_ref(), number);
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }

    /// Takes a user out of a room, or rejects an invitation.
    pub async fn leave(&self, leave: Leave<'_>) -> Result<(), LeaveError> {
        let Leave { room_id, user, .. } = leave;
        let draft = self
            .member_draft((user, user), Membership::Leave, leave.reason)
            .await?;
        let refused = || LeaveError::NotInRoom {
            user: user.to_string(),
            room_id: room_id.to_string(),
        };
        let transaction = scoped(leave.transaction, draft.numbers.sender, room_id);
        let mut attempts = self.store.attempts();
        loop {
            if self.answered(transaction.as_ref()).await?.is_some() {
                return Ok(());
            }
            let mut room = self.open(room_id).await?.ok_or_else(refused)?;
            let membership = room.membership(draft.numbers.sender).await?;
            if !matches!(
                membership,
                Membership::Join | Membership::Invite | Membership::Knock
            ) {
                return Err(refused());
            }
            room.append(&draft).await?;
            let number = room.number();
            self.remember(&mut room.writes, transaction.as_ref(), number);
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }

    /// Remembers that a request was answered though there was nothing to do: its repetition must
    /// not do it after all.
    async fn remember_alone(
        &self,
        transaction: Option<&Transaction>,
        room: i64,
    ) -> Result<(), StoreError> {
        if transaction.is_none() {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        self.remember(&mut writes, transaction, room);
        match self.store.commit(writes).await {
            // The same request was answered at the same time.
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
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
            transaction: None,
        })
    }
}

fn scoped(
    transaction: Option<ClientTransaction<'_>>,
    user: i64,
    room_id: &RoomId,
) -> Option<Transaction> {
    transaction.map(|named| named.of(user, room_id.as_str()))
}
