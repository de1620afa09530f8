//! Users come and go: the member events that say so, one file for each way.

mod forget;
mod guests;
mod invite;
mod join;
mod knock;
mod leave;
mod moderate;
mod remote;
mod resident;
mod restricted;
mod third_party;

use myelin_core::membership::Membership;
use myelin_store::{StoreError, WriteSet, transactions::Transaction};
use ruma::{CanonicalJsonObject, RoomId, UserId};

pub use self::{
    forget::ForgetError,
    invite::{Invite, InviteError},
    join::{Join, JoinError},
    knock::{Knock, KnockError},
    leave::{Leave, LeaveError},
    moderate::{Moderation, ModerationError},
    remote::RemoteError,
    resident::{
        HandshakeError, InviteState, JoinAnswer, MadeTemplate, MakeTemplate, ReceivedInvite,
        SendMember, SentMember, ThirdPartyInvite,
    },
};
pub(crate) use self::{remote::RemoteWork, restricted::allowed_rooms};

use crate::{
    AppendError, ClientTransaction, Rooms, SendOptions, append::Draft, numbers::EventNumbers,
};

pub(crate) const MEMBER: &str = "m.room.member";

/// The key that names who has let a user into a restricted room.
pub(crate) const AUTHORISED_VIA: &str = "join_authorised_via_users_server";

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
from_append_error!(
    JoinError,
    InviteError,
    LeaveError,
    KnockError,
    ModerationError
);

impl Rooms {
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

    /// A member event of this content.
    pub(crate) async fn member_draft<'a>(
        &self,
        (sender, target): (&'a UserId, &'a UserId),
        content: CanonicalJsonObject,
    ) -> Result<Draft<'a>, StoreError> {
        let numbers =
            EventNumbers::intern(&self.store, MEMBER, sender, Some(target.as_str())).await?;
        Ok(Draft {
            sender,
            event_type: MEMBER,
            state_key: Some(target.as_str()),
            numbers,
            content,
            transaction: None,
            options: SendOptions::default(),
        })
    }
}

pub(crate) fn member_content(membership: Membership, reason: Option<&str>) -> CanonicalJsonObject {
    let mut content = CanonicalJsonObject::new();
    content.insert(
        "membership".to_owned(),
        membership.as_str().to_owned().into(),
    );
    if let Some(reason) = reason {
        content.insert("reason".to_owned(), reason.to_owned().into());
    }
    content
}

fn scoped(
    transaction: Option<ClientTransaction<'_>>,
    user: i64,
    room_id: &RoomId,
) -> Option<Transaction> {
    transaction.map(|named| named.of(user, room_id.as_str()))
}
