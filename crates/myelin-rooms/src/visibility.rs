//! Who may see what of a room (spec: "Room History Visibility"). Every read goes through it.

mod erasure;
mod moments;
mod near;
mod peers;
mod view;

use bytes::Bytes;
use myelin_core::membership::Membership;
use myelin_store::{
    Read, StoreError, StoreResult, departures,
    events::{self, StoredEvent},
    memberships, rooms, sticky_events,
};
use ruma::{EventId, RoomId, UserId};

use crate::{Rooms, receipts::find_in_room};

pub(crate) use moments::membership_of_event;
pub use near::EventNear;
pub use view::{RoomView, Standing, VisibleEvent};

/// Why a room may not be read.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no such room here, or the user never was in it and it is not for everybody to
    /// read: which of the three is not told.
    #[error("{user} is not in the room {room_id}")]
    NotInRoom {
        /// Who wanted to read.
        user: String,
        /// Which room.
        room_id: String,
    },
    /// The database failed.
    #[error("the room could not be read")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// What a user may see of a room: of its members' room everything that its settings allow, of
    /// a room left what there was until then, of a world readable room what everybody may see.
    pub async fn view(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        user: &UserId,
    ) -> Result<RoomView, AccessError> {
        let found = self.view_any(read, room_id, user).await?;
        let seen = found.filter(|view| !view.is_closed());
        seen.ok_or_else(|| not_in_room(room_id, user))
    }

    /// The same for what only members may do.
    pub async fn member_view(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        user: &UserId,
    ) -> Result<RoomView, AccessError> {
        let found = self.view_any(read, room_id, user).await?;
        let member = found.filter(|view| view.standing == Standing::Member);
        member.ok_or_else(|| not_in_room(room_id, user))
    }

    /// The same for who looks for single events: of a room that is closed to the user now there
    /// may be some that were world readable when they were sent. None: there is no such room.
    pub async fn view_any(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        user: &UserId,
    ) -> StoreResult<Option<RoomView>> {
        let Some(room) = self.find_number(room_id).await? else {
            return Ok(None);
        };
        let Some(user) = self.store.find_interned(user.as_bytes()).await? else {
            return Ok(None);
        };
        self.view_by_number(read, room, user).await
    }

    /// The same, by the interned room id and user id.
    pub async fn view_by_number(
        &self,
        read: &mut Read,
        room: i64,
        user: i64,
    ) -> StoreResult<Option<RoomView>> {
        let found = memberships::find(read, room, user).await?;
        let membership = found.map_or(Membership::Leave, |found| found.membership);
        // A member may have gone since; that the room's row is newer then shows nothing that was
        // not there while the membership was read.
        let Some(row) = rooms::find(read, room).await? else {
            return Ok(None);
        };
        if membership == Membership::Join {
            return Ok(Some(RoomView::of_member(&row, user)));
        }
        let open = self.is_world_readable(read, room, &row.root).await?;
        let departure = departures::find(read, room, user).await?;
        Ok(Some(match departure {
            Some(departure) => RoomView::of_departed(&row, (user, membership), &departure, open),
            None => RoomView::of_outsider(&row, (user, membership), open),
        }))
    }

    /// Those of a room's events that the view shows, in their order, each with what the user was
    /// in the room at that time.
    ///
    /// Cost: what the states before the events differ in; for events without state events among
    /// them, one look into the state.
    pub async fn visible(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        events: Vec<StoredEvent>,
    ) -> StoreResult<Vec<VisibleEvent>> {
        self.learn(read, view, &events).await?;
        let shown = events.into_iter().filter_map(|event| view.show(event));
        let mut shown: Vec<_> = shown.collect();
        self.prune_erased(read, view, &mut shown).await?;
        Ok(shown)
    }

    /// The event with this id, if there is one that the user may see.
    pub async fn visible_event(
        &self,
        read: &mut Read,
        user: &UserId,
        event_id: &str,
    ) -> StoreResult<Option<VisibleEvent>> {
        let Some(number) = events::find_number(read, event_id).await? else {
            return Ok(None);
        };
        let Some(event) = events::find(read, number).await? else {
            return Ok(None);
        };
        let Some(user) = self.store.find_interned(user.as_bytes()).await? else {
            return Ok(None);
        };
        let Some(mut view) = self.view_by_number(read, event.room, user).await? else {
            return Ok(None);
        };
        self.show_one(read, &mut view, event).await
    }

    /// The event with this id of a room, if there is one that the user may see, and what the user may
    /// see of that room.
    pub async fn visible_event_in(
        &self,
        read: &mut Read,
        user: &UserId,
        (room_id, event_id): (&RoomId, &EventId),
    ) -> StoreResult<Option<(RoomView, VisibleEvent)>> {
        let Some(mut view) = self.view_any(read, room_id, user).await? else {
            return Ok(None);
        };
        let Some(event) = find_in_room(read, view.room, event_id.as_str()).await? else {
            return Ok(None);
        };
        let shown = self.show_one(read, &mut view, event).await?;
        Ok(shown.map(|event| (view, event)))
    }

    /// An event that was asked for by its id, if the view shows it. What is sticky members may see
    /// whatever the history's visibility is, as `/sync` tells them of it.
    async fn show_one(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        event: StoredEvent,
    ) -> StoreResult<Option<VisibleEvent>> {
        let shown = self.visible(read, view, vec![event.clone()]).await?;
        if !shown.is_empty() || view.standing != Standing::Member {
            return Ok(shown.into_iter().next());
        }
        let sticky = sticky_events::list(read, &[event.event], self.now_ms()).await?;
        let is_shown = !sticky.is_empty();
        Ok(is_shown.then(|| view.show_whatever_rules(event)))
    }

    /// The event nearest to a time, at it or after it (`forward`), or at it or before it, that the
    /// view shows; None: there is none among the 1,000 nearest.
    pub async fn event_near(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        (origin_server_ts, forward): (i64, bool),
    ) -> StoreResult<Option<StoredEvent>> {
        let range = (view.room, view.last);
        let mut place = events::Moment::before((origin_server_ts, forward));
        for _ in 0..Self::NEAR_CHUNKS {
            let chunk = self.chunk_near(read, range, (place, forward)).await?;
            let Some(last) = chunk.last() else {
                return Ok(None);
            };
            place = last.moment();
            if let Some(found) = self.visible(read, view, chunk).await?.into_iter().next() {
                return Ok(Some(found.event));
            }
        }
        Ok(None)
    }

    /// How often [`Rooms::chunk_near`] is asked before one gives up.
    pub(crate) const NEAR_CHUNKS: usize = 10;

    /// The 100 events that come next to a place, forward or backward in time.
    pub(crate) async fn chunk_near(
        &self,
        read: &mut Read,
        range: (i64, i64),
        (place, forward): (events::Moment, bool),
    ) -> StoreResult<Vec<StoredEvent>> {
        const CHUNK: i64 = 100;
        if forward {
            events::list_after_time(read, range, place, CHUNK).await
        } else {
            events::list_before_time(read, range, place, CHUNK).await
        }
    }

    /// The root of the state after an event, which is the state before the next one.
    pub async fn root_after(&self, read: &mut Read, event: &StoredEvent) -> StoreResult<Bytes> {
        let next = events::list_from(read, event.room, event.room_order + 1, 1).await?;
        if let Some(next) = next.into_iter().next() {
            return Ok(next.root_before);
        }
        let row = rooms::find(read, event.room).await?;
        Ok(row.ok_or(StoreError::Missing { table: "rooms" })?.root)
    }
}

pub(crate) fn not_in_room(room_id: &RoomId, user: &UserId) -> AccessError {
    AccessError::NotInRoom {
        user: user.to_string(),
        room_id: room_id.to_string(),
    }
}
