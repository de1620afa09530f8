//! What members do to the memberships of others: kick, ban, unban.

use myelin_core::membership::Membership;
use myelin_store::StoreError;
use ruma::{RoomId, UserId};

use super::{member_content, scoped};
use crate::{AppendError, ClientTransaction, Rooms};

/// An act on another user's membership.
#[derive(Clone, Copy, Debug)]
pub struct Moderation<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// Who acts.
    pub sender: &'a UserId,
    /// On whom.
    pub target: &'a UserId,
    /// Why, in words for all.
    pub reason: Option<&'a str>,
    /// Names the request, if its repetition shall be answered as the first time.
    pub transaction: Option<ClientTransaction<'a>>,
}

/// Why a user was not kicked, banned or unbanned.
#[derive(Debug, thiserror::Error)]
pub enum ModerationError {
    /// There is no such room here, or the sender is not in it: which of the two is not told.
    #[error("{sender} is not in the room {room_id}")]
    NotInRoom {
        /// Who wanted to act.
        sender: String,
        /// Where.
        room_id: String,
    },
    /// Who is to be kicked is neither joined nor invited, and has not knocked.
    #[error("{0} is not in the room")]
    TargetNotInRoom(String),
    /// Who is to be unbanned is not banned.
    #[error("{0} is not banned")]
    NotBanned(String),
    /// The room's rules refuse it.
    #[error("{0}")]
    Append(AppendError),
    /// The database failed.
    #[error("the membership could not be stored")]
    Store(#[from] StoreError),
}

#[derive(Clone, Copy)]
enum Act {
    Kick,
    Ban,
    Unban,
}

impl Rooms {
    /// Takes another user out of a room, or their invitation or knock away.
    pub async fn kick(&self, kick: Moderation<'_>) -> Result<(), ModerationError> {
        self.moderate(kick, Act::Kick).await
    }

    /// Keeps a user out of a room until they are unbanned, whether they were in it or not.
    pub async fn ban(&self, ban: Moderation<'_>) -> Result<(), ModerationError> {
        self.moderate(ban, Act::Ban).await
    }

    /// Lets a user who was banned be invited and join again.
    pub async fn unban(&self, unban: Moderation<'_>) -> Result<(), ModerationError> {
        self.moderate(unban, Act::Unban).await
    }

    async fn moderate(&self, wanted: Moderation<'_>, act: Act) -> Result<(), ModerationError> {
        let membership = match act {
            Act::Kick | Act::Unban => Membership::Leave,
            Act::Ban => Membership::Ban,
        };
        let content = member_content(membership, wanted.reason);
        let users = (wanted.sender, wanted.target);
        let draft = self.member_draft(users, content).await?;
        let target = draft.numbers.state_key.unwrap_or_default();
        let transaction = scoped(wanted.transaction, draft.numbers.sender, wanted.room_id);
        let mut attempts = self.store.attempts();
        loop {
            if self.answered(transaction.as_ref()).await?.is_some() {
                return Ok(());
            }
            let refused = || ModerationError::NotInRoom {
                sender: wanted.sender.to_string(),
                room_id: wanted.room_id.to_string(),
            };
            let room = self.open_as_member(wanted.room_id, draft.numbers.sender);
            let mut room = room.await?.ok_or_else(refused)?;
            check(act, room.membership(target).await?, wanted.target)?;
            if room.standing(&draft).await?.is_some() {
                return Ok(());
            }
            room = room.append(&draft).await?.room;
            let number = room.number();
            self.remember(&mut room.writes, transaction.as_ref(), number);
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }
}

/// By the rules of rooms, to kick and to unban are one act: what the target is tells them apart.
fn check(act: Act, membership: Membership, target: &UserId) -> Result<(), ModerationError> {
    match (act, membership) {
        (Act::Kick, Membership::Leave | Membership::Ban) => {
            Err(ModerationError::TargetNotInRoom(target.to_string()))
        }
        (Act::Unban, Membership::Ban) | (Act::Kick | Act::Ban, _) => Ok(()),
        (Act::Unban, _) => Err(ModerationError::NotBanned(target.to_string())),
    }
}
