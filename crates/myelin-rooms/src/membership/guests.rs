//! Guests, whom a room lets in or not (spec: "Guest Access", "Server behaviour").

use std::borrow::Cow;

use bytes::Bytes;
use myelin_core::membership::Membership;
use myelin_store::{
    StoreError, StoreResult,
    jobs::{self, Job, JobKind},
    memberships,
};
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde_json::value::RawValue;

use crate::{Rooms, numbers::parse, open_room::OpenRoom};

const GUEST_ACCESS: &str = "m.room.guest_access";
const CAN_JOIN: &str = "can_join";

impl OpenRoom<'_> {
    /// Whether guests may join now.
    pub(super) async fn lets_guests_in(&mut self) -> Result<bool, StoreError> {
        let access = self.state_named(GUEST_ACCESS, "").await?;
        Ok(access.is_some_and(|event| lets_in(&event.content)))
    }

    /// Leaves a job behind if an event of this type and state key ends the stay of the guests who
    /// are in the room.
    pub(crate) async fn note_guest_access(
        &mut self,
        key: (&str, Option<&str>),
        content: &RawValue,
    ) -> Result<(), StoreError> {
        if key != (GUEST_ACCESS, Some("")) || lets_in(content) || !self.lets_guests_in().await? {
            return Ok(());
        }
        let job = (JobKind::SendGuestsAway, self.number());
        let now_ms = self.now_ms();
        let (read, writes) = (&mut self.read, &mut self.writes);
        jobs::enqueue(read, writes, job, Bytes::new(), now_ms).await
    }
}

/// Whether the content of the event says that guests may join.
fn lets_in(content: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Content<'a> {
        #[serde(borrow)]
        guest_access: Cow<'a, str>,
    }
    serde_json::from_str(content.get())
        .is_ok_and(|content: Content<'_>| content.guest_access == CAN_JOIN)
}

impl Rooms {
    /// The next guests of the job's room to be sent away; none if they may stay again.
    pub(crate) async fn guests_to_send_away(
        &self,
        job: &Job,
        limit: i64,
    ) -> StoreResult<Option<(OwnedRoomId, Vec<(i64, OwnedUserId)>)>> {
        let mut room = self.store.interned(&[job.subject]).await?;
        let Some(room_id) = room.pop().and_then(|id| parse::<OwnedRoomId>(&id)) else {
            return Ok(None);
        };
        if self.lets_guests_in(&room_id).await? {
            return Ok(None);
        }
        let mut read = self.store.read();
        let place = (job.subject, job.cursor);
        let numbers =
            memberships::list_guests_after(&mut read, place, Membership::Join, limit).await?;
        let ids = self.store.interned(&numbers).await?;
        let guests = numbers.into_iter().zip(ids);
        let guests: Vec<_> = guests
            .filter_map(|(number, id)| Some((number, parse(&id)?)))
            .collect();
        Ok((!guests.is_empty()).then_some((room_id, guests)))
    }

    async fn lets_guests_in(&self, room_id: &RoomId) -> StoreResult<bool> {
        match self.open(room_id).await? {
            Some(mut room) => room.lets_guests_in().await,
            None => Ok(true),
        }
    }
}
