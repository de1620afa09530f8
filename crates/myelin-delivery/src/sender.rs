//! The sender: hands what the pass finds to the queues, and keeps as many attempts going as there
//! are servers with something to be sent, within limits.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    time::Duration,
};

use myelin_store::{
    StoreResult, destinations,
    followers::{self, Duty, Lease},
};
use ruma::OwnedServerName;
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{
    Delivery,
    catch_up::{Round, Step, StepError},
    encryption::forget,
    ephemeral::Ephemeral,
    pass::{Found, Item, Outgoing, Pass},
    queue::{Attempt, Destination},
    transaction::Line,
};

/// Most attempts under way at once.
const ATTEMPTS_MAX: usize = 1_024;
/// Of these, to servers that are behind or have failed before: most of them take all the time that
/// they are given.
const UNWELL_MAX: usize = 128;
/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);
/// While attempts are under way, what has changed is written this often.
const SAVE_EVERY: Duration = Duration::from_millis(500);
/// What is under way at the end may take this long.
const END: Duration = Duration::from_secs(2);

/// The one who sends.
pub(crate) struct Sender {
    pub(crate) context: Delivery,
    pub(crate) lease: Lease,
    pub(crate) pass: Pass,
    pub(crate) destinations: BTreeMap<i64, Destination>,
    /// Servers whose rows may have to be written.
    pub(crate) unsaved: BTreeSet<i64>,
    pub(crate) ephemeral: Ephemeral,
    /// Servers with something to be sent now.
    ready: BTreeSet<i64>,
    /// Servers that wait for their next attempt, by its time.
    waiting: BTreeSet<(i64, i64)>,
    attempts: JoinSet<(i64, Outcome)>,
    unwell: BTreeSet<i64>,
    saved: Instant,
}

/// How an attempt has ended.
enum Outcome {
    Sent(Result<(), StepError>),
    CaughtUp(Result<Option<Round>, StepError>),
}

impl Sender {
    /// Takes up the work where the lease says it stands.
    pub(crate) async fn new(context: Delivery, lease: Lease) -> StoreResult<Self> {
        let pass = Pass::new(context.rooms.clone(), lease.cursor()).await?;
        let mut sender = Self {
            context,
            lease,
            pass,
            destinations: BTreeMap::new(),
            unsaved: BTreeSet::new(),
            ephemeral: Ephemeral::default(),
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            attempts: JoinSet::new(),
            unwell: BTreeSet::new(),
            saved: Instant::now(),
        };
        sender.load_rows().await?;
        Ok(sender)
    }

    pub(crate) fn into_lease(self) -> Lease {
        self.lease
    }

    /// Works until `stop` returns.
    pub(crate) async fn work(&mut self, stop: impl Future<Output = ()>) -> StoreResult<()> {
        let mut stop = pin!(stop);
        let store = self.context.store.clone();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.read_log().await?;
            self.begin_attempts();
            self.save_if_due().await?;
            let has_more = self.pass.has_more();
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = self.attempts.join_next() => self.take_outcome(ended)?,
                () = store.live().stirred() => self.tell_typing().await?,
                _ = ticks.tick() => self.tick().await?,
                () = store.live().beyond(self.pass.read_to) => {}
                () = std::future::ready(()), if has_more => {}
            }
            while let Some(ended) = self.attempts.try_join_next() {
                self.take_outcome(ended)?;
            }
        }
        self.end().await;
        Ok(())
    }

    /// Lets what is under way end, and writes how far everybody is. What cannot be written is sent
    /// again.
    async fn end(&mut self) {
        if let Err(error) = self.finish().await {
            followers::report(Delivery::NAME, &error);
        }
    }

    async fn finish(&mut self) -> StoreResult<()> {
        let deadline = Instant::now() + END;
        while let Ok(Some(ended)) =
            timeout(deadline - Instant::now(), self.attempts.join_next()).await
        {
            self.take_outcome(ended)?;
        }
        self.save().await
    }

    async fn read_log(&mut self) -> StoreResult<()> {
        if !self.pass.has_more() {
            return Ok(());
        }
        let Found {
            outgoing,
            retries,
            newcomers,
        } = self.pass.step().await?;
        for outgoing in outgoing {
            self.hand_out(outgoing).await?;
        }
        for server in retries {
            self.try_again(server);
        }
        for (room, server) in newcomers {
            self.ephemeral.note_newcomer(room, server);
        }
        Ok(())
    }

    /// Puts what the pass has found into the queues of its servers.
    async fn hand_out(&mut self, outgoing: Outgoing) -> StoreResult<()> {
        self.add_unknown(&outgoing.servers).await?;
        for server in outgoing.servers {
            let Some(destination) = self.destinations.get_mut(&server) else {
                continue;
            };
            match &outgoing.item {
                Item::Pdu(pdu) => destination.push_pdu(outgoing.pos, pdu.clone()),
                Item::Receipt(receipt) => {
                    destination.push_edu(outgoing.pos, |edus| edus.push_receipt(receipt.clone()));
                }
                Item::KeyChange(change) => {
                    destination.push_edu(outgoing.pos, |edus| edus.push_change(change.clone()));
                }
                Item::Message(message) => {
                    destination.push_edu(outgoing.pos, |edus| edus.push_message(message.clone()));
                }
            }
            self.unsaved.insert(server);
            self.enqueue(server);
        }
        Ok(())
    }

    /// Gives each of these servers that has none a place, if it is spoken with.
    pub(crate) async fn add_unknown(&mut self, servers: &[i64]) -> StoreResult<()> {
        let unknown = servers
            .iter()
            .filter(|server| !self.destinations.contains_key(server));
        let unknown: Vec<i64> = unknown.copied().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let names = self.context.store.interned(&unknown).await?;
        for (server, name) in unknown.into_iter().zip(names) {
            if let Some(name) = self.allowed(&name) {
                self.destinations
                    .insert(server, Destination::new(server, name));
            }
        }
        Ok(())
    }

    pub(crate) async fn add_behind(&mut self, row: destinations::Destination) -> StoreResult<()> {
        let names = self.context.store.interned(&[row.server]).await?;
        if let Some(name) = names.first().and_then(|name| self.allowed(name)) {
            let destination = Destination::behind(row, name);
            self.destinations.insert(row.server, destination);
            self.enqueue(row.server);
        }
        Ok(())
    }

    fn allowed(&self, name: &[u8]) -> Option<OwnedServerName> {
        let name = std::str::from_utf8(name).ok()?;
        let name = OwnedServerName::try_from(name).ok()?;
        self.context.federation.allows(&name).then_some(name)
    }

    /// Puts a server where it belongs: among those to be sent to now, or those who wait.
    pub(crate) fn enqueue(&mut self, server: i64) {
        let Some(destination) = self.destinations.get(&server) else {
            return;
        };
        if destination.is_busy || !destination.has_work() {
            return;
        }
        match destination.waits_until() {
            Some(next_try_ms) if next_try_ms > self.context.now_ms() => {
                self.waiting.insert((next_try_ms, server));
            }
            _ => {
                self.ready.insert(server);
            }
        }
    }

    /// Begins the attempts that are due, as many as there may be.
    fn begin_attempts(&mut self) {
        let mut later = BTreeSet::new();
        while let Some(server) = self.ready.pop_first() {
            let Some(destination) = self.destinations.get_mut(&server) else {
                continue;
            };
            if destination.is_busy || !destination.has_work() {
                continue;
            }
            let is_well = destination.is_well();
            let is_full = self.attempts.len() >= ATTEMPTS_MAX;
            if is_full || (!is_well && self.unwell.len() >= UNWELL_MAX) {
                later.insert(server);
                continue;
            }
            if !is_well {
                self.unwell.insert(server);
            }
            let attempt = destination.begin(&self.context.server, self.pass.read_to);
            let name = destination.name.clone();
            self.spawn(server, name, attempt);
        }
        self.ready = later;
    }

    fn spawn(&mut self, server: i64, name: OwnedServerName, attempt: Attempt) {
        let line = Line {
            server: self.context.server.clone(),
            federation: self.context.federation.clone(),
        };
        let store = self.context.store.clone();
        match attempt {
            Attempt::Send(transaction) => {
                self.attempts.spawn(async move {
                    let sent = match transaction.send(&line, &name).await {
                        Ok(()) => forget(&store, server, &transaction.messages)
                            .await
                            .map_err(StepError::Store),
                        Err(failure) => Err(StepError::Failure(failure)),
                    };
                    (server, Outcome::Sent(sent))
                });
            }
            Attempt::CatchUp(round) => {
                let step = Step {
                    store,
                    line,
                    name,
                    server,
                };
                self.attempts.spawn(async move {
                    let made = step.make(round).await;
                    (server, Outcome::CaughtUp(made))
                });
            }
        }
    }

    fn take_outcome(&mut self, ended: Result<(i64, Outcome), JoinError>) -> StoreResult<()> {
        // Nothing aborts attempts, and a panic is reported where it happens: the server is left
        // alone until the sender is started again.
        let Ok((server, outcome)) = ended else {
            return Ok(());
        };
        self.unwell.remove(&server);
        self.unsaved.insert(server);
        let Some(destination) = self.destinations.get_mut(&server) else {
            return Ok(());
        };
        match outcome {
            Outcome::Sent(Ok(())) => destination.sent(),
            Outcome::CaughtUp(Ok(rest)) => destination.caught_up(rest),
            Outcome::Sent(Err(error)) | Outcome::CaughtUp(Err(error)) => match error {
                StepError::Failure(failure) => destination.failed(&failure, &self.context.server),
                StepError::Store(error) => return Err(error),
            },
        }
        self.enqueue(server);
        Ok(())
    }

    async fn save_if_due(&mut self) -> StoreResult<()> {
        let is_due = self.attempts.is_empty() || self.saved.elapsed() >= SAVE_EVERY;
        if self.is_unsaved() && is_due {
            self.save().await?;
            self.saved = Instant::now();
        }
        Ok(())
    }

    /// Tries a server at once that waits for its next attempt.
    pub(crate) fn try_again(&mut self, server: i64) {
        let now_ms = self.context.now_ms();
        if let Some(destination) = self.destinations.get_mut(&server)
            && let Some(next_try_ms) = destination.waits_until()
        {
            self.waiting.remove(&(next_try_ms, server));
            destination.try_again(now_ms);
            self.enqueue(server);
        }
    }

    async fn tick(&mut self) -> StoreResult<()> {
        let now_ms = self.context.now_ms();
        while let Some((next_try_ms, server)) = self.waiting.first().copied() {
            if next_try_ms > now_ms {
                break;
            }
            self.waiting.pop_first();
            self.enqueue(server);
        }
        if self.pass.has_others {
            self.tell_typing().await?;
            self.tell_presence().await?;
        }
        if self.lease.is_short(now_ms) {
            self.save().await?;
        }
        Ok(())
    }
}
