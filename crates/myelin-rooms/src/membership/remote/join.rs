//! Joining rooms by the help of other servers (spec: "Joining Rooms").

use std::time::Duration;

use myelin_core::{
    event::{self, Event},
    json,
    membership::Membership,
};
use myelin_net::Limits;
use myelin_store::{StoreError, WriteSet, inbox, joining_rooms, memberships, profiles};
use ruma::{
    CanonicalJsonObject, OwnedRoomId, OwnedServerName, OwnedUserId, RoomId, RoomVersionId,
    ServerName, UserId,
    api::federation::membership::{create_join_event, prepare_join_event},
};
use serde_json::value::RawValue;

use super::{Proposal, RemoteError, known_versions, template::Wanted};
use crate::{
    Outcome, ReceiveError, Rooms,
    membership::{Join, JoinError, member_content},
    numbers::parse,
    snapshot::StoredSnapshot,
};

/// What a server may send as the state of a room, and for how long.
const ANSWER_LIMITS: Limits = Limits {
    time: Duration::from_mins(15),
    bytes: 1024 * 1024 * 1024,
};
/// A join that has not ended after this time was cut off: its answer and its keys take less.
const JOINING_MAX_MS: i64 = 40 * 60 * 1_000;
/// How long the keys for one event are waited for.
pub(super) const KEYS_WITHIN: Duration = Duration::from_secs(15);

/// A user on the way into a room of others.
struct Joining {
    room_id: OwnedRoomId,
    user: OwnedUserId,
    guest: bool,
    reason: Option<String>,
    content: CanonicalJsonObject,
    candidates: Vec<OwnedServerName>,
}

impl Rooms {
    /// Joins a user to a room that this server is not in, or that nobody here may let them into.
    pub(crate) async fn join_elsewhere(&self, join: &Join<'_>) -> Result<(), JoinError> {
        let inviter = self.inviter(join.room_id, join.user).await?;
        let candidates = self
            .candidates(join.room_id, join.via, inviter.as_deref())
            .await?;
        if candidates.is_empty() {
            return Err(JoinError::UnknownRoom(join.room_id.to_string()));
        }
        let content = member_content(Membership::Join, join.reason);
        let joining = Joining {
            room_id: join.room_id.to_owned(),
            user: join.user.to_owned(),
            guest: join.guest,
            reason: join.reason.map(ToOwned::to_owned),
            content: self.with_own_profile(join.user, content).await?,
            candidates,
        };
        let rooms = self.clone();
        let work = async move { rooms.join_with_help(joining).await };
        let stopped = || StoreError::Missing { table: "rooms" };
        self.remote.run(work).await.ok_or_else(stopped)?
    }

    async fn join_with_help(&self, joining: Joining) -> Result<(), JoinError> {
        let _alone = self.remote.lock(&joining.room_id).await;
        // Another may have come in while this one waited.
        if self.join_if_resident(&joining).await? {
            return Ok(());
        }
        let joined = self.join_through_any(&joining).await;
        self.end_joining(&joining.room_id).await?;
        joined
    }

    async fn join_through_any(&self, joining: &Joining) -> Result<(), JoinError> {
        let mut told = RemoteError::NobodyToAsk(joining.room_id.to_string());
        for server in &joining.candidates {
            match self.join_through(server, joining).await {
                Ok(()) => return Ok(()),
                Err(RemoteError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    let room_id = &joining.room_id;
                    tracing::info!(%room_id, %server, %error, "no help with joining");
                    told = told.or(error);
                }
            }
        }
        // Another node may have been faster.
        if self.join_if_resident(joining).await? {
            return Ok(());
        }
        Err(JoinError::Remote(told))
    }

    /// From now on others may believe that the user is in the room: what they send of it waits.
    async fn begin_joining(
        &self,
        room_id: &RoomId,
        version: &RoomVersionId,
    ) -> Result<(), StoreError> {
        let room = self.store.intern(&[room_id.as_bytes()]).await?;
        let room = room
            .first()
            .ok_or(StoreError::Missing { table: "interned" })?;
        let until_ms = self.server.now_ms().cast_signed() + JOINING_MAX_MS;
        let mut writes = WriteSet::new();
        joining_rooms::upsert(&mut writes, *room, version.as_str(), until_ms);
        self.store.commit(writes).await?;
        Ok(())
    }

    async fn end_joining(&self, room_id: &RoomId) -> Result<(), StoreError> {
        if let Some(room) = self.find_number(room_id).await? {
            let mut writes = WriteSet::new();
            joining_rooms::delete(&mut writes, room);
            inbox::wake(&mut writes);
            self.store.commit(writes).await?;
        }
        Ok(())
    }

    /// Joins the user without help, if this server is in the room; false where it takes help.
    async fn join_if_resident(&self, joining: &Joining) -> Result<bool, JoinError> {
        if !self.is_resident(&joining.room_id).await? {
            return Ok(false);
        }
        let join = Join {
            room_id: &joining.room_id,
            user: &joining.user,
            guest: joining.guest,
            reason: joining.reason.as_deref(),
            third_party_signed: None,
            via: &[],
            transaction: None,
        };
        match Box::pin(self.join_here(&join)).await {
            Ok(()) => Ok(true),
            Err(JoinError::NoAuthoriser(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn join_through(
        &self,
        server: &ServerName,
        joining: &Joining,
    ) -> Result<(), RemoteError> {
        let unusable = |error: &dyn std::fmt::Display| RemoteError::unusable(server, error);
        let Joining { room_id, user, .. } = joining;
        let mut request = prepare_join_event::v1::Request::new(room_id.clone(), user.clone());
        request.ver = known_versions();
        let answer = self.ask_for_help(server, request).await?;
        let wanted = Wanted {
            room_id,
            user,
            membership: Membership::Join,
        };
        let template = (answer.room_version, &*answer.event);
        let Proposal {
            version,
            event: join,
            pdu,
        } = self.propose(server, template, &wanted, joining.content.clone())?;
        self.begin_joining(room_id, &version).await?;
        let id = join.event_id.clone();
        let request = create_join_event::v2::Request::new(room_id.clone(), id, pdu);
        let pieces = self
            .federation
            .ask_for_pieces(server, request, ANSWER_LIMITS);
        let pieces = pieces
            .await
            .map_err(|error| RemoteError::of_request(server, error))?;
        let mut snapshot = self.snapshot(room_id, &version);
        let signed = snapshot.read(pieces).await;
        let signed = signed.map_err(|error| RemoteError::of_reading(server, error))?;
        let join = self
            .signed_by_both((server, &version), join, signed.as_deref())
            .await?;
        // Others believe that the user is in the room; so this goes on, if need be for minutes.
        snapshot.await_keys().await?;
        let snapshot = snapshot.store().await;
        let snapshot = snapshot.map_err(|error| RemoteError::of_snapshot(server, error))?;
        snapshot.check(&join).map_err(|error| unusable(&error))?;
        self.admit(server, (room_id, &version), &snapshot, join)
            .await
    }

    /// The join event with the signature of the server that lets the user in, if it takes that.
    /// What comes back must be the event that was sent.
    async fn signed_by_both(
        &self,
        (server, version): (&ServerName, &RoomVersionId),
        sent: Event,
        signed: Option<&[u8]>,
    ) -> Result<Event, RemoteError> {
        let unusable = |error: &dyn std::fmt::Display| RemoteError::unusable(server, error);
        let candidate = match signed {
            Some(json) => {
                let received = event::parse(json, version).map_err(|error| unusable(&error))?;
                if !is_same_event(&sent, &received) {
                    return Err(unusable(&"it has signed another event than the one sent"));
                }
                received
            }
            None => sent,
        };
        let raw = RawValue::from_string(candidate.json.to_string());
        let raw = raw.map_err(|error| unusable(&error))?;
        let room_id = &candidate.room_id;
        let mut verified = self.verify(&[&raw], (version, room_id), KEYS_WITHIN).await;
        let verified = verified.pop().unwrap_or(Ok(candidate));
        verified.map_err(|error| unusable(&error))
    }

    /// Makes the room of what was told, or takes the event into the room that is here already.
    async fn admit(
        &self,
        server: &ServerName,
        (room_id, version): (&RoomId, &RoomVersionId),
        snapshot: &StoredSnapshot,
        join: Event,
    ) -> Result<(), RemoteError> {
        let room = (room_id, version);
        let Some(join) = self.publish(room, snapshot, join).await? else {
            return Ok(());
        };
        match self.receive_with_help(server, version, join).await {
            Ok(Outcome::Accepted | Outcome::SoftFailed { .. }) => Ok(()),
            Ok(Outcome::Rejected { reason }) => Err(RemoteError::unusable(server, reason)),
            Err(ReceiveError::Store(error)) => Err(error.into()),
            Err(error) => Err(RemoteError::unusable(server, error)),
        }
    }

    /// Who has invited a user to a room.
    pub(super) async fn inviter(
        &self,
        room_id: &RoomId,
        user: &UserId,
    ) -> Result<Option<OwnedUserId>, StoreError> {
        let store = &self.store;
        let user = store.find_interned(user.as_bytes()).await?;
        let (Some(room), Some(user)) = (self.find_number(room_id).await?, user) else {
            return Ok(None);
        };
        let mut read = store.read();
        let found = memberships::find(&mut read, room, user).await?;
        let Some(invite) = found.filter(|found| found.membership == Membership::Invite) else {
            return Ok(None);
        };
        let event = myelin_store::events::find(&mut read, invite.event).await?;
        let Some(event) = event else { return Ok(None) };
        let sender = store.interned(&[event.sender]).await?;
        Ok(sender.first().and_then(|id| parse(id)))
    }

    /// The content of a member event with what the user tells others.
    pub(super) async fn with_own_profile(
        &self,
        user: &UserId,
        mut content: CanonicalJsonObject,
    ) -> Result<CanonicalJsonObject, StoreError> {
        let Some(user) = self.store.find_interned(user.as_bytes()).await? else {
            return Ok(content);
        };
        let profile = profiles::find(&mut self.store.read(), user).await?;
        let fields = [
            ("displayname", profile.displayname),
            ("avatar_url", profile.avatar_url),
        ];
        for (key, value) in fields {
            if let Some(value) = value {
                content.insert(key.to_owned(), value.into());
            }
        }
        Ok(content)
    }
}

/// Whether two events differ in nothing but signatures.
pub(super) fn is_same_event(ours: &Event, theirs: &Event) -> bool {
    let unsigned = |event: &Event| {
        let mut object = json::parse_object(event.json.as_bytes()).ok()?;
        object.remove("signatures");
        Some(object)
    };
    let ours_unsigned = unsigned(ours);
    ours.event_id == theirs.event_id && ours_unsigned.is_some() && ours_unsigned == unsigned(theirs)
}
