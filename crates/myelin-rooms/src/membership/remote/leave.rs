//! Refusing invitations to rooms of others, and taking knocks back (spec: "Leaving Rooms").

use myelin_core::{
    event::{self, Event, NewEvent},
    membership::Membership,
};
use myelin_store::{StoreError, events::StoredEvent};
use ruma::{
    OwnedEventId, OwnedServerName, OwnedUserId, RoomId, RoomVersionId, ServerName, UserId,
    api::federation::membership::{create_leave_event, prepare_leave_event},
};
use serde::Deserialize;

use super::{Outside, Proposal, RemoteError, template::Wanted};
use crate::{
    Rooms,
    membership::{Leave, LeaveError, MEMBER, member_content},
    numbers::parse,
};

/// Servers that are asked before the user is simply gone.
const ASKED_MAX: usize = 3;

impl Rooms {
    /// Takes a user away from a room that this server is not in. If no server in the room helps,
    /// the user is gone here all the same: nobody has to live with an invitation of a server that
    /// is dead.
    pub(crate) async fn leave_from_outside(&self, leave: &Leave<'_>) -> Result<(), LeaveError> {
        let Leave { room_id, user, .. } = *leave;
        let _alone = self.remote.lock(room_id).await;
        let not_in_room = || LeaveError::NotInRoom {
            user: user.to_string(),
            room_id: room_id.to_string(),
        };
        let outside = self.find_outside(room_id, user).await?;
        let (outside, before) = outside.ok_or_else(not_in_room)?;
        let version = RoomVersionId::try_from(outside.room_version.as_str());
        let version = version.map_err(|_| StoreError::Malformed {
            table: "outside_memberships",
            reason: "not a room version",
        })?;
        let sender = self.store.interned(&[before.sender]).await?;
        let sender = sender.first().and_then(|id| parse::<OwnedUserId>(id));
        let known = servers_behind(sender, &outside.state);
        let candidates = self.candidates(room_id, &known, None).await?;
        let mut event = None;
        for server in candidates.iter().take(ASKED_MAX) {
            match self.leave_through(server, leave).await {
                Ok(left) => {
                    event = Some(left);
                    break;
                }
                Err(RemoteError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::info!(%room_id, %server, %error, "no help with leaving");
                }
            }
        }
        let event = match event {
            Some(event) => event,
            None => self.leave_alone(leave, &version, &before)?,
        };
        let gone = Outside {
            event: &event,
            version: &version,
            membership: Membership::Leave,
            state: "[]",
        };
        Ok(self.store_outside(&gone).await?)
    }

    async fn leave_through(
        &self,
        server: &ServerName,
        leave: &Leave<'_>,
    ) -> Result<Event, RemoteError> {
        let Leave { room_id, user, .. } = *leave;
        let request = prepare_leave_event::v1::Request::new(room_id.to_owned(), user.to_owned());
        let answer = self.ask_for_help(server, request).await?;
        let wanted = Wanted {
            room_id,
            user,
            membership: Membership::Leave,
        };
        let content = member_content(Membership::Leave, leave.reason);
        let template = (answer.room_version, &*answer.event);
        let proposal = self.propose(server, template, &wanted, content)?;
        let Proposal { event, pdu, .. } = proposal;
        let id = event.event_id.clone();
        let request = create_leave_event::v2::Request::new(room_id.to_owned(), id, pdu);
        self.ask_for_help(server, request).await?;
        Ok(event)
    }

    /// An event that nobody but the user is ever shown.
    fn leave_alone(
        &self,
        leave: &Leave<'_>,
        version: &RoomVersionId,
        before: &StoredEvent,
    ) -> Result<Event, LeaveError> {
        let before_id = OwnedEventId::try_from(before.id.as_str());
        let before_id: Vec<OwnedEventId> = before_id.into_iter().collect();
        let event = NewEvent {
            room_id: Some(leave.room_id),
            sender: leave.user,
            event_type: MEMBER,
            state_key: Some(leave.user.as_str()),
            content: member_content(Membership::Leave, leave.reason),
            redacts: None,
            sticky_ms: None,
            prev_events: &before_id,
            auth_events: &before_id,
            depth: before
                .depth
                .saturating_add(1)
                .min(crate::advance::DEPTH_MAX)
                .unsigned_abs(),
            origin_server_ts: self.server.now_ms(),
        };
        event::create(event, version, &self.server)
            .map_err(|error| LeaveError::Append(crate::AppendError::Invalid(error)))
    }

    /// Whether a user is something to a room that this server is not in.
    pub(crate) async fn is_outside(
        &self,
        room_id: &RoomId,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        Ok(self.find_outside(room_id, user).await?.is_some())
    }
}

/// The servers that are likely to be in a room, as far as an invitation or a knock tells: that of
/// who has invited the user, then those of who has set what the user was told of the room. A room of
/// version 12 does not name a server, and a knock has no inviter.
pub(super) fn servers_behind(sender: Option<OwnedUserId>, told: &str) -> Vec<OwnedServerName> {
    #[derive(Deserialize)]
    struct Told {
        sender: OwnedUserId,
    }
    // It was read before it was stored.
    let told: Vec<Told> = serde_json::from_str(told).unwrap_or_default();
    let senders = sender
        .into_iter()
        .chain(told.into_iter().map(|it| it.sender));
    senders.map(|user| user.server_name().to_owned()).collect()
}
