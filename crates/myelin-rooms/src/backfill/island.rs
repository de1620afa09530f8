//! A single event of a room's past, which stands alone in a gap until somebody reads from there.

use std::{collections::HashMap, time::Duration};

use myelin_net::Limits;
use myelin_store::{
    StoreError, StoreResult,
    events::{self, Status, StoredEvent},
    gaps::{self, Gap},
    rooms,
};
use ruma::{
    EventId, OwnedEventId, RoomId, ServerName, api::federation::event::get_event::v1::Request,
};
use serde_json::value::RawValue;

use super::{KEYS_WITHIN, stretch::Told};
use crate::{Rooms, receive::Place};

/// Somebody waits for it.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    bytes: 256 * 1024,
};
/// A gap that is narrower is not divided.
const WIDTH_MIN: i64 = 1 << 16;

impl Rooms {
    /// Fetches an event that a server has told of, and stores it amid the gap in which it belongs,
    /// so that it can be read from there. It is no error if it cannot be had.
    pub(crate) async fn backfill_event(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        event_id: &EventId,
    ) -> StoreResult<()> {
        let (rooms, server) = (self.clone(), server.to_owned());
        let (room_id, event_id) = (room_id.to_owned(), event_id.to_owned());
        let work = async move {
            let Some(room) = rooms.find_number(&room_id).await? else {
                return Ok(());
            };
            let _alone = rooms.backfills.lock(room).await;
            let row = rooms::find(&mut rooms.store.read(), room).await?;
            let row = row.ok_or(StoreError::Missing { table: "rooms" })?;
            let Ok(version) = row.room_version.as_str().try_into() else {
                return Ok(());
            };
            let place = Place {
                room,
                room_id,
                version,
            };
            rooms.place_alone(&place, &server, event_id).await
        };
        self.remote.run(work).await.unwrap_or(Ok(()))
    }

    async fn place_alone(
        &self,
        place: &Place,
        server: &ServerName,
        event_id: OwnedEventId,
    ) -> StoreResult<()> {
        let known = events::list_by_ids(&mut self.store.read(), &[event_id.as_str()]).await?;
        if known.iter().any(|known| known.status != Status::Outlier) {
            return Ok(());
        }
        let request = Request::new(event_id.clone());
        let pdu = match self.federation.ask_within(server, request, LIMITS).await {
            Ok(answer) => answer.pdu,
            Err(error) => {
                tracing::debug!(%server, %event_id, %error, "an event cannot be had");
                return Ok(());
            }
        };
        let room = (&place.version, &*place.room_id);
        let verified = self.verify(&[&*pdu as &RawValue], room, KEYS_WITHIN).await;
        let Some(Ok(event)) = verified.into_iter().next() else {
            return Ok(());
        };
        if event.event_id != event_id {
            return Ok(());
        }
        let depth = i64::try_from(event.depth).unwrap_or(i64::MAX);
        let Some(around) = self.gap_around(place.room, depth).await? else {
            return Ok(());
        };
        // As if it alone were missing, in the middle.
        let middle = around.lower + (around.upper - around.lower) / 2;
        let missing = vec![event_id.to_string()];
        let alone = Gap::new(place.room, (around.lower, middle + 1), missing);
        let told = HashMap::from([(event_id, Told::event(event))]);
        let stretch = self.find_stretch(place, &alone, &told).await?;
        let history = self.judge_stretch(place, &alone, (&stretch, Some(server)));
        let history = history.await?;
        let first = history
            .pieces
            .first()
            .and_then(|first| first.entry.as_ref());
        if first.is_some_and(|first| first.status == Status::Accepted) {
            self.enter_island(place, (&around, &alone), (&stretch, history))
                .await?;
        }
        Ok(())
    }

    /// The newest gap between events of which the one is deeper than this, and the other is not.
    async fn gap_around(&self, room: i64, depth: i64) -> StoreResult<Option<Gap>> {
        let mut read = self.store.read();
        let deeper = |event: &StoredEvent| event.depth > depth;
        for gap in gaps::list_below(&mut read, room, i64::MAX).await? {
            let above = events::list_from(&mut read, room, gap.upper, 1).await?;
            let below = events::list_before(&mut read, room, gap.upper, 1).await?;
            let is_wide = gap.upper - gap.lower >= WIDTH_MIN;
            if is_wide && above.first().is_some_and(deeper) && !below.first().is_some_and(deeper) {
                return Ok(Some(gap));
            }
        }
        Ok(None)
    }
}
