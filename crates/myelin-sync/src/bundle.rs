//! Bundled aggregations: what `unsigned` tells of the events that say something about an event
//! (spec: "Aggregations of child events").

use std::collections::{BTreeSet, HashMap, HashSet};

use myelin_core::relation::{REFERENCE, REPLACE, Relation, THREAD};
use myelin_rooms::RoomView;
use myelin_store::{
    Read, StoreResult,
    events::{self, StoredEvent},
    memberships,
    relations::{self, Newest, Reference},
    threads,
};

use crate::{ShownEvent, Syncs, render::ThreadSummary};

/// Most references to the events of one answer that are told of.
const REFERENCES_MAX: i64 = 5_000;
/// Most events that are looked at where the newest that is said about others is hidden.
const HIDDEN_MAX: i64 = 250;

/// Which kinds of relations there are to which events: pairs of an event's id and a kind.
pub(crate) type Kinds = HashSet<(String, String)>;

impl Syncs {
    /// The same events, with what others say about them but those whom the user ignores.
    ///
    /// Cost: one read; where there is something to tell, some more for all events together.
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
        self.bundle_references(read, view, (shown, kinds), &without)
            .await?;
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
        let newest = (Newest::Edit, &*edited);
        let mut edits = self.newest_seen(read, view, newest, without).await?;
        for shown in shown {
            shown.notes.bundle.edit = edits.remove(&shown.event.event).map(Box::new);
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
        let newest = (Newest::InThread, &*numbers);
        let mut latest = self.newest_seen(read, view, newest, without).await?;
        self.bundle_latest(read, view, &mut latest, without).await?;
        let sizes = threads::list_sizes(read, here).await?;
        let hidden = relations::count_in_threads(read, here, without).await?;
        let hidden: HashMap<String, i64> = hidden.into_iter().collect();
        let own = relations::count_in_threads(read, here, &[view.user]).await?;
        let own: HashSet<String> = own.into_iter().map(|(root, _)| root).collect();
        let mut sizes: HashMap<String, i64> = sizes.into_iter().collect();
        for shown in shown {
            let (id, number) = (&shown.event.id, shown.event.event);
            let (Some(latest), Some(size)) = (latest.remove(&number), sizes.remove(id)) else {
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
        latest: &mut HashMap<i64, ShownEvent>,
        without: &[i64],
    ) -> StoreResult<()> {
        let (roots, mut shown): (Vec<_>, Vec<_>) = latest.drain().unzip();
        let kinds = self.bundle_kinds(read, &shown).await?;
        self.bundle_edits(read, view, (&mut shown, &kinds), without)
            .await?;
        self.bundle_references(read, view, (&mut shown, &kinds), without)
            .await?;
        latest.extend(roots.into_iter().zip(shown));
        Ok(())
    }

    /// The newest of what is said about each of these events that the user may see, by the numbers of
    /// the events: where the newest of all is hidden, those before it are looked at.
    async fn newest_seen(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        (newest, events): (Newest, &[i64]),
        without: &[i64],
    ) -> StoreResult<HashMap<i64, ShownEvent>> {
        let bounds = (view.last, without);
        let found = relations::list_newest(read, newest, events, bounds).await?;
        let seen = self.said(read, view, &found).await?;
        let mut seen: HashMap<i64, ShownEvent> = seen.into_iter().collect();
        let hidden = found.iter().map(|(of, _)| *of);
        let hidden: Vec<i64> = hidden.filter(|of| !seen.contains_key(of)).collect();
        if !hidden.is_empty() {
            let older =
                relations::list_newest_of_all(read, newest, &hidden, bounds, HIDDEN_MAX).await?;
            for (of, older) in self.said(read, view, &older).await? {
                seen.entry(of).or_insert(older);
            }
        }
        Ok(seen)
    }

    /// Those events of these second numbers that the user may see, in their order.
    async fn said(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        found: &[(i64, i64)],
    ) -> StoreResult<Vec<(i64, ShownEvent)>> {
        let numbers: Vec<i64> = found.iter().map(|(_, number)| *number).collect();
        let seen = events::list(read, &numbers).await?;
        let seen = self.rooms.visible(read, view, seen).await?;
        let seen = self.annotate(read, view.room, seen).await?;
        let mut seen: HashMap<i64, ShownEvent> = seen
            .into_iter()
            .map(|shown| (shown.event.event, shown))
            .collect();
        let found = found.iter();
        let seen = found.filter_map(|(of, number)| Some((*of, seen.remove(number)?)));
        Ok(seen.collect())
    }

    async fn bundle_references(
        &self,
        read: &mut Read,
        view: &mut RoomView,
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
        let mut found =
            relations::list_references(read, (view.room, &ids), newest, REFERENCES_MAX).await?;
        self.retain_seen(read, view, &mut found).await?;
        let mut references: HashMap<String, Vec<String>> = HashMap::new();
        for found in found {
            references.entry(found.parent).or_default().push(found.id);
        }
        for shown in shown {
            let of_event = references.remove(&shown.event.id);
            shown.notes.bundle.references = of_event.unwrap_or_default();
        }
        Ok(())
    }

    /// Keeps the references that the user may see. What has come since the user is in the room need
    /// not be looked at.
    async fn retain_seen(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        found: &mut Vec<Reference>,
    ) -> StoreResult<()> {
        let since = memberships::joined_since(read, view.room, view.user).await?;
        let is_sure = |found: &Reference| since.is_some_and(|since| found.room_order > since);
        let unsure = found.iter().filter(|found| !is_sure(found));
        let unsure: Vec<i64> = unsure.map(|found| found.event).collect();
        if unsure.is_empty() {
            return Ok(());
        }
        let seen = events::list(read, &unsure).await?;
        let seen = self.rooms.visible(read, view, seen).await?;
        let seen: HashSet<i64> = seen.iter().map(|seen| seen.event.event).collect();
        found.retain(|found| is_sure(found) || seen.contains(&found.event));
        Ok(())
    }
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
