//! How many unread messages of a room notify a user, thread by thread.
//!
//! What is stored reaches as far as the follower that counts has come; the few events after that
//! are looked at here, with the same rules, so that a count never lags behind the messages that it
//! is told with.

use std::collections::BTreeMap;

use myelin_core::trie::TYPE_MEMBER;
use myelin_store::{
    Read, StoreResult,
    events::StoredEvent,
    notifications::{self, Before, Sums, Unread, UnreadRow},
};
use ruma::RoomId;

use crate::{Syncs, pending::Notifying};

/// How often is read again what the follower has changed meanwhile.
const TORN_MAX: usize = 8;

/// Unread messages that notify, by thread.
pub(crate) type UnreadThreads = BTreeMap<String, Sums>;

/// How far a user has read a room.
#[derive(Debug)]
pub(crate) struct ReadState {
    /// In all threads.
    whole: i64,
    /// In some threads further than that.
    threads: BTreeMap<String, i64>,
    /// From which places on the user goes by what most are notified of, or not.
    modes: Vec<(i64, bool)>,
}

impl ReadState {
    fn new(standing: &notifications::Standing) -> Self {
        let mut state = Self {
            whole: standing.absent_until(),
            threads: BTreeMap::new(),
            modes: standing.modes.clone(),
        };
        for read in &standing.read {
            match &read.thread {
                Some(thread) => state.raise(thread, read.room_order),
                None => state.whole = state.whole.max(read.room_order),
            }
        }
        state
    }

    /// The place up to which the user has read all threads.
    pub(crate) fn whole(&self) -> i64 {
        self.whole
    }

    /// The place up to which the user has read a thread.
    pub(crate) fn of(&self, thread: &str) -> i64 {
        let own = self.threads.get(thread).copied();
        own.unwrap_or_default().max(self.whole)
    }

    /// Whether the user goes by what most are notified of at a place.
    pub(crate) fn follows_at(&self, room_order: i64) -> bool {
        let mut before = self.modes.iter().rev();
        let mode = before.find(|(from, _)| *from < room_order);
        mode.is_none_or(|(_, follows)| *follows)
    }

    fn raise(&mut self, thread: &str, room_order: i64) {
        let place = self.threads.entry(thread.to_owned()).or_default();
        *place = room_order.max(*place);
    }

    /// The spans between two places in which the user goes by what most are notified of.
    fn followed(&self, (after, up_to): (i64, i64)) -> Vec<(i64, i64)> {
        let ends = self.modes.iter().map(|(from, _)| *from).chain([i64::MAX]);
        let starts = [(i64::MIN, true)].into_iter();
        let starts = starts.chain(self.modes.iter().copied());
        starts
            .zip(ends)
            .filter(|((_, follows), _)| *follows)
            .map(|((from, _), to)| (from.max(after), to.min(up_to)))
            .filter(|(from, to)| from < to)
            .collect()
    }
}

impl Syncs {
    /// What notifies a user in a room and is unread, by thread; threads without such are left out.
    ///
    /// Cost: the threads with something unread, the unread events that are told to the user alone,
    /// and what was redacted; not the unread events.
    pub(crate) async fn unread(
        &self,
        read: &mut Read,
        user: i64,
        (room, room_id): (i64, &RoomId),
    ) -> StoreResult<UnreadThreads> {
        let standing = notifications::find_standing(read, user, room).await?;
        let pending = if standing.newest > standing.evaluated {
            self.pending(read, room, standing.evaluated).await?
        } else {
            Vec::new()
        };
        let state = self.read_state(read, user, (&standing, &pending)).await?;
        let place = (user, room);
        let span = (&pending[..], standing.evaluated);
        let mut less = self.taken_back(read, place, &state, span).await?;
        let mut threads = counted(read, place, (&state, standing.evaluated)).await?;
        for _ in 0..TORN_MAX {
            if less.is_empty() {
                break;
            }
            // The follower may have taken back the same between the two reads.
            let again = self.taken_back(read, place, &state, span).await?;
            if again == less {
                break;
            }
            less = again;
            threads = counted(read, place, (&state, standing.evaluated)).await?;
        }
        for (thread, less) in less {
            add(&mut threads, thread, less);
        }
        if !pending.is_empty() {
            let of = (user, room_id);
            self.add_pending(read, of, (&state, &mut threads), &pending)
                .await?;
        }
        threads.retain(|_, sums| {
            sums.notify = sums.notify.max(0);
            sums.highlight = sums.highlight.max(0);
            *sums != Sums::default()
        });
        Ok(threads)
    }

    /// How far a user has read a room, by what the user has said in these events, too.
    pub(crate) async fn read_state(
        &self,
        read: &mut Read,
        user: i64,
        (standing, pending): (&notifications::Standing, &[StoredEvent]),
    ) -> StoreResult<ReadState> {
        let mut state = ReadState::new(standing);
        for event in pending {
            if event.sender == user && event.event_type != TYPE_MEMBER {
                let thread = self.rooms.thread_of_event(read, event).await?;
                state.raise(&thread, event.room_order);
            }
        }
        Ok(state)
    }

    /// What the follower has counted and not yet taken back of what these events redact.
    async fn taken_back(
        &self,
        read: &mut Read,
        (user, room): (i64, i64),
        state: &ReadState,
        (pending, evaluated): (&[StoredEvent], i64),
    ) -> StoreResult<UnreadThreads> {
        let mut threads = UnreadThreads::new();
        if pending.is_empty() {
            return Ok(threads);
        }
        let redaction = self.store.find_interned(b"m.room.redaction").await?;
        for event in pending {
            if Some(event.event_type) != redaction {
                continue;
            }
            let target = self.rooms.redacted_event(read, event).await?;
            if let Some(target) = target.filter(|target| target.room_order <= evaluated) {
                let place = (user, room, target.room_order);
                take_back(read, place, (state, &mut threads)).await?;
            }
        }
        Ok(threads)
    }

    /// Adds what the follower has not come to yet.
    async fn add_pending(
        &self,
        read: &mut Read,
        of: (i64, &RoomId),
        (state, threads): (&ReadState, &mut UnreadThreads),
        pending: &[StoredEvent],
    ) -> StoreResult<()> {
        let notifying = self.notifying(read, of, (state.whole, pending)).await?;
        for Notifying {
            event,
            thread,
            actions,
        } in notifying
        {
            if event.room_order > state.of(&thread) {
                let sums = threads.entry(thread).or_default();
                sums.notify += 1;
                sums.highlight += i64::from(actions.highlight);
            }
        }
        Ok(())
    }
}

/// What the follower has counted.
async fn counted(
    read: &mut Read,
    (user, room): (i64, i64),
    (state, evaluated): (&ReadState, i64),
) -> StoreResult<UnreadThreads> {
    let mut threads = UnreadThreads::new();
    let span = (state.whole, evaluated);
    if span.0 >= span.1 {
        return Ok(threads);
    }
    for UnreadRow {
        thread,
        room_order,
        what,
    } in notifications::list_unread(read, (user, room), span).await?
    {
        let unread = (state.of(&thread), evaluated);
        if room_order <= unread.0 {
            continue;
        }
        let more = match what {
            Unread::Thread => of_most(read, (room, &thread), state.followed(unread)).await?,
            Unread::Exception(more) => more,
            Unread::Redacted(less) if state.follows_at(room_order) => Sums {
                notify: -less.notify,
                highlight: -less.highlight,
            },
            Unread::Redacted(_) => continue,
        };
        add(&mut threads, thread, more);
    }
    Ok(threads)
}

/// What most are notified of within some spans of a thread.
async fn of_most(read: &mut Read, place: (i64, &str), spans: Vec<(i64, i64)>) -> StoreResult<Sums> {
    let mut sums = Sums::default();
    for (after, up_to) in spans {
        let within = notifications::sums_between(read, place, (after, up_to)).await?;
        sums.notify += within.notify;
        sums.highlight += within.highlight;
    }
    Ok(sums)
}

/// Takes back what an event has added that was redacted since.
async fn take_back(
    read: &mut Read,
    (user, room, room_order): (i64, i64, i64),
    (state, threads): (&ReadState, &mut UnreadThreads),
) -> StoreResult<()> {
    let most = notifications::find_event(read, room, room_order).await?;
    let most = most.filter(|most| !most.redacted && state.follows_at(room_order));
    if let Some(most) = most.filter(|most| room_order > state.of(&most.thread)) {
        let less = Sums {
            notify: -1,
            highlight: -i64::from(most.highlight),
        };
        add(threads, most.thread, less);
    }
    let before = Before {
        room_order: room_order + 1,
        noted_ms: i64::MAX,
    };
    let own = notifications::list_exceptions(read, (user, room), before, 1).await?;
    let own = own.into_iter().next();
    let own = own.filter(|own| own.room_order == room_order);
    if let Some(own) = own.filter(|own| room_order > state.of(&own.thread)) {
        let less = Sums {
            notify: -own.more.notify,
            highlight: -own.more.highlight,
        };
        add(threads, own.thread, less);
    }
    Ok(())
}

fn add(threads: &mut UnreadThreads, thread: String, more: Sums) {
    let sums = threads.entry(thread).or_default();
    sums.notify += more.notify;
    sums.highlight += more.highlight;
}
