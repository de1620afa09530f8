//! `/relations`: the events that say something about another one; and filters that ask for it.

use std::collections::HashSet;

use myelin_rooms::RoomView;
use myelin_store::{
    Read, StoreResult,
    events::StoredEvent,
    relations::{self, Children},
};

use crate::{
    PageRequest, RoomToken, ShownEvent, Syncs,
    filter::{EventFilter, RelatedBy},
    messages::LIMIT_MAX,
};

/// Which events that say something about another one are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Relating<'a> {
    /// The id of the event that they say something about.
    pub parent: &'a str,
    /// Only this kind of relation.
    pub rel_type: Option<&'a str>,
    /// Only events of this type.
    pub event_type: Option<&'a str>,
    /// Also what is said about what is said, [`relations::DEPTH_MAX`] deep.
    pub recurse: bool,
}

/// A part of what is said about an event.
#[derive(Debug, Default)]
pub struct Related {
    /// The events in the direction of the walk.
    pub events: Vec<ShownEvent>,
    /// Where the next page begins; None: there is nothing further in this direction.
    pub end: Option<RoomToken>,
}

impl Syncs {
    /// A page of what a user may see of the events that say something about another one.
    pub async fn related(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        (request, relating): (PageRequest<'_>, Relating<'_>),
    ) -> StoreResult<Related> {
        let event_type = match relating.event_type {
            Some(name) => match self.store.find_interned(name.as_bytes()).await? {
                Some(number) => Some(number),
                // There is no event of that type here.
                None => return Ok(Related::default()),
            },
            None => None,
        };
        let children = Children {
            room: view.room,
            parent: relating.parent,
            rel_type: relating.rel_type,
            event_type,
            recurse: relating.recurse,
        };
        let (_, walk) = self.begin(read, view, &request).await?;
        let mut walk = walk.among(children);
        let mut sieve = self.sieve(read, view.user, request.filter).await?;
        let limit = request.limit.clamp(1, LIMIT_MAX);
        let events = self
            .walk(read, view, (&mut walk, &mut sieve), limit)
            .await?;
        let events = self.annotate(read, view.room, events).await?;
        let events = self.bundled(read, view, events, &sieve.ignored).await?;
        Ok(Related {
            events,
            end: walk.last.filter(|_| walk.more),
        })
    }

    /// Keeps the events of a room about which is said what a filter asks for.
    pub(crate) async fn retain_related(
        &self,
        read: &mut Read,
        filter: &EventFilter,
        events: &mut Vec<StoredEvent>,
    ) -> StoreResult<()> {
        let (Some(RelatedBy { senders, rel_types }), Some(first)) =
            (filter.related_by(), events.first())
        else {
            return Ok(());
        };
        let senders = match senders {
            Some(names) => {
                let mut numbers = Vec::with_capacity(names.len());
                for name in names {
                    numbers.extend(self.store.find_interned(name.as_bytes()).await?);
                }
                Some(numbers)
            }
            None => None,
        };
        let rel_types: Option<Vec<&str>> =
            rel_types.map(|names| names.iter().map(String::as_str).collect());
        let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        let by = (senders.as_deref(), rel_types.as_deref());
        let found = relations::list_parents(read, (first.room, &ids), by).await?;
        let found: HashSet<String> = found.into_iter().collect();
        events.retain(|event| found.contains(&event.id));
        Ok(())
    }
}
