//! What users of this server are to rooms that it is not in: invited, knocking, gone.

use bytes::Bytes;
use myelin_core::{event::Event, membership::Membership};
use myelin_store::{
    LogKind, LogWrite, Sequence, StoreError, StoreResult, WriteSet,
    events::{self, Status, StoredEvent},
    forgotten_rooms,
    memberships::{self, UserMembership},
    outside_memberships::{self, OutsideMembership},
    rooms,
};
use ruma::{RoomId, RoomVersionId, UserId};

use crate::{Rooms, advance::DEPTH_MAX, numbers::EventNumbers};

/// What a user becomes.
pub(crate) struct Outside<'a> {
    /// The member event.
    pub(crate) event: &'a Event,
    /// The version of the room.
    pub(crate) version: &'a RoomVersionId,
    pub(crate) membership: Membership,
    /// What the user is told of the room: a JSON array of stripped state.
    pub(crate) state: &'a str,
}

impl Rooms {
    /// Notes what a user has become, and tells the user. Nothing is noted once this server is in
    /// the room: then the room tells.
    pub(crate) async fn store_outside(&self, outside: &Outside<'_>) -> StoreResult<()> {
        let event = outside.event;
        let numbers = EventNumbers::intern(
            &self.store,
            event.type_str(),
            &event.sender,
            event.state_key.as_deref(),
        )
        .await?;
        let interned = self.store.intern(&[event.room_id.as_bytes()]).await?;
        let (Some(room), Some(user)) = (interned.first().copied(), numbers.state_key) else {
            return Err(StoreError::Missing { table: "interned" });
        };
        let mut attempts = self.store.attempts();
        loop {
            let mut read = self.store.read();
            let head = rooms::find(&mut read, room).await?;
            if head
                .as_ref()
                .is_some_and(|head| head.joined > head.joined_remote)
            {
                return Ok(());
            }
            let mut writes = WriteSet::new();
            rooms::expect(&mut writes, room, head.map(|head| head.version));
            let known = events::find_number(&mut read, event.event_id.as_str()).await?;
            let number = if let Some(number) = known {
                number
            } else {
                let number = self.store.next_numbers(Sequence::Event, 1).await?;
                let number = number.first().copied();
                let number = number.ok_or(StoreError::Missing { table: "sequences" })?;
                events::insert_received(&mut writes, &row(event, (room, number), numbers));
                number
            };
            let before = outside_memberships::find(&mut read, room, user).await?;
            let before = before.map(|before| before.event);
            let row = OutsideMembership {
                room,
                user,
                event: number,
                room_version: outside.version.to_string(),
                state: outside.state.to_owned(),
            };
            match (outside.membership, before) {
                (Membership::Invite | Membership::Knock, _) => {
                    outside_memberships::upsert(&mut writes, &row, before);
                    forgotten_rooms::delete(&mut writes, user, room);
                }
                (_, Some(before)) => outside_memberships::delete(&mut writes, room, user, before),
                (_, None) => {}
            }
            write_membership(&mut writes, (room, user), (outside.membership, number));
            if attempts.commit(writes).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// What a user is to a room that this server is not in, with the member event.
    pub(crate) async fn find_outside(
        &self,
        room_id: &RoomId,
        user: &UserId,
    ) -> StoreResult<Option<(OutsideMembership, StoredEvent)>> {
        let user = self.store.find_interned(user.as_bytes()).await?;
        let (Some(room), Some(user)) = (self.find_number(room_id).await?, user) else {
            return Ok(None);
        };
        let mut read = self.store.read();
        let Some(outside) = outside_memberships::find(&mut read, room, user).await? else {
            return Ok(None);
        };
        let event = events::find(&mut read, outside.event).await?;
        Ok(event.map(|event| (outside, event)))
    }
}

/// Writes what a user is now, and tells the user.
pub(super) fn write_membership(
    writes: &mut WriteSet,
    (room, user): (i64, i64),
    (membership, event): (Membership, i64),
) {
    let row = UserMembership {
        room,
        user,
        membership,
        event,
    };
    memberships::upsert(writes, &row, 0);
    log_membership(writes, &row);
}

/// Tells a user of this server of a membership.
pub(super) fn log_membership(writes: &mut WriteSet, row: &UserMembership) {
    let mut data = vec![u8::try_from(row.membership.as_number()).unwrap_or_default()];
    data.extend_from_slice(&row.event.to_be_bytes());
    writes.log(LogWrite {
        kind: LogKind::Membership,
        subject: row.user,
        reference: row.room,
        data: data.into(),
    });
}

fn row(event: &Event, (room, number): (i64, i64), numbers: EventNumbers) -> StoredEvent {
    StoredEvent {
        event: number,
        id: event.event_id.to_string(),
        room,
        room_order: 0,
        event_type: numbers.event_type,
        state_key: numbers.state_key,
        sender: numbers.sender,
        depth: i64::try_from(event.depth).map_or(DEPTH_MAX, |depth| depth.min(DEPTH_MAX)),
        origin_server_ts: i64::try_from(event.origin_server_ts).unwrap_or(i64::MAX),
        status: Status::Outlier,
        root_before: Bytes::new(),
        device: None,
        txn_id: None,
        delayed: None,
        json: event.json.to_string(),
        redaction: None,
    }
}
