//! Walks along the events of a room, over those that a user may see and wants to see.

use std::collections::BTreeSet;

use myelin_rooms::{RoomView, VisibleEvent};
use myelin_store::{
    Read, StoreResult,
    events::{self, StoredEvent},
    gaps::{self, Gap},
    relations::{self, Children},
};

use crate::{
    RoomToken, Syncs,
    filter::{EventFilter, EventMatcher},
    initial::{place_after, place_before},
};

/// Most events that are looked at for one answer, most of which may be hidden.
const SCAN_MAX: usize = 1_000;
/// Most events that are read at once.
const CHUNK: usize = 250;

/// Which way to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From new to old.
    Backward,
    /// From old to new.
    Forward,
}

/// A walk along the events of a room.
pub(crate) struct Walk<'a> {
    direction: Direction,
    /// Only events that say something about another one; None: all.
    children: Option<Children<'a>>,
    /// The room order that the next event lies below (backward), or the least that it can have.
    at: i64,
    /// Where the walk ends: the least room order (backward), or what all orders lie below.
    stop: i64,
    /// Whether there may be events that the walk has not come to.
    pub(crate) more: bool,
    /// Where the walk has come to, if there was anything.
    pub(crate) last: Option<RoomToken>,
    ahead: Ahead,
    /// The gap that a walk back has ended at.
    pub(crate) met: Option<Gap>,
}

/// The next gap below the beginning of a walk back.
enum Ahead {
    /// It was not looked for.
    Unknown,
    /// None: there is none.
    Known(Option<Gap>),
}

/// What of the events that a user may see the user wants to see.
pub(crate) struct Sieve<'a> {
    filter: &'a EventFilter,
    matcher: EventMatcher<'a>,
    /// Users whose messages are not shown.
    pub(crate) ignored: BTreeSet<i64>,
}

impl Syncs {
    /// What a user wants to see of events: what passes the filter, and is no message of somebody
    /// who is ignored.
    pub(crate) async fn sieve<'a>(
        &self,
        read: &mut Read,
        user: i64,
        filter: &'a EventFilter,
    ) -> StoreResult<Sieve<'a>> {
        let ignored = self.ignored_numbers(read, user).await?;
        Ok(Sieve {
            filter,
            matcher: filter.matcher(),
            ignored,
        })
    }

    /// The interned ids of the users whose messages a user does not want to see.
    pub(crate) async fn ignored_numbers(
        &self,
        read: &mut Read,
        user: i64,
    ) -> StoreResult<BTreeSet<i64>> {
        let mut ignored = BTreeSet::new();
        for user in myelin_accounts::ignored_users(&self.store, read, user).await? {
            // Who has no number has sent nothing.
            ignored.extend(self.store.find_interned(user.as_bytes()).await?);
        }
        Ok(ignored)
    }

    /// The next events that are shown, at most `limit`. At most 1,000 are looked at.
    pub(crate) async fn walk(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        (walk, sieve): (&mut Walk<'_>, &mut Sieve<'_>),
        limit: usize,
    ) -> StoreResult<Vec<VisibleEvent>> {
        let mut found: Vec<VisibleEvent> = Vec::new();
        let mut scanned = 0;
        while walk.more && found.len() < limit && scanned < SCAN_MAX {
            let wanted = if scanned == 0 { limit } else { CHUNK };
            let mut chunk = walk.next(read, view.room, wanted.min(SCAN_MAX)).await?;
            scanned += chunk.len();
            sieve.retain(self, read, &mut chunk).await?;
            let shown = self.rooms.visible(read, view, chunk).await?;
            let left = limit - found.len();
            if let Some(first_left_out) = shown.get(left) {
                // The next page begins with what found no place in this one.
                walk.go_back_to(&first_left_out.event);
            }
            found.extend(shown.into_iter().take(left));
        }
        Ok(found)
    }
}

impl Sieve<'_> {
    async fn retain(
        &mut self,
        syncs: &Syncs,
        read: &mut Read,
        events: &mut Vec<StoredEvent>,
    ) -> StoreResult<()> {
        let ignored = &self.ignored;
        // State is shown whoever set it, or rooms would look different to different users.
        events.retain(|event| event.state_key.is_some() || !ignored.contains(&event.sender));
        self.matcher.retain(&syncs.store, events).await?;
        syncs.retain_related(read, self.filter, events).await
    }

    /// The same for events of the state, which are shown whoever set them.
    pub(crate) async fn retain_state(
        &mut self,
        syncs: &Syncs,
        events: &mut Vec<StoredEvent>,
    ) -> StoreResult<()> {
        self.matcher.retain(&syncs.store, events).await
    }
}

impl<'a> Walk<'a> {
    /// The same walk, which meets only these events, and no gaps.
    pub(crate) fn among(self, children: Children<'a>) -> Self {
        Self {
            children: Some(children),
            ahead: Ahead::Known(None),
            ..self
        }
    }

    /// A walk from a place to what may be seen last, or to another place before that.
    pub(crate) fn new(
        view: &RoomView,
        direction: Direction,
        (from, to): (i64, Option<i64>),
    ) -> Self {
        let end = view.last.saturating_add(1);
        let (at, stop) = match direction {
            Direction::Backward => (from.min(end), to.unwrap_or(i64::MIN)),
            Direction::Forward => (from, to.map_or(end, |to| to.min(end))),
        };
        Self {
            direction,
            children: None,
            at,
            stop,
            more: true,
            last: None,
            ahead: Ahead::Unknown,
            met: None,
        }
    }

    /// The same, for a walk back that looks for gaps below this room order alone: it goes across
    /// those above.
    pub(crate) async fn across(
        mut self,
        read: &mut Read,
        room: i64,
        below: i64,
    ) -> StoreResult<Self> {
        let gap = gaps::find_below(read, room, self.at.min(below)).await?;
        self.ahead = Ahead::Known(gap);
        Ok(self)
    }

    /// The next events, at most so many; `more` tells whether there are others behind them.
    async fn next(
        &mut self,
        read: &mut Read,
        room: i64,
        limit: usize,
    ) -> StoreResult<Vec<StoredEvent>> {
        // One more than asked for tells whether there is more.
        let rows = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let mut chunk = match (&self.children, self.direction) {
            (None, Direction::Backward) => events::list_before(read, room, self.at, rows).await?,
            (None, Direction::Forward) => events::list_from(read, room, self.at, rows).await?,
            (Some(children), direction) => {
                list_children(read, children, (self.at, direction), rows).await?
            }
        };
        let gap = self.gap_ahead(read, room).await?;
        let gap = gap.filter(|gap| gap.upper > self.stop);
        let floor = gap.as_ref().map_or(self.stop, |gap| gap.upper);
        chunk.retain(|event| match self.direction {
            Direction::Backward => event.room_order >= floor,
            Direction::Forward => event.room_order < self.stop,
        });
        self.more = chunk.len() > limit;
        self.met = gap.filter(|_| !self.more);
        chunk.truncate(limit);
        if let Some(last) = chunk.last() {
            let place = match self.direction {
                Direction::Backward => place_before(last),
                Direction::Forward => place_after(last),
            };
            self.at = place.before;
            self.last = Some(place);
        }
        Ok(chunk)
    }

    async fn gap_ahead(&mut self, read: &mut Read, room: i64) -> StoreResult<Option<Gap>> {
        match (self.direction, &self.ahead) {
            (Direction::Forward, _) => Ok(None),
            (Direction::Backward, Ahead::Known(gap)) => Ok(gap.clone()),
            (Direction::Backward, Ahead::Unknown) => {
                let gap = gaps::find_below(read, room, self.at).await?;
                self.ahead = Ahead::Known(gap.clone());
                Ok(gap)
            }
        }
    }

    /// Gives back what was read from this event on.
    fn go_back_to(&mut self, event: &StoredEvent) {
        let place = match self.direction {
            Direction::Backward => place_after(event),
            Direction::Forward => place_before(event),
        };
        self.at = place.before;
        self.last = Some(place);
        self.more = true;
        self.met = None;
    }
}

/// The next events that say something about another one.
async fn list_children(
    read: &mut Read,
    children: &Children<'_>,
    (at, direction): (i64, Direction),
    limit: i64,
) -> StoreResult<Vec<StoredEvent>> {
    let numbers = match direction {
        Direction::Backward => relations::list_before(read, children, at, limit).await?,
        Direction::Forward => relations::list_from(read, children, at, limit).await?,
    };
    let mut events = events::list(read, &numbers).await?;
    events.sort_by_key(|event| event.room_order);
    if direction == Direction::Backward {
        events.reverse();
    }
    Ok(events)
}
