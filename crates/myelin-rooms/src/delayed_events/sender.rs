//! Sends delayed events when their time has come: one node at a time, by lease.
//!
//! The events of a room are sent one after the other, in the order of their times; rooms do not wait
//! for each other. The lease only keeps nodes from doing the same work: each event is sent once by
//! what its set expects.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    time::Duration,
};

use bytes::Bytes;
use myelin_store::{
    Store, StoreError, StoreResult, WriteSet,
    delayed_events::{self, DELAYED_EVENTS_SUBJECT, DelayedEvent, End, Outcome},
    followers::{self, Duty, Lease},
};
use tokio::{task::JoinSet, time::sleep};

use super::SendDelayedError;
use crate::Rooms;

/// Events that are taken up at once.
const BATCH: i64 = 64;
/// The clock is looked at this often while an event waits.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The lease is looked at this often where it has to be renewed.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long a room waits after a failure of this server.
const PAUSE: Duration = Duration::from_secs(1);

/// Makes the body of the error that is remembered of a failure. None: the failure is this server's
/// and may pass, so the event is tried again.
pub type DescribeFailure = fn(SendDelayedError) -> Option<Bytes>;

impl Rooms {
    /// Sends delayed events until `stop` returns, whenever no other node does.
    pub async fn send_delayed_events(
        &self,
        stop: impl Future<Output = ()> + Send,
        describe: DescribeFailure,
    ) {
        let duty = Sending {
            rooms: self.clone(),
            describe,
        };
        followers::run(&duty, stop).await;
    }

    /// Sends events of one room, one after the other.
    async fn send_due(&self, events: Vec<DelayedEvent>, describe: DescribeFailure) {
        for event in events {
            let failure = match self.send_delayed(&event).await {
                Ok(()) | Err(SendDelayedError::Changed) => continue,
                Err(failure) => failure,
            };
            let Some(body) = describe(failure) else {
                // Those behind it wait as well, for they come after it.
                sleep(PAUSE).await;
                return;
            };
            let mut writes = WriteSet::new();
            let (at_ms, outcome) = (self.now_ms(), Outcome::Failed(body));
            delayed_events::finalise(&mut writes, &event, End { at_ms, outcome });
            match self.store.commit(writes).await {
                // Its sender has done something about it at the last moment.
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => {
                    sleep(followers::report(Sending::NAME, &error)).await;
                    return;
                }
            }
        }
    }
}

/// What the node that sends has to do.
struct Sending {
    rooms: Rooms,
    describe: DescribeFailure,
}

impl Duty for Sending {
    const FOLLOWER: &'static str = "delayed_events";
    const NAME: &'static str = "sending delayed events";

    fn store(&self) -> &Store {
        &self.rooms.store
    }

    fn now_ms(&self) -> i64 {
        self.rooms.now_ms()
    }

    async fn work(
        &self,
        lease: &mut Lease,
        stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> StoreResult<()> {
        let sender = Sender::new(self.rooms.clone(), self.describe);
        sender.work(lease, stop).await
    }
}

/// The node that sends.
struct Sender {
    rooms: Rooms,
    describe: DescribeFailure,
    /// A task for each room in which events are being sent; it returns the room.
    work: JoinSet<i64>,
    busy: BTreeSet<i64>,
    /// When the next event in another room is due; None: there is none.
    next_due_ms: Option<i64>,
}

impl Sender {
    fn new(rooms: Rooms, describe: DescribeFailure) -> Self {
        Self {
            rooms,
            describe,
            work: JoinSet::new(),
            busy: BTreeSet::new(),
            next_due_ms: None,
        }
    }

    /// Works until `stop` returns, or until the lease is lost or the database fails.
    async fn work(
        mut self,
        lease: &mut Lease,
        mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> StoreResult<()> {
        let watch = self.rooms.store.live().watch();
        watch.add(DELAYED_EVENTS_SUBJECT);
        let mut mark = watch.mark();
        self.start_due().await?;
        loop {
            let is_shared = self.rooms.store.is_shared();
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(done) = self.work.join_next() => {
                    // A panic was reported where it happened, and must not stop the others.
                    if let Ok(room) = done {
                        self.busy.remove(&room);
                    }
                    self.start_due().await?;
                }
                () = watch.changed_since(mark) => {
                    mark = watch.mark();
                    self.start_due().await?;
                }
                () = sleep(LOOK_EVERY), if self.next_due_ms.is_some() => {}
                () = sleep(RENEW_EVERY), if is_shared && self.next_due_ms.is_none() => {}
            }
            let now_ms = self.rooms.now_ms();
            lease.keep(&self.rooms.store, now_ms).await?;
            if self.next_due_ms.is_some_and(|due_ms| due_ms <= now_ms) {
                self.start_due().await?;
            }
        }
        self.work.shutdown().await;
        Ok(())
    }

    /// Takes up what is due.
    async fn start_due(&mut self) -> StoreResult<()> {
        let now_ms = self.rooms.now_ms();
        let mut read = self.rooms.store.read();
        let busy: Vec<i64> = self.busy.iter().copied().collect();
        let due = delayed_events::list_due(&mut read, now_ms, &busy, BATCH).await?;
        let mut by_room: BTreeMap<i64, Vec<DelayedEvent>> = BTreeMap::new();
        for event in due {
            by_room.entry(event.room).or_default().push(event);
        }
        for (room, events) in by_room {
            self.busy.insert(room);
            let (rooms, describe) = (self.rooms.clone(), self.describe);
            self.work.spawn(async move {
                rooms.send_due(events, describe).await;
                room
            });
        }
        let busy: Vec<i64> = self.busy.iter().copied().collect();
        self.next_due_ms = delayed_events::find_next_due(&mut read, &busy).await?;
        Ok(())
    }
}
