//! Joining.

use myelin_core::membership::Membership;
use myelin_store::StoreError;
use ruma::{CanonicalJsonObject, OwnedServerName, RoomId, UserId};

use super::{AUTHORISED_VIA, member_content, scoped};
use crate::{
    AppendError, ClientTransaction, RemoteError, Rooms, append::Draft, open_room::OpenRoom,
};

/// A user's wish to be in a room.
#[derive(Clone, Copy, Debug)]
pub struct Join<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user.
    pub user: &'a UserId,
    /// Whether the user is a guest.
    pub guest: bool,
    /// Why, in words for the others.
    pub reason: Option<&'a str>,
    /// What an identity server has signed for the user, who was invited by another name
    /// (spec: "Third-party invites").
    pub third_party_signed: Option<&'a CanonicalJsonObject>,
    /// Servers that are in the room, as far as the user knows: they are asked if this server is not.
    pub via: &'a [OwnedServerName],
    /// Names the request, if its repetition shall not join again after a leave.
    pub transaction: Option<ClientTransaction<'a>>,
}

/// Why a user did not enter a room.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// This server knows no such room.
    #[error("this server does not know the room {0}")]
    UnknownRoom(String),
    /// The room lets in only users of certain other rooms, and this one is in none of them.
    #[error("{0} is in none of the rooms whose members may join")]
    NoCondition(String),
    /// The user might join, but nobody here has the power to let them in.
    #[error("nobody on this server may let users into the room {0}")]
    NoAuthoriser(String),
    /// The room lets no guests in.
    #[error("the room {0} lets no guests in")]
    GuestsForbidden(String),
    /// What the identity server has signed belongs to no invitation for this user.
    #[error("the room has no such third-party invitation for {0}")]
    NoThirdPartyInvite(String),
    /// The identity server does not stand by the key that it has signed with.
    #[error("{0}")]
    InvalidKey(String),
    /// Other servers had to be asked, and did not let the user in.
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
    /// Joins a user to a room, by the help of other servers if this one is not in it. Who is in it
    /// already stays as they are: no event is made.
    pub async fn join(&self, join: Join<'_>) -> Result<(), JoinError> {
        if self.is_resident(join.room_id).await? {
            match self.join_here(&join).await {
                // Somebody on another server may have the power.
                Err(JoinError::NoAuthoriser(room_id)) => {
                    let helped = self.join_elsewhere(&join).await;
                    return match helped {
                        Err(JoinError::UnknownRoom(_)) => Err(JoinError::NoAuthoriser(room_id)),
                        helped => helped,
                    };
                }
                joined => return joined,
            }
        }
        self.join_elsewhere(&join).await
    }

    /// Joins a user to a room that this server is in.
    pub(crate) async fn join_here(&self, join: &Join<'_>) -> Result<(), JoinError> {
        self.check_join_key(join).await?;
        let content = member_content(Membership::Join, join.reason);
        let mut draft = self.member_draft((join.user, join.user), content).await?;
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
            if let Some(signed) = join.third_party_signed {
                let user = (join.user, draft.numbers);
                room = self.accept_third_party_invite(room, user, signed).await?;
            }
            self.prepare_join(&mut room, &mut draft, join.guest).await?;
            room = room.append(&draft).await?.room;
            if self.is_replaced_by(&mut room).await? {
                self.carry_personal(&mut room, draft.numbers.sender).await?;
            }
            self.remember(&mut room.writes, transaction.as_ref(), number);
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }

    /// What must be so before somebody joins, besides the rules of the room; where it takes
    /// another user's power to let them in, the draft then names that user.
    pub(crate) async fn prepare_join(
        &self,
        room: &mut OpenRoom<'_>,
        draft: &mut Draft<'_>,
        guest: bool,
    ) -> Result<(), JoinError> {
        draft.content.remove(AUTHORISED_VIA);
        match room.membership(draft.numbers.sender).await? {
            Membership::Join => return Ok(()),
            // The rules refuse whoever is banned.
            Membership::Invite | Membership::Ban => {}
            Membership::Leave | Membership::Knock => {
                let user = (draft.sender, draft.numbers.sender);
                if let Some(via) = self.authorising_user(room, user).await? {
                    let via = via.to_string().into();
                    draft.content.insert(AUTHORISED_VIA.to_owned(), via);
                }
            }
        }
        if guest && !room.lets_guests_in().await? {
            return Err(JoinError::GuestsForbidden(room.id().to_string()));
        }
        Ok(())
    }
}
