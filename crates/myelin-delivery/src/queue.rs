//! What waits for one server, and how it fares.

use std::{collections::VecDeque, sync::Arc};

use myelin_core::server::Server;
use myelin_store::destinations;
use ruma::OwnedServerName;

use crate::{
    back_off,
    catch_up::Round,
    edus::PendingEdus,
    transaction::{BYTES_MAX, Failure, PDUS_MAX, Pdu, Transaction},
};

/// Most events that wait in memory. A server for which there are more is brought up from the
/// database.
const QUEUE_MAX: usize = 500;
/// The same of one that cannot be reached.
const QUEUE_MAX_FAILING: usize = 100;
/// Most bytes of messages to devices that wait in memory.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Who was away for longer is told only the newest of each room; the rest it can ask for.
const LONG_MS: i64 = 60 * 60 * 1_000;

/// Another server.
pub(crate) struct Destination {
    pub(crate) name: OwnedServerName,
    /// Its row as it was last written; version 0: it has none.
    pub(crate) row: destinations::Destination,
    /// EDUs that wait.
    pub(crate) edus: PendingEdus,
    /// Events that wait, with their positions in the log.
    queue: VecDeque<(i64, Arc<Pdu>)>,
    /// What was taken from the queue and not acknowledged, with the lowest position in it.
    current: Option<(Arc<Transaction>, Option<i64>)>,
    /// It is behind: before the queue it needs what the database has.
    round: Option<Round>,
    /// Whether the queue, together with the round, is all that it needs.
    is_fed: bool,
    /// An attempt is under way.
    pub(crate) is_busy: bool,
    failures: i64,
    failing_since_ms: i64,
    next_try_ms: i64,
}

/// What is to be done for a server.
pub(crate) enum Attempt {
    /// Send this.
    Send(Arc<Transaction>),
    /// Bring it up.
    CatchUp(Round),
}

impl Destination {
    /// A server that has everything.
    pub(crate) fn new(server: i64, name: OwnedServerName) -> Self {
        Self {
            name,
            row: destinations::Destination {
                server,
                ..destinations::Destination::default()
            },
            edus: PendingEdus::default(),
            queue: VecDeque::new(),
            current: None,
            round: None,
            is_fed: true,
            is_busy: false,
            failures: 0,
            failing_since_ms: 0,
            next_try_ms: 0,
        }
    }

    /// A server that is behind, as its row says.
    pub(crate) fn behind(row: destinations::Destination, name: OwnedServerName) -> Self {
        Self {
            round: Some(Round {
                cursor: row.cursor,
                target: row.target,
                room: row.room,
                room_cursor: row.room_cursor,
                newest_only: row.newest_only,
            }),
            is_fed: false,
            failures: row.failures,
            failing_since_ms: row.failing_since_ms,
            next_try_ms: row.next_try_ms,
            row,
            ..Self::new(row.server, name)
        }
    }

    /// Whether it takes what it is sent, as far as is known.
    pub(crate) fn is_well(&self) -> bool {
        self.failures == 0 && self.round.is_none()
    }

    /// Whether there is anything to be sent.
    pub(crate) fn has_work(&self) -> bool {
        self.round.is_some()
            || self.current.is_some()
            || !self.queue.is_empty()
            || !self.edus.is_empty()
    }

    /// When it is to be tried next; None: at once.
    pub(crate) fn waits_until(&self) -> Option<i64> {
        (self.failures > 0).then_some(self.next_try_ms)
    }

    /// Adds an event to what is to be sent.
    pub(crate) fn push_pdu(&mut self, pos: i64, pdu: Arc<Pdu>) {
        let most = if self.failures > 0 {
            QUEUE_MAX_FAILING
        } else {
            QUEUE_MAX
        };
        if self.is_fed && self.queue.len() >= most {
            self.fall_behind(pos);
        }
        if self.is_fed {
            self.queue.push_back((pos, pdu));
        }
    }

    /// Adds an EDU that must not be lost.
    pub(crate) fn push_edu(&mut self, pos: i64, push: impl FnOnce(&mut PendingEdus)) {
        let is_full =
            self.edus.durable() >= QUEUE_MAX || self.edus.message_bytes() >= MESSAGE_BYTES_MAX;
        if self.is_fed && is_full {
            self.fall_behind(pos);
        }
        if self.is_fed {
            push(&mut self.edus);
        }
    }

    /// Forgets what waits, which the database has; `pos` is the position of something that waits
    /// no more either.
    fn fall_behind(&mut self, pos: i64) {
        let cursor = self.first_position().unwrap_or(pos) - 1;
        self.is_fed = false;
        self.queue.clear();
        self.edus = PendingEdus::default();
        self.round.get_or_insert(Round::from(cursor));
        if !self.is_busy {
            self.current = None;
        }
    }

    /// The lowest position of what waits in memory and must not be lost.
    fn first_position(&self) -> Option<i64> {
        let current = self.current.as_ref().and_then(|(_, from)| *from);
        let queued = self.queue.front().map(|(pos, _)| *pos);
        let edus = self.edus.first_position();
        [current, queued, edus].into_iter().flatten().min()
    }

    /// What to do next. `read_to` is how far the log was passed.
    pub(crate) fn begin(&mut self, server: &Server, read_to: i64) -> Attempt {
        self.is_busy = true;
        let now_ms = server.now_ms().cast_signed();
        let is_long = self.failures > 0 && now_ms - self.failing_since_ms > LONG_MS;
        if let Some(round) = &mut self.round {
            if !round.has_begun() {
                round.target = read_to;
                round.newest_only |= is_long;
                self.is_fed = true;
                self.queue.clear();
                self.edus = PendingEdus::default();
            }
            return Attempt::CatchUp(*round);
        }
        if let Some((transaction, _)) = &self.current {
            return Attempt::Send(transaction.clone());
        }
        let mut from = self.queue.front().map(|(pos, _)| *pos);
        let (mut pdus, mut bytes) = (Vec::new(), 0);
        while pdus.len() < PDUS_MAX && bytes < BYTES_MAX {
            let Some((_, pdu)) = self.queue.pop_front() else {
                break;
            };
            bytes += pdu.json.len();
            pdus.push(pdu);
        }
        let taken = self.edus.take();
        from = [from, taken.from].into_iter().flatten().min();
        let transaction = Transaction::new(server, pdus, taken.edus);
        let transaction = Arc::new(transaction.with_messages(taken.messages));
        self.current = Some((transaction.clone(), from));
        Attempt::Send(transaction)
    }

    /// A transaction was taken.
    pub(crate) fn sent(&mut self) {
        self.current = None;
        self.recovered();
    }

    /// A step was made; None: the round is at its end.
    pub(crate) fn caught_up(&mut self, rest: Option<Round>) {
        let target = self.round.map_or(0, |round| round.target);
        self.round = match rest {
            Some(round) => Some(round),
            None if self.is_fed => None,
            // What came meanwhile was too much to be kept.
            None => Some(Round::from(target)),
        };
        self.recovered();
    }

    fn recovered(&mut self) {
        self.is_busy = false;
        if self.failures > 0 {
            tracing::info!(
                server = %self.name,
                failures = self.failures,
                "the server can be reached again"
            );
        }
        self.failures = 0;
        self.failing_since_ms = 0;
        self.next_try_ms = 0;
    }

    /// An attempt has failed.
    pub(crate) fn failed(&mut self, failure: &Failure, server: &Server) {
        self.is_busy = false;
        let now_ms = server.now_ms().cast_signed();
        if self.failures == 0 {
            self.failing_since_ms = now_ms;
            tracing::info!(
                server = %self.name,
                error = &failure.error as &dyn std::error::Error,
                "the server cannot be reached, and is tried again later"
            );
        }
        self.failures += 1;
        let failing_ms = now_ms - self.failing_since_ms;
        let [chance] = server.random();
        let pause_ms = back_off::pause_ms(self.failures, failing_ms, chance);
        // Who says how long is believed, within what we would wait ourselves for a dead server.
        let asked_ms = failure.retry_after_ms.unwrap_or(0).min(LONG_MS);
        self.next_try_ms = now_ms.saturating_add(pause_ms.max(asked_ms));
        self.edus.drop_passing();
        if let Some((_, None)) = self.current {
            // Nothing in it must not be lost, and late it says nothing.
            self.current = None;
        }
        if let Some(round) = self.round {
            self.current = None;
            if !round.has_begun() {
                // The next attempt begins with all that there is by then.
                self.is_fed = false;
                self.queue.clear();
                self.edus = PendingEdus::default();
            }
        } else if let Some(pos) = self.first_position().filter(|_| failing_ms > LONG_MS) {
            self.fall_behind(pos);
        }
    }

    /// It is tried again as soon as there is something to be sent.
    pub(crate) fn try_again(&mut self, now_ms: i64) {
        self.next_try_ms = self.next_try_ms.min(now_ms);
    }

    /// What its row must say; None: it needs none.
    pub(crate) fn wanted_row(&self) -> Option<destinations::Destination> {
        let round = match self.round {
            Some(round) => round,
            None => Round::from(self.first_position()? - 1),
        };
        Some(destinations::Destination {
            cursor: round.cursor,
            target: round.target,
            room: round.room,
            room_cursor: round.room_cursor,
            newest_only: round.newest_only,
            failures: self.failures,
            failing_since_ms: self.failing_since_ms,
            next_try_ms: self.next_try_ms,
            ..self.row
        })
    }
}
