//! The state of a room in an answer: what leads from what the client knows to the timeline, or past
//! it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use myelin_core::trie::{StateKey, TYPE_MEMBER};
use myelin_store::{LogKind, Read, StoreResult, log};

use super::{poll::Poll, timeline::Timeline};
use crate::{ShownEvent, Syncs};

/// How much a client knows of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing: it is told the newest events and the whole state.
    Nothing,
    /// What happened up to its token, but it wants the whole state all the same.
    Events,
    /// Everything up to its token.
    All,
}

/// A room's part of an answer, for which state is to be chosen.
#[derive(Clone, Copy)]
pub(super) struct Span<'a> {
    pub(super) room: i64,
    pub(super) known: Known,
    /// The state at the end of the user's time in the room, and the room order up to which that
    /// lasted; None: it lasts.
    pub(super) end: Option<(&'a Bytes, i64)>,
}

/// State events by key; for each the number.
type Entries = BTreeMap<StateKey, i64>;

impl Syncs {
    /// The numbers of the state events that come with a timeline. With lazy loading, the members
    /// among them are those who sent the timeline's events, `heroes`, and whose who changed in a
    /// gap before it.
    pub(super) async fn state_of(
        &self,
        poll: &Poll,
        read: &mut Read,
        span: Span<'_>,
        (timeline, heroes): (&Timeline, &[i64]),
    ) -> StoreResult<Vec<(StateKey, i64)>> {
        let after = poll.request.state_form.is_after();
        let lazy = poll.request.filter.room.state.lazy_load_members();
        let whole = span.known != Known::All;
        let start = if after {
            None
        } else {
            start_root(span, timeline)
        };
        let needs_difference = after || timeline.limited || timeline.lacks_state;
        let mut entries = Entries::new();
        if whole || needs_difference {
            let start = match &start {
                Some(start) => start.clone(),
                None => self.end_root(poll, read, span).await?,
            };
            entries = self.entries_up_to(poll, read, span, &start).await?;
        }
        if timeline.lacks_state && start.is_some() {
            self.add_left_out(poll, read, (span, timeline), &mut entries)
                .await?;
        }
        if lazy {
            let wanted = wanted_members(poll, whole, (timeline, heroes));
            if !wanted.is_empty() {
                let root = match start {
                    Some(start) => start,
                    None => self.end_root(poll, read, span).await?,
                };
                let at = (span.room, &root);
                self.add_members(poll, read, (at, whole), (&wanted, &mut entries))
                    .await?;
            }
        }
        if lazy {
            self.remember_members(poll, span.room, (timeline, &entries));
        }
        Ok(entries.into_iter().collect())
    }

    /// The state up to a root, as far as the client does not know it.
    async fn entries_up_to(
        &self,
        poll: &Poll,
        read: &mut Read,
        span: Span<'_>,
        root: &Bytes,
    ) -> StoreResult<Entries> {
        let at = (span.room, root);
        if span.known == Known::All {
            let known = self.root_at(read, span.room, poll.since_position()).await?;
            let changed = self
                .rooms
                .state_difference(read, span.room, (&known, root))
                .await?;
            let entries = changed.into_iter();
            return Ok(entries
                .filter_map(|changed| Some((changed.key, changed.after?)))
                .collect());
        }
        let entries = if poll.request.filter.room.state.lazy_load_members() {
            self.rooms.state_without_members(read, at).await?
        } else {
            self.rooms.state_entries(read, at).await?
        };
        Ok(entries.into_iter().collect())
    }

    /// State events of the timeline's time that are not shown in it: the client could not know of
    /// them otherwise, so it is told what they lead to.
    async fn add_left_out(
        &self,
        poll: &Poll,
        read: &mut Read,
        (span, timeline): (Span<'_>, &Timeline),
        entries: &mut Entries,
    ) -> StoreResult<()> {
        let Some(start) = start_root(span, timeline) else {
            return Ok(());
        };
        let end = self.end_root(poll, read, span).await?;
        let roots = (&start, &end);
        let shown: HashSet<i64> = timeline
            .events
            .iter()
            .map(|shown| shown.event.event)
            .collect();
        for changed in self.rooms.state_difference(read, span.room, roots).await? {
            if let Some(after) = changed.after.filter(|after| !shown.contains(after)) {
                entries.insert(changed.key, after);
            }
        }
        Ok(())
    }

    /// Adds those members that the client needs and was not sent before.
    async fn add_members(
        &self,
        poll: &Poll,
        read: &mut Read,
        ((room, root), whole): ((i64, &Bytes), bool),
        (wanted, entries): (&BTreeSet<i64>, &mut Entries),
    ) -> StoreResult<()> {
        let keys: Vec<StateKey> = wanted.iter().map(|user| member_key(*user)).collect();
        let numbers = self.rooms.state_numbers(read, (room, root), &keys).await?;
        let mut members: Vec<(i64, i64)> = wanted
            .iter()
            .zip(numbers)
            .filter_map(|(user, number)| Some((*user, number?)))
            .collect();
        let redundant = poll.request.filter.room.state.include_redundant_members();
        if !redundant && !whole {
            let viewer = &poll.request.viewer;
            self.sent_members
                .retain_new(viewer, (room, poll.since_position()), &mut members);
        }
        for (user, number) in members {
            entries.entry(member_key(user)).or_insert(number);
        }
        Ok(())
    }

    fn remember_members(&self, poll: &Poll, room: i64, (timeline, entries): (&Timeline, &Entries)) {
        let in_timeline = timeline.events.iter().filter_map(|shown| {
            let event = &shown.event;
            let user = event
                .state_key
                .filter(|_| event.event_type == TYPE_MEMBER)?;
            Some((user, event.event))
        });
        let members = entries
            .iter()
            .filter(|(key, _)| key.event_type == TYPE_MEMBER);
        let members = members.map(|(key, number)| (key.state_key, *number));
        let viewer = &poll.request.viewer;
        // The timeline comes later than the state before it.
        let all = members.chain(in_timeline);
        self.sent_members
            .remember(viewer, (room, poll.position), all);
    }

    /// The root of the state at the end of a span.
    async fn end_root(&self, poll: &Poll, read: &mut Read, span: Span<'_>) -> StoreResult<Bytes> {
        match span.end {
            Some((root, _)) => Ok(root.clone()),
            None => self.root_at(read, span.room, poll.position).await,
        }
    }

    /// The root of a room's state at a position; empty before the room was there.
    pub(super) async fn root_at(
        &self,
        read: &mut Read,
        room: i64,
        position: i64,
    ) -> StoreResult<Bytes> {
        let entry = log::find_last(read, room, LogKind::Event, position).await?;
        Ok(entry.map(|entry| entry.data).unwrap_or_default())
    }
}

/// The state before the first event of a timeline, if that lies within the user's time in the room.
fn start_root(span: Span<'_>, timeline: &Timeline) -> Option<Bytes> {
    let first = &timeline.events.first()?.event;
    let lies_within = span.end.is_none_or(|(_, last)| first.room_order <= last);
    lies_within.then(|| first.root_before.clone())
}

/// The members that a client needs to show a timeline. Those whose member event stands in the
/// timeline before what they send are known from there, unless the timeline changes no state.
fn wanted_members(
    poll: &Poll,
    whole: bool,
    (timeline, heroes): (&Timeline, &[i64]),
) -> BTreeSet<i64> {
    let mut wanted: BTreeSet<i64> = heroes.iter().copied().collect();
    if whole {
        wanted.insert(poll.user());
    }
    let mut told = BTreeSet::new();
    for ShownEvent { event, .. } in &timeline.events {
        if !told.contains(&event.sender) {
            wanted.insert(event.sender);
        }
        if event.event_type == TYPE_MEMBER && !poll.request.state_form.is_after() {
            told.extend(event.state_key);
        }
    }
    wanted
}

fn member_key(user: i64) -> StateKey {
    StateKey {
        event_type: TYPE_MEMBER,
        state_key: user,
    }
}
