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

/// A part of what is said about an event.
#[derive(Debug)]
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
        (request, children): (PageRequest<'_>, Children<'_>),
    ) -> StoreResult<Related> {
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
