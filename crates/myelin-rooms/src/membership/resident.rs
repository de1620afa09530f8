//! What this server does for users of others who come into its rooms, leave them, or knock.
//!
//! `make.rs` gives templates, `send.rs` takes the events that were made of them, `answer.rs` tells
//! who has joined what the room is.

mod answer;
mod invited;
mod make;
mod send;
mod third_party;

use myelin_core::{auth::AuthError, event::EventError};
use myelin_store::StoreError;
use ruma::{OwnedServerName, RoomId, RoomVersionId, ServerName};

pub use self::{
    answer::JoinAnswer,
    invited::{InviteState, ReceivedInvite},
    make::{MadeTemplate, MakeTemplate},
    send::{SendMember, SentMember},
    third_party::ThirdPartyInvite,
};
use crate::{AppendError, PduError, ReceiveError, Rooms, open_room::OpenRoom};

/// Why this server does not do for another what it asks.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// This server is not in the room.
    #[error("this server is not in the room {0}")]
    UnknownRoom(String),
    /// The other server speaks for somebody who is not its user.
    #[error("{0} is not a user of the server that asks")]
    NotYourUser(String),
    /// The room does not take part with that server.
    #[error("the room does not take part with {0}")]
    ServerDenied(OwnedServerName),
    /// The other server does not know the version of the room.
    #[error("the room is of version {0}, which your server does not know")]
    OtherVersion(RoomVersionId),
    /// The room lets in only users of certain other rooms, and this one is in none of them.
    #[error("{0} is in none of the rooms whose members may join")]
    NoCondition(String),
    /// This server is not in all of these rooms, and cannot tell.
    #[error("this server cannot tell whether {0} may join")]
    UnknownConditions(String),
    /// The user might join, but nobody here has the power to let them in.
    #[error("nobody on this server may let users into the room {0}")]
    NoAuthoriser(String),
    /// What was sent is not what belongs there.
    #[error("the event's `{0}` is not what the request is for")]
    OtherEvent(&'static str),
    /// It is no event of this room, or nobody can tell.
    #[error("{0}")]
    Pdu(PduError),
    /// What comes before it, or what it refers to, is not known here.
    #[error("{0}")]
    Gap(String),
    /// The user is not one of this server, or not any more.
    #[error("{0} is not a user of this server")]
    NoSuchUser(String),
    /// The user does not want this invitation.
    #[error("{0} does not accept this invitation")]
    InviteBlocked(String),
    /// This server knows no such room version.
    #[error("this server does not know room version {0}")]
    UnknownVersion(RoomVersionId),
    /// What was told of the room with an invitation is not true, or too little.
    #[error("the state that comes with the invitation {0}")]
    InviteState(&'static str),
    /// The room's rules refuse it.
    #[error("{0}")]
    Refused(String),
    /// The database failed.
    #[error("the room could not be read or written")]
    Store(#[from] StoreError),
}

impl From<AppendError> for HandshakeError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Store(error) => Self::Store(error),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<AuthError> for HandshakeError {
    fn from(error: AuthError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<PduError> for HandshakeError {
    fn from(error: PduError) -> Self {
        Self::Pdu(error)
    }
}

impl From<EventError> for HandshakeError {
    fn from(error: EventError) -> Self {
        Self::Pdu(PduError::Format(error))
    }
}

impl From<ReceiveError> for HandshakeError {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Store(error) => Self::Store(error),
            other => Self::Gap(other.to_string()),
        }
    }
}

impl Rooms {
    /// Opens a room of this server for another one, if it may take part.
    async fn open_for<'a>(
        &'a self,
        room_id: &'a RoomId,
        origin: &ServerName,
    ) -> Result<OpenRoom<'a>, HandshakeError> {
        let unknown = || HandshakeError::UnknownRoom(room_id.to_string());
        let mut room = self.open(room_id).await?.ok_or_else(unknown)?;
        let head = room.head().ok_or_else(unknown)?;
        if head.row.joined <= head.row.joined_remote {
            return Err(unknown());
        }
        let mut read = self.store.read();
        if !self.lets_server(&mut read, room_id, origin).await? {
            return Err(HandshakeError::ServerDenied(origin.to_owned()));
        }
        Ok(room)
    }
}
