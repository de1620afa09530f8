//! Helping events that miss something: it is fetched from the server that sent them.
//!
//! A server takes its time, or lies; for that its own events in this room wait, and nobody else's.
//! So the room's inbox does not wait for help: who needs it is set aside for a while, and a task for
//! each room and server helps one event after the other. What comes due while it is being helped is
//! set aside again; what a killed node leaves is helped by whoever finds it due.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    sync::{Arc, Weak},
};

use myelin_store::{
    StoreResult, WriteSet,
    inbox::{self, Received},
};
use parking_lot::Mutex;
use ruma::OwnedServerName;
use tokio::{sync::Notify, task::JoinSet};

use super::{Place, Waiting, still_missing};
use crate::{ReceiveError, Rooms, numbers::parse, receive::missing::Asked};

/// How long an event is set aside at once. It is less than a lease lasts, so that the node that helps
/// the events of a room keeps the room.
const ASIDE_MS: i64 = 20_000;
/// Who cannot be helped yet is looked at again after this.
const TURN_MS: i64 = 10_000;
/// Rooms of one server in which its events are helped at once, and rooms of all servers.
const OF_SERVER_MAX: usize = 4;
const OF_ALL_MAX: usize = 32;
/// Events of one server that wait for help in one room.
const QUEUE_MAX: usize = 50;

/// A room, and a server whose events are helped there.
type Key = (i64, i64);

/// What is helped on this node.
#[derive(Default)]
pub(super) struct Helpers {
    queues: Mutex<BTreeMap<Key, Queue>>,
    tasks: Mutex<JoinSet<()>>,
    /// Told after each event: it may be due again, or others that waited for it.
    helped: Notify,
}

#[derive(Default)]
struct Queue {
    /// What is being helped.
    now: Option<Received>,
    waiting: VecDeque<Waiting>,
}

/// Whether an event will be helped.
enum Turn {
    /// A task has to be started for it.
    First,
    /// There is one.
    Behind,
    /// Too much is helped now.
    Later(Box<Waiting>),
}

impl Queue {
    fn enter(&mut self, waiting: Waiting) -> Turn {
        let id = &waiting.received.id;
        let is_there = |other: &Waiting| other.received.id == *id;
        let is_now = self.now.as_ref().is_some_and(|now| now.id == *id);
        if is_now || self.waiting.iter().any(is_there) {
            return Turn::Behind;
        }
        if self.waiting.len() >= QUEUE_MAX {
            return Turn::Later(Box::new(waiting));
        }
        self.waiting.push_back(waiting);
        Turn::Behind
    }
}

impl Helpers {
    fn enter(&self, key: Key, waiting: Waiting) -> Turn {
        let mut queues = self.queues.lock();
        if let Some(queue) = queues.get_mut(&key) {
            return queue.enter(waiting);
        }
        let of_server = queues.keys().filter(|(_, server)| *server == key.1);
        if of_server.count() >= OF_SERVER_MAX || queues.len() >= OF_ALL_MAX {
            return Turn::Later(Box::new(waiting));
        }
        let queue = queues.entry(key).or_default();
        queue.waiting.push_back(waiting);
        Turn::First
    }

    /// The next event of a queue; None: the queue is gone.
    fn next(&self, key: Key) -> Option<Waiting> {
        let mut queues = self.queues.lock();
        let queue = queues.get_mut(&key)?;
        let next = queue.waiting.pop_front();
        match &next {
            Some(waiting) => queue.now = Some(waiting.received.clone()),
            None => {
                queues.remove(&key);
            }
        }
        next
    }

    fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        // A panic was reported where it happened.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Returns once an event was helped since the last call, whatever came of it.
    pub(super) async fn helped(&self) {
        self.helped.notified().await;
    }

    /// Cuts off what is under way, and gives back what was not helped.
    async fn end(&self) -> Vec<Received> {
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
        let queues = std::mem::take(&mut *self.queues.lock());
        let queues = queues.into_values();
        let left = queues.flat_map(|queue| {
            let waiting = queue.waiting.into_iter().map(|waiting| waiting.received);
            queue.now.into_iter().chain(waiting)
        });
        left.collect()
    }
}

impl Rooms {
    /// Ends all help. Who waits for it need not wait for its end when this node comes back.
    pub(super) async fn end_help(&self, helpers: &Helpers) {
        let left = helpers.end().await;
        if let Err(error) = self.set_aside_until(left.iter(), self.now_ms()).await {
            tracing::debug!(%error, "what was set aside has to come due");
        }
    }

    /// Sets events aside that miss something, and sees to it that they are helped.
    pub(super) async fn seek_help(
        &self,
        (place, helpers): (&Place, &Arc<Helpers>),
        stuck: Vec<Waiting>,
    ) -> StoreResult<()> {
        // Before anybody helps: what is written afterwards could come after the help.
        let aside = stuck.iter().map(|waiting| &waiting.received);
        self.set_aside_until(aside, self.now_ms() + ASIDE_MS)
            .await?;
        let mut later = Vec::new();
        for waiting in stuck {
            let key = (place.room, waiting.received.origin);
            match helpers.enter(key, waiting) {
                Turn::First => {
                    // The task ends with who keeps it, and so must not keep that.
                    let (rooms, of) = (self.clone(), Arc::downgrade(helpers));
                    helpers.start(rooms.help_all(place.clone(), of, key));
                }
                Turn::Behind => {}
                Turn::Later(waiting) => later.push(waiting),
            }
        }
        let later = later.iter().map(|waiting| &waiting.received);
        self.set_aside_until(later, self.now_ms() + TURN_MS).await
    }

    async fn set_aside_until(
        &self,
        aside: impl Iterator<Item = &Received>,
        due_ms: i64,
    ) -> StoreResult<()> {
        let mut writes = WriteSet::new();
        for received in aside {
            inbox::hold(&mut writes, received, due_ms);
        }
        if !writes.is_empty() {
            self.store.commit(writes).await?;
        }
        Ok(())
    }

    /// Helps the events of a queue, one after the other, until there are no more.
    async fn help_all(self, place: Place, helpers: Weak<Helpers>, key: Key) {
        let next = || helpers.upgrade()?.next(key);
        while let Some(waiting) = next() {
            if let Err(error) = self.help(&place, waiting).await {
                let room = place.room;
                tracing::warn!(room, error = &error as &dyn Error, "an event must wait");
            }
            if let Some(helpers) = helpers.upgrade() {
                helpers.helped.notify_one();
            }
        }
    }

    /// Fetches what an event needs and enters it; if that cannot be had, the event waits.
    async fn help(&self, place: &Place, waiting: Waiting) -> StoreResult<()> {
        let Waiting { received, event } = waiting;
        // What was fetched for one before it may be all that it needs.
        let taken = self.receive_waiting(&event, &received).await;
        let Some(error) = still_missing(taken)? else {
            return Ok(());
        };
        let origin = self.store.interned(&[received.origin]).await?.pop();
        let origin = origin.as_deref().and_then(parse::<OwnedServerName>);
        let Some(origin) = origin else {
            return self.postpone(received, &error).await;
        };
        let asked = self.fetch_missing(place, &origin, &event, &error).await?;
        if let Asked::Answered(before) = asked {
            self.receive_behind_gap(place, &origin, before).await?;
        } else {
            return self.postpone(received, &error).await;
        }
        let taken = self.receive_waiting(&event, &received).await;
        let Some(error) = still_missing(taken)? else {
            return Ok(());
        };
        // What comes before it cannot be had, perhaps there is too much of it: then the state does.
        let Some(root) = self.fetch_state(place, &origin, &event).await? else {
            return self.postpone(received, &error).await;
        };
        let taken: Result<_, ReceiveError> = self.receive_across_gap(&event, &received, root).await;
        match still_missing(taken)? {
            None => Ok(()),
            Some(error) => self.postpone(received, &error).await,
        }
    }
}
