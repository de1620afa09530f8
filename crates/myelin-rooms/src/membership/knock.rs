//! Knocking: asking to be invited.

use myelin_core::membership::Membership;
use myelin_store::StoreError;
use ruma::{OwnedServerName, RoomId, UserId};

use super::member_content;
use crate::{AppendError, RemoteError, Rooms};

/// A user's request to be invited to a room.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user.
    pub user: &'a UserId,
    /// Why, in words for the members.
    pub reason: Option<&'a str>,
    /// Servers that are in the room, as far as the user knows: they are asked if this server is not.
    pub via: &'a [OwnedServerName],
}

/// Why a user could not knock.
#[derive(Debug, thiserror::Error)]
pub enum KnockError {
    /// This server knows no such room.
    #[error("this server does not know the room {0}")]
    UnknownRoom(String),
    /// Other servers had to be asked, and refused.
    #[error(transparent)]
    Remote(RemoteError),
    /// The room's rules refuse it.
    #[error("{0}")]
    Append(AppendError),
    /// The database failed.
    #[error("the membership could not be stored")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Knocks on a room. Who has knocked with the same words stays as they are: no event is made.
    pub async fn knock(&self, knock: Knock<'_>) -> Result<(), KnockError> {
        if !self.is_resident(knock.room_id).await? {
            return self.knock_from_outside(&knock).await;
        }
        let content = member_content(Membership::Knock, knock.reason);
        let draft = self.member_draft((knock.user, knock.user), content).await?;
        let mut attempts = self.store.attempts();
        loop {
            let unknown = || KnockError::UnknownRoom(knock.room_id.to_string());
            let mut room = self.open(knock.room_id).await?.ok_or_else(unknown)?;
            if room.standing(&draft).await?.is_some() {
                return Ok(());
            }
            room = room.append(&draft).await?.room;
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }
}
