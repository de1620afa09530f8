//! Walks along a room's events in the view of 2014.

use myelin_rooms::RoomView as Access;
use myelin_store::Read;
use myelin_sync::{
    Direction, PageRequest, RoomToken, ShownEvent, Token, Viewer, filter::EventFilter, place_after,
    place_before,
};
use ruma::RoomId;

use super::{
    modern,
    view::{Object, RoomView, is_hidden},
};
use crate::{ClientApi, Error, history};

/// A walk through a room.
pub(super) struct Walk<'a> {
    pub(super) api: &'a ClientApi,
    pub(super) room_id: &'a RoomId,
    pub(super) viewer: &'a Viewer,
    pub(super) view: &'a RoomView,
    /// Where to stop.
    pub(super) to: Option<Token>,
    pub(super) direction: Direction,
    /// Most events, virtual ones counted.
    pub(super) limit: usize,
}

impl Walk<'_> {
    /// The events from a place on, and where the next page begins. Who finds nothing shown in a
    /// page would take that for the end of the room, so the walk goes on there.
    pub(super) async fn page(
        &self,
        read: &mut Read,
        access: &mut Access,
        mut from: Option<Token>,
    ) -> Result<(Vec<Object>, RoomToken), Error> {
        let filter = EventFilter::default();
        loop {
            let request = PageRequest {
                from,
                to: self.to,
                direction: self.direction,
                limit: self.limit,
                filter: &filter,
                across: None,
            };
            let page = history::page(self.api, read, (access, self.room_id), request).await?;
            let shown = self.shown(&page.events)?;
            let events = shown.iter().map(|(_, event)| event.clone());
            let (chunk, real) = self.view.page(events, self.direction, self.limit);
            let place = |shown: &ShownEvent| match self.direction {
                Direction::Backward => place_before(&shown.event),
                Direction::Forward => place_after(&shown.event),
            };
            let cut = shown
                .get(real.wrapping_sub(1))
                .filter(|_| real < shown.len());
            let end = match cut {
                Some((last, _)) => Some(place(last)),
                None => page.end.or(page.events.last().map(place)),
            };
            match page.end.filter(|next| *next != page.start) {
                Some(next) if chunk.is_empty() => from = Some(Token::Room(next)),
                _ => return Ok((chunk, end.unwrap_or(page.start))),
            }
        }
    }

    fn shown<'a>(&self, events: &'a [ShownEvent]) -> Result<Vec<(&'a ShownEvent, Object)>, Error> {
        let mut shown = Vec::with_capacity(events.len());
        for event in events {
            let today = modern::shown_event(self.api, event, (self.room_id, self.viewer))?;
            if !is_hidden(&today) {
                shown.push((event, today));
            }
        }
        Ok(shown)
    }
}
