//! Bundled aggregations: what `unsigned` tells of the events that say something about an event
//! (spec: "Aggregations of child events").

use std::collections::{BTreeSet, HashMap, HashSet};

use myelin_core::relation::{REFERENCE, REPLACE, Relation, THREAD};
use myelin_rooms::RoomView;
use myelin_store::{
    Read, StoreResult,
    events::{self, StoredEvent},
    relations, threads,
};

use crate::{ShownEvent, Syncs, render::ThreadSummary};

/// Most references to the events of one answer that are told of.
const REFERENCES_MAX: i64 = 5_000;

/// Which kinds of relations there are to which events: pairs of an event's id and a kind.
pub(crate) type Kinds = HashSet<(String, String)>;

impl Syncs {
    /// The same events, with what others say about them but those whom the user ignores.
    ///
    /// Cost: one read; where there is something to tell, up to ten more for all events together.
    pub(crate) async fn bundled(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        mut shown: Vec<ShownEvent>,
        ignored: &BTreeSet<i64>,
    ) -> StoreResult<Vec<ShownEvent>> {
        let kinds = self.bundle_kinds(read, &shown).await?;
        self.bundle(read, view, (&mut shown, &kinds), ignored)
            .await?;
        Ok(shown)
    }

    /// The same for one event: whom the user ignores is looked up where there is something to tell.
    pub async fn bundled_event(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        mut shown: Vec<ShownEvent>,
    ) -> StoreResult<Vec<ShownEvent>> {
        let kinds = self.bundle_kinds(read, &shown).await?;
        if !kinds.is_empty() {
            let ignored = self.ignored_numbers(read, view.user).await?;
            self.bundle(read, view, (&mut shown, &kinds), &ignored)
                .await?;
        }
        Ok(shown)
    }

    /// Which kinds of relations there are to these events of one room.
    pub(crate) async fn bundle_kinds(
        &self,
        read: &mut Read,
        shown: &[ShownEvent],
    ) -> StoreResult<Kinds> {
        let events = shown.iter().map(|shown| &shown.event);
        // State events get no aggregations.
        let events: Vec<&StoredEvent> = events.filter(|event| event.state_key.is_none()).collect();
        let Some(first) = events.first() else {
            return Ok(Kinds::new());
        };
        let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        let kinds = [REPLACE, REFERENCE, THREAD];
        let found = relations::list_kinds(read, (first.room, &ids), &kinds).await?;
        Ok(found.into_iter().collect())
    }

    /// Adds to events of one room what others say about them.
    pub(crate) async fn bundle(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        (shown, kinds): (&mut [ShownEvent], &Kinds),
        ignored: &BTreeSet<i64>,
    ) -> StoreResult<()> {
        if kinds.is_empty() {
            return Ok(());
        }
        let without: Vec<i64> = ignored.iter().copied().collect();
        self.bundle_edits(read, view, (shown, kinds), &without)
            .await?;
        bundle_references(read, view, (shown, kinds), &without).await?;
        self.bundle_threads(read, view, (shown, kinds), &without)
            .await
    }

    async fn bundle_edits(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        (shown, kinds): (&mut [ShownEvent], &Kinds),
        without: &[i64],
    ) -> StoreResult<()> {
        let is_edited = |event: &StoredEvent| {
            let own = Relation::type_of_event(&event.json);
            event.redaction.is_none() && own.is_none_or(|own| own != REPLACE)
        };
        let edited = of_kind(shown, kinds, REPLACE).filter(|event| is_edited(event));
        let edited: Vec<i64> = edited.map(|event| event.event).collect();
        if edited.is_empty() {
            return Ok(());
        }
        let found = relations::list_edits(read, &edited, (view.last, without)).await?;
        let mut edits = self.said(read, view, &found).await?;
        for shown in shown {
            shown.notes.bundle.edit = edits.remove(&shown.event.id).map(Box::new);
        }
        Ok(())
    }

    async fn bundle_threads(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        (shown, kinds): (&mut [ShownEvent], &Kinds),
        without: &[i64],
    ) -> StoreResult<()> {
        let is_root = |event: &&StoredEvent| Relation::type_of_event(&event.json).is_none();
        let roots = of_kind(shown, kinds, THREAD).filter(is_root);
        let (numbers, ids): (Vec<i64>, Vec<String>) =
            roots.map(|root| (root.event, root.id.clone())).unzip();
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let here = (view.room, &*ids);
        let newest = (view.last, without);
        let found = relations::list_newest_in_threads(read, &numbers, newest).await?;
        let mut latest = self.said(read, view, &found).await?;
        self.bundle_latest(read, view, &mut latest, without).await?;
        let sizes = threads::list_sizes(read, here).await?;
        let hidden = relations::count_in_threads(read, here, without).await?;
        let hidden: HashMap<String, i64> = hidden.into_iter().collect();
        let own = relations::count_in_threads(read, here, &[view.user]).await?;
        let own: HashSet<String> = own.into_iter().map(|(root, _)| root).collect();
        let mut sizes: HashMap<String, i64> = sizes.into_iter().collect();
        for shown in shown {
            let id = &shown.event.id;
            let (Some(latest), Some(size)) = (latest.remove(id), sizes.remove(id)) else {
                continue;
            };
            shown.notes.bundle.thread = Some(Box::new(ThreadSummary {
                latest,
                count: size - hidden.get(id).copied().unwrap_or_default(),
                participated: shown.event.sender == view.user || own.contains(id),
            }));
        }
        Ok(())
    }

    /// Adds what is said about the newest events of threads, which are no roots of others.
    async fn bundle_latest(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        latest: &mut HashMap<String, ShownEvent>,
        without: &[i64],
    ) -> StoreResult<()> {
        let (roots, mut shown): (Vec<_>, Vec<_>) = latest.drain().unzip();
        let kinds = self.bundle_kinds(read, &shown).await?;
        self.bundle_edits(read, view, (&mut shown, &kinds), without)
            .await?;
        bundle_references(read, view, (&mut shown, &kinds), without).await?;
        latest.extend(roots.into_iter().zip(shown));
        Ok(())
    }

    /// The events with these numbers that the user may see, by the ids beside the numbers.
    async fn said(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        found: &[(String, i64)],
    ) -> StoreResult<HashMap<String, ShownEvent>> {
        let numbers: Vec<i64> = found.iter().map(|(_, number)| *number).collect();
        let said = events::list(read, &numbers).await?;
        let said = self.rooms.visible(read, view, said).await?;
        let said = self.annotate(read, view.room, said).await?;
        let mut said: HashMap<i64, ShownEvent> = said
            .into_iter()
            .map(|shown| (shown.event.event, shown))
            .collect();
        let about = found.iter();
        let about = about.filter_map(|(id, number)| Some((id.clone(), said.remove(number)?)));
        Ok(about.collect())
    }
}

async fn bundle_references(
    read: &mut Read,
    view: &RoomView,
    (shown, kinds): (&mut [ShownEvent], &Kinds),
    without: &[i64],
) -> StoreResult<()> {
    let referred: Vec<String> = of_kind(shown, kinds, REFERENCE)
        .map(|event| event.id.clone())
        .collect();
    if referred.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = referred.iter().map(String::as_str).collect();
    let newest = (view.last, without);
    let found = relations::list_references(read, (view.room, &ids), newest, REFERENCES_MAX).await?;
    let mut references: HashMap<String, Vec<String>> = HashMap::new();
    for (id, by) in found {
        references.entry(id).or_default().push(by);
    }
    for shown in shown {
        let of_event = references.remove(&shown.event.id);
        shown.notes.bundle.references = of_event.unwrap_or_default();
    }
    Ok(())
}

/// Those events to which there is a relation of a kind.
fn of_kind<'a>(
    shown: &'a [ShownEvent],
    kinds: &'a Kinds,
    rel_type: &'a str,
) -> impl Iterator<Item = &'a StoredEvent> {
    let events = shown.iter().map(|shown| &shown.event);
    events.filter(move |event| kinds.contains(&(event.id.clone(), rel_type.to_owned())))
}
