//! Invitations and knocks that the other side has put an end to, in rooms that this server is not
//! in (spec: "Inviting to a room", "Knocking upon a room").

use std::time::Duration;

use myelin_core::{
    event::{self, Event},
    membership::Membership,
};
use myelin_store::{StoreError, StoreResult};
use ruma::{OwnedUserId, RoomId, RoomVersionId, ServerName, UserId};
use serde_json::value::RawValue;

use super::{Outside, leave::servers_behind};
use crate::{Rooms, membership::MEMBER, numbers::parse};

/// The server that sends it has just shown its keys.
const KEYS_WITHIN: Duration = Duration::from_secs(2);

impl Rooms {
    /// Takes from another server that it has put an end to the invitation or the knock of a user
    /// of this one; None if the PDU is nothing of that kind.
    ///
    /// The rules of the room cannot be asked, for its state is not here. So it has to refer to the
    /// very invitation or knock, and to come from a server that the user relied on for all that
    /// they know of the room: it could as well have told them nothing.
    pub(crate) async fn take_withdrawal(
        &self,
        origin: &ServerName,
        room_id: &RoomId,
        pdu: &RawValue,
    ) -> StoreResult<Option<Event>> {
        let Some(user) = concerned(pdu).filter(|user| self.server.is_local(user)) else {
            return Ok(None);
        };
        let Some((outside, before)) = self.find_outside(room_id, &user).await? else {
            return Ok(None);
        };
        let version = RoomVersionId::try_from(outside.room_version.as_str());
        let version = version.map_err(|_| StoreError::Malformed {
            table: "outside_memberships",
            reason: "not a room version",
        })?;
        let sender = self.store.interned(&[before.sender]).await?;
        let sender = sender.first().and_then(|id| parse::<OwnedUserId>(id));
        let is_relied_on = servers_behind(sender, &outside.state)
            .iter()
            .any(|server| server == origin);
        let membership = event::parse(pdu.get().as_bytes(), &version)
            .ok()
            .filter(|event| is_end_of(event, &before.id, &user))
            .filter(|event| event.sender.server_name() == origin)
            .and_then(|event| Membership::of_content(&event.content));
        let Some(membership) = membership.filter(|_| is_relied_on) else {
            return Ok(None);
        };
        let room = (&version, room_id);
        let verified = self.verify(&[pdu], room, KEYS_WITHIN).await.pop();
        let Some(Ok(event)) = verified else {
            tracing::debug!(%origin, %room_id, %user, "a forged end of an invitation is dropped");
            return Ok(None);
        };
        let gone = Outside {
            event: &event,
            version: &version,
            membership,
            state: "[]",
        };
        self.store_outside(&gone).await?;
        Ok(Some(event))
    }
}

/// The user whom a PDU says something about, if it is a member event.
fn concerned(pdu: &RawValue) -> Option<OwnedUserId> {
    #[derive(serde::Deserialize)]
    struct Member<'a> {
        #[serde(rename = "type")]
        event_type: &'a str,
        state_key: OwnedUserId,
    }
    let member: Member<'_> = serde_json::from_str(pdu.get()).ok()?;
    (member.event_type == MEMBER).then_some(member.state_key)
}

/// Whether somebody else has put an end to what the user was by the event `before`.
fn is_end_of(event: &Event, before: &str, user: &UserId) -> bool {
    let membership = Membership::of_content(&event.content);
    matches!(membership, Some(Membership::Leave | Membership::Ban))
        && event.sender != user
        && event.auth_events.iter().any(|id| id == before)
}
