//! Templates for users of other servers (spec: `make_join`, `make_leave`, `make_knock`).

use myelin_core::{json, membership::Membership};
use myelin_store::{StoreError, memberships};
use ruma::{
    CanonicalJsonObject, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, ServerName, UserId,
};

use super::HandshakeError;
use crate::{
    Rooms,
    append::Draft,
    membership::{AUTHORISED_VIA, allowed_rooms, member_content},
    open_room::OpenRoom,
};

/// What another server wants a template for.
#[derive(Clone, Copy, Debug)]
pub struct MakeTemplate<'a> {
    /// Who asks.
    pub origin: &'a ServerName,
    /// The room.
    pub room_id: &'a RoomId,
    /// A user of that server.
    pub user: &'a UserId,
    /// What the user wants to be: joined, gone, or knocking.
    pub membership: Membership,
    /// The room versions that the other server knows; None: whatever the room has.
    pub versions: Option<&'a [RoomVersionId]>,
}

/// A template.
#[derive(Clone, Debug)]
pub struct MadeTemplate {
    /// The version of the room.
    pub version: RoomVersionId,
    /// The event, without anything that only its sender can add.
    pub event: CanonicalJsonObject,
}

impl Rooms {
    /// Makes a template of a member event that would be allowed now.
    pub async fn make_template(
        &self,
        wanted: MakeTemplate<'_>,
    ) -> Result<MadeTemplate, HandshakeError> {
        let MakeTemplate {
            room_id,
            user,
            origin,
            ..
        } = wanted;
        if user.server_name() != origin {
            return Err(HandshakeError::NotYourUser(user.to_string()));
        }
        let content = member_content(wanted.membership, None);
        let mut draft = self.member_draft((user, user), content).await?;
        let mut room = self.open_for(room_id, origin).await?;
        let version = room.version()?;
        if wanted
            .versions
            .is_some_and(|known| !known.contains(&version))
        {
            return Err(HandshakeError::OtherVersion(version));
        }
        if wanted.membership == Membership::Join
            && let Some(via) = self.authorise_join(&mut room, &draft).await?
        {
            let via = via.to_string().into();
            draft.content.insert(AUTHORISED_VIA.to_owned(), via);
        }
        let content = draft.content.clone();
        let (event, _) = room.build(&draft, content).await?;
        let mut event = json::parse_object(event.json.as_bytes())
            .map_err(|error| HandshakeError::Refused(error.to_string()))?;
        for key in ["hashes", "signatures", "event_id"] {
            event.remove(key);
        }
        event.insert("origin".to_owned(), self.server.name.to_string().into());
        Ok(MadeTemplate { version, event })
    }

    /// Who of this server lets a user of another into a restricted room; None where that takes
    /// nobody, or where the rules will refuse the user anyway.
    pub(super) async fn authorise_join(
        &self,
        room: &mut OpenRoom<'_>,
        draft: &Draft<'_>,
    ) -> Result<Option<OwnedUserId>, HandshakeError> {
        let user = draft.numbers.sender;
        let before = room.membership(user).await?;
        if !matches!(before, Membership::Leave | Membership::Knock) {
            return Ok(None);
        }
        let Some(allow) = room.head().and_then(|head| {
            let join_rules = head.join_rules.as_ref()?;
            allowed_rooms(&head.version, join_rules.content.get())
        }) else {
            return Ok(None);
        };
        self.check_conditions(room, &allow, (draft.sender, user))
            .await?;
        let found = self.find_authorising_user(room).await?;
        let nobody = || HandshakeError::NoAuthoriser(room.id().to_string());
        found.ok_or_else(nobody).map(Some)
    }

    /// Whether a user is in one of these rooms, as far as this server is in them too.
    async fn check_conditions(
        &self,
        room: &mut OpenRoom<'_>,
        allow: &[OwnedRoomId],
        (user_id, user): (&UserId, i64),
    ) -> Result<(), HandshakeError> {
        let mut knows_all = true;
        for allowed in allow {
            let number = self.find_number(allowed).await?;
            let number = match number {
                Some(number) if self.has_users_in(number).await? => number,
                _ => {
                    knows_all = false;
                    continue;
                }
            };
            let found = memberships::find(&mut room.read, number, user).await?;
            if found.is_some_and(|found| found.membership == Membership::Join) {
                return Ok(());
            }
        }
        let user = user_id.to_string();
        Err(if knows_all {
            HandshakeError::NoCondition(user)
        } else {
            HandshakeError::UnknownConditions(user)
        })
    }

    async fn has_users_in(&self, room: i64) -> Result<bool, StoreError> {
        let room = myelin_store::rooms::find(&mut self.store.read(), room).await?;
        Ok(room.is_some_and(|room| room.joined > room.joined_remote))
    }
}

impl OpenRoom<'_> {
    /// The version of the room.
    pub(crate) fn version(&mut self) -> Result<RoomVersionId, StoreError> {
        let head = self.head().map(|head| head.version.clone());
        head.ok_or(StoreError::Missing { table: "rooms" })
    }
}
