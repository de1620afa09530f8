//! The follower: what each entry of the log does to the counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    time::Duration,
};

use myelin_core::trie::TYPE_MEMBER;
use myelin_rooms::Rooms;
use myelin_store::{
    LogEntry, LogKind, Store, StoreError, StoreResult, WriteSet,
    events::{self, StoredEvent},
    followers::{self, Lease},
    log,
    notifications::{self, MAIN},
};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Progress,
    ask::{Answers, Asker},
    batch::Batch,
    ignored::IgnoreLists,
    purge::Purge,
    room_state::{KnownRooms, RoomState},
    rule_sets::RuleSets,
};

/// Most entries of one step.
const STEP: usize = 200;
/// Entries read at once when this node's memory does not reach back far enough.
const READ: i64 = 1_000;
/// Events of one step after which clients may have been told of them without their counts: who
/// syncs looks at no more events than that.
const LATE: usize = 50;
/// The cursor is written when it lags so far behind, even if nothing was counted.
const LAG_MAX: i64 = 1_000;
/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

/// The one who counts.
pub(super) struct Follower {
    pub(super) rooms: Rooms,
    pub(super) store: Store,
    pub(super) sets: RuleSets,
    pub(super) ignored: IgnoreLists,
    pub(super) known: KnownRooms,
    pub(super) batch: Batch,
    /// The events of the entries under way, by number.
    pub(super) events: BTreeMap<i64, StoredEvent>,
    pub(super) purge: Purge,
    lease: Lease,
    /// The last entry all of whose effects are in the batch or written.
    done: i64,
    /// Everything up to here has been passed.
    read_to: i64,
    redaction_type: i64,
}

/// The next entries.
struct Next {
    entries: Vec<LogEntry>,
    read_to: i64,
    /// Whether there are no more.
    is_whole: bool,
}

impl Follower {
    /// Takes up the work where the lease says it stands.
    pub(super) async fn new(rooms: Rooms, lease: Lease) -> StoreResult<Self> {
        let store = rooms.store().clone();
        let numbers = store.intern(&[b"m.room.redaction"]).await?;
        let redaction_type = numbers.first().copied();
        Ok(Self {
            sets: RuleSets::new(),
            ignored: IgnoreLists::new(&store).await?,
            known: KnownRooms::default(),
            batch: Batch::default(),
            events: BTreeMap::new(),
            done: lease.cursor(),
            read_to: lease.cursor(),
            redaction_type: redaction_type.ok_or(StoreError::Missing { table: "interned" })?,
            purge: Purge::new(rooms.server().now_ms().cast_signed()),
            rooms,
            store,
            lease,
        })
    }

    pub(super) fn into_lease(self) -> Lease {
        self.lease
    }

    /// Works until `stop` returns, and tells how far it has come. A step that has begun is finished
    /// first.
    pub(super) async fn work(
        &mut self,
        stop: impl Future<Output = ()>,
        progress: &Progress,
    ) -> StoreResult<()> {
        let mut stop = pin!(stop);
        let store = self.store.clone();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                _ = ticks.tick() => {
                    if let Some(began_ms) = self.purge_if_due().await? {
                        progress.purged_ms.send_replace(began_ms);
                    }
                }
                () = store.live().beyond(self.read_to) => self.step().await?,
            }
            progress.passed.send_replace(self.read_to);
            let now_ms = self.now_ms();
            self.lease.keep(&self.store, now_ms).await?;
        }
    }

    async fn step(&mut self) -> StoreResult<()> {
        let Next {
            entries,
            read_to,
            is_whole,
        } = self.next().await?;
        self.load_events(&entries).await?;
        let is_late = !is_whole || self.events.len() > LATE;
        for entry in &entries {
            match entry.kind {
                LogKind::Event => self.pass_event(entry).await?,
                LogKind::Membership => self.pass_membership(entry).await?,
                LogKind::PushRules => self.pass_rules(entry).await?,
                LogKind::AccountData => self.pass_ignored(entry).await?,
                _ => {}
            }
            self.done = entry.pos;
            if self.batch.is_full() {
                self.tell_if(is_late);
                self.flush().await?;
            }
        }
        self.tell_if(is_late);
        self.done = read_to;
        self.read_to = read_to;
        if self.batch.is_empty() && read_to - self.lease.cursor() <= LAG_MAX {
            return Ok(());
        }
        self.write().await
    }

    /// The next entries that say anything about counts.
    async fn next(&self) -> StoreResult<Next> {
        let position = self.store.live().position();
        let mut taken = 0;
        let entries = self.store.live().entries_since(self.read_to, &mut |entry| {
            let is_wanted = self.is_wanted(entry);
            taken += usize::from(is_wanted);
            is_wanted && taken <= STEP
        });
        if let Some(entries) = entries {
            let is_whole = taken <= STEP;
            let last = entries.last().map_or(position, |entry| entry.pos);
            return Ok(Next {
                read_to: if is_whole { last.max(position) } else { last },
                entries,
                is_whole,
            });
        }
        let mut read = self.store.read();
        let mut entries = log::list(&mut read, self.read_to, position, READ).await?;
        let is_whole = i64::try_from(entries.len()).is_ok_and(|found| found < READ);
        let last = entries.last().map_or(position, |entry| entry.pos);
        entries.retain(|entry| self.is_wanted(entry));
        Ok(Next {
            entries,
            read_to: if is_whole { position } else { last },
            is_whole,
        })
    }

    async fn load_events(&mut self, entries: &[LogEntry]) -> StoreResult<()> {
        let entries = entries.iter().filter(|entry| entry.kind == LogKind::Event);
        let numbers: BTreeSet<i64> = entries.map(|entry| entry.reference).collect();
        let numbers = Vec::from_iter(numbers);
        let found = events::list(&mut self.store.read(), &numbers).await?;
        self.events = found
            .into_iter()
            .map(|event| (event.event, event))
            .collect();
        Ok(())
    }

    async fn pass_event(&mut self, entry: &LogEntry) -> StoreResult<()> {
        let Some(event) = self.events.get(&entry.reference).cloned() else {
            return Ok(());
        };
        let mut state = match self.known.take(event.room) {
            Some(state) => state,
            None => self.load_room(entry, &event).await?,
        };
        // What is about to be asked about was asked about before a restart, or has no place.
        if event.room_order > state.evaluated {
            self.count(&mut state, (entry.pos, &event)).await?;
        }
        self.known.put(event.room, state);
        Ok(())
    }

    async fn count(
        &mut self,
        state: &mut RoomState,
        (pos, event): (i64, &StoredEvent),
    ) -> StoreResult<()> {
        if event.event_type == self.redaction_type {
            self.pass_redaction(event).await?;
        }
        let is_invite = event.event_type == TYPE_MEMBER;
        if state.is_empty() && !is_invite {
            return Ok(());
        }
        self.begin(false).await?;
        let mut read = self.store.read();
        let mut answers = Answers::default();
        if event.redaction.is_none() {
            let mut asker = Asker {
                rooms: &self.rooms,
                sets: &mut self.sets,
                pos,
            };
            answers = asker.ask(&mut read, state, event).await?;
        }
        let speaks = event.event_type != TYPE_MEMBER && state.has(event.sender);
        let thread = if speaks || answers.most.is_some() || !answers.exceptions.is_empty() {
            self.rooms.thread_of_event(&mut read, event).await?
        } else {
            MAIN.to_owned()
        };
        if speaks {
            let (member, order) = ((event.sender, event.room), event.room_order);
            self.batch.add(1, |writes| {
                notifications::raise_mark(writes, member, Some(&thread), order);
            });
        }
        let base = self.note_most(state, event, (&answers, &thread)).await?;
        self.note_exceptions(event, answers, (&thread, base))
            .await?;
        state.evaluated = event.room_order;
        self.batch.counted.insert(event.room);
        self.batch.stands.insert(event.room);
        self.batch.add(1, |writes| {
            notifications::put_evaluated(writes, event.room, event.room_order);
        });
        Ok(())
    }

    /// Prepares to add to the batch; `forgets`: that members are forgotten. One set does not hold
    /// both.
    pub(super) async fn begin(&mut self, forgets: bool) -> StoreResult<()> {
        if self.batch.forgets != forgets {
            self.flush().await?;
            self.batch.forgets = forgets;
        }
        Ok(())
    }

    /// Writes what is there, so that it can be read.
    pub(super) async fn flush(&mut self) -> StoreResult<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.write().await
    }

    async fn write(&mut self) -> StoreResult<()> {
        let writes = std::mem::take(&mut self.batch).writes;
        self.commit(writes).await
    }

    /// Writes something, if the lease is held still.
    pub(super) async fn commit(&mut self, mut writes: WriteSet) -> StoreResult<()> {
        let lease = self.lease.clone().kept(&self.store, self.now_ms());
        let advanced = followers::advance(&mut writes, &lease, self.done);
        self.store.commit_patiently(writes).await?;
        self.lease = advanced;
        Ok(())
    }

    /// Tells the members of the rooms in the batch, if their clients may have been told of the
    /// events without their counts.
    fn tell_if(&mut self, is_late: bool) {
        if is_late {
            for room in std::mem::take(&mut self.batch.counted) {
                self.batch
                    .add(1, |writes| notifications::log_late(writes, room));
            }
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.rooms.server().now_ms().cast_signed()
    }

    fn is_wanted(&self, entry: &LogEntry) -> bool {
        let is_wanted = matches!(
            entry.kind,
            LogKind::Event | LogKind::Membership | LogKind::PushRules
        );
        is_wanted || self.ignored.may_be_change(entry)
    }
}
