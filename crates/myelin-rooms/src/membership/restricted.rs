//! Joining rooms that are open to the members of other rooms (spec: "Restricted rooms").

use myelin_core::membership::Membership;
use myelin_store::{Read, StoreError, memberships};
use ruma::{OwnedRoomId, OwnedUserId, RoomVersionId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::JoinError;
use crate::{Rooms, aliases::levels, head::Head, open_room::OpenRoom};

/// Conditions looked at: more make no sense to people, and each costs a read.
const CONDITIONS_MAX: usize = 200;
/// Members without a power level of their own that are tried as authorising users.
const MEMBERS_TRIED: i64 = 100;

/// The part of join rules that says whose members may join.
#[derive(Deserialize)]
struct JoinRules {
    join_rule: String,
    #[serde(default)]
    allow: Vec<Box<RawValue>>,
}

/// A condition; those of other kinds, and malformed ones, are passed over.
#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    room_id: OwnedRoomId,
}

impl Rooms {
    /// Who lets a user in that is neither joined nor invited; None where that takes nobody, or
    /// where the rules will refuse the user anyway.
    pub(super) async fn authorising_user(
        &self,
        room: &mut OpenRoom<'_>,
        (user_id, user): (&UserId, i64),
    ) -> Result<Option<OwnedUserId>, JoinError> {
        let Some(allow) = room.head().and_then(|head| allowed_by(head)) else {
            return Ok(None);
        };
        if !self.is_in_any(&mut room.read, &allow, user).await? {
            return Err(JoinError::NoCondition(user_id.to_string()));
        }
        match self.find_authorising_user(room).await? {
            Some(via) => Ok(Some(via)),
            None => Err(JoinError::NoAuthoriser(room.id().to_string())),
        }
    }

    /// Whether a user is joined to one of these rooms.
    pub(crate) async fn is_in_any(
        &self,
        read: &mut Read,
        allow: &[OwnedRoomId],
        user: i64,
    ) -> Result<bool, StoreError> {
        for room_id in allow {
            let Some(number) = self.find_number(room_id).await? else {
                continue;
            };
            let found = memberships::find(read, number, user).await?;
            if found.is_some_and(|found| found.membership == Membership::Join) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A local user in the room with the power to invite, the most powerful first: so the answer
    /// is the same as long as the room is.
    pub(crate) async fn find_authorising_user(
        &self,
        room: &mut OpenRoom<'_>,
    ) -> Result<Option<OwnedUserId>, StoreError> {
        let Some(levels) = room.head().and_then(|head| levels(head)) else {
            return Ok(None);
        };
        let mut powerful: Vec<_> = levels
            .users
            .iter()
            .filter(|(user, level)| **level >= levels.invite && self.server.is_local(user))
            .collect();
        powerful.sort_by_key(|(_, level)| std::cmp::Reverse(**level));
        for (user, _) in powerful {
            let number = self.store.find_interned(user.as_bytes()).await?;
            if let Some(number) = number
                && room.membership(number).await? == Membership::Join
            {
                return Ok(Some(user.clone()));
            }
        }
        if levels.users_default < levels.invite {
            return Ok(None);
        }
        let number = room.number();
        let members =
            memberships::list_joined_accounts(&mut room.read, number, MEMBERS_TRIED).await?;
        for (number, id) in members.iter().zip(self.store.interned(&members).await?) {
            let id = std::str::from_utf8(&id).ok();
            let Some(user) = id.and_then(|id| OwnedUserId::try_from(id).ok()) else {
                continue;
            };
            if levels.level_of(&user) >= levels.invite
                && room.membership(*number).await? == Membership::Join
            {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }
}

fn allowed_by(head: &Head) -> Option<Vec<OwnedRoomId>> {
    allowed_rooms(&head.version, head.join_rules.as_ref()?.content.get())
}

/// The rooms whose members may join, if that is how a room of this version and with these join
/// rules is joined.
pub(crate) fn allowed_rooms(version: &RoomVersionId, join_rules: &str) -> Option<Vec<OwnedRoomId>> {
    let rules = version.rules()?.authorization;
    let content: JoinRules = serde_json::from_str(join_rules).ok()?;
    let is_restricted = match content.join_rule.as_str() {
        "restricted" => rules.restricted_join_rule,
        "knock_restricted" => rules.knock_restricted_join_rule,
        _ => false,
    };
    let conditions = content.allow.iter().take(CONDITIONS_MAX);
    let conditions = conditions
        .filter_map(|raw| serde_json::from_str(raw.get()).ok())
        .filter(|condition: &Condition| condition.kind == "m.room_membership")
        .map(|condition| condition.room_id);
    is_restricted.then(|| conditions.collect())
}
