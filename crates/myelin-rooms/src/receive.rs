//! Events of other servers: verified, given their place in the room, authorised, appended.
//!
//! Start reading at [`Rooms::receive_event`]; everything that comes from another server has been
//! through [`Rooms::verify`] before.

mod authorise;
mod ends;
mod inbox;
mod missing;
mod overtaken;
mod place;
mod redaction;
mod transaction;

use std::sync::Arc;

use myelin_core::{
    event::{Event, PolicyServer},
    resolution::ResolutionError,
    trie::Root,
};
use myelin_store::{
    StoreError, WriteSet, deliveries,
    events::Status,
    inbox::{self as inbox_rows, Received as Row},
};
use ruma::OwnedEventId;

use crate::{
    ResolveError, Rooms,
    numbers::EventNumbers,
    open_room::OpenRoom,
    policy::{Advice, Standing},
};

pub(crate) use inbox::Place;
pub(crate) use place::has_place;
pub use transaction::{TakeTransactionError, Transaction};

/// What became of an event that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the room.
    Accepted,
    /// It is stored, but kept from clients and from being built on: the room as it is now would
    /// refuse it.
    SoftFailed {
        /// Which rule would.
        reason: String,
    },
    /// It is stored as refused.
    Rejected {
        /// Which rule refused it.
        reason: String,
    },
}

/// Why an event could not be received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// This server knows no such room.
    #[error("this server is not in the room")]
    UnknownRoom,
    /// Events before it, or the states before them, are not known.
    #[error("{} events before it are not known", .0.len())]
    MissingPrev(Vec<OwnedEventId>),
    /// Events that it refers to in `auth_events` are not known.
    #[error("{} of its `auth_events` are not known", .0.len())]
    MissingAuth(Vec<OwnedEventId>),
    /// The states that it follows on cannot be resolved, today or later.
    #[error("the states before it cannot be resolved")]
    Unresolvable(#[source] ResolutionError),
    /// The database failed.
    #[error("the room could not be read or written")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Receives a verified event whose `prev_events` and `auth_events` are known, and waits until
    /// it is durable. One that was received before is not looked at again.
    pub async fn receive_event(&self, event: Event) -> Result<Outcome, ReceiveError> {
        self.take_in(event, Along::Nothing).await
    }

    /// As [`Rooms::receive_event`], for an event that this server is to send to the others in the
    /// room, though it is not its own: a join that came by `send_join`. With the outcome comes the
    /// event as it was stored, which may have got the signature of a policy server.
    pub async fn receive_for_others(
        &self,
        event: Event,
    ) -> Result<(Outcome, Arc<Event>), ReceiveError> {
        let mut event = Arc::new(event);
        let outcome = self.take_in_as(&mut event, Along::Deliver).await?;
        Ok((outcome, event))
    }

    /// The same for an event that waits in the inbox, which it leaves in the same commit.
    async fn receive_waiting(&self, event: &Event, row: &Row) -> Result<Outcome, ReceiveError> {
        self.take_in(event.clone(), Along::LeaveInbox(row)).await
    }

    /// The same for an event of whose `prev_events` some cannot be had: this is the state before
    /// it, as its sender tells it.
    async fn receive_across_gap(
        &self,
        event: &Event,
        row: &Row,
        told: Root,
    ) -> Result<Outcome, ReceiveError> {
        self.take_in(event.clone(), Along::AcrossGap(Some(row), told))
            .await
    }

    /// The same for an event that does not wait in the inbox, but comes before one that does.
    async fn receive_before(&self, event: Event, told: Root) -> Result<Outcome, ReceiveError> {
        self.take_in(event, Along::AcrossGap(None, told)).await
    }

    async fn take_in(&self, event: Event, along: Along<'_>) -> Result<Outcome, ReceiveError> {
        self.take_in_as(&mut Arc::new(event), along).await
    }

    async fn take_in_as(
        &self,
        event: &mut Arc<Event>,
        along: Along<'_>,
    ) -> Result<Outcome, ReceiveError> {
        let numbers = EventNumbers::intern(
            &self.store,
            event.type_str(),
            &event.sender,
            event.state_key.as_deref(),
        )
        .await?;
        let room_id = event.room_id.clone();
        let mut advice = None;
        let mut attempts = self.store.attempts();
        loop {
            let mut room = self
                .open(&room_id)
                .await?
                .ok_or(ReceiveError::UnknownRoom)?;
            let arrival = Arrival {
                numbers,
                told: along.told(),
                transaction: None,
                delayed: None,
                advice: advice.as_ref(),
            };
            let outcome = match room.receive(event, arrival).await? {
                Received::Before(outcome) => {
                    drop(room);
                    self.take_out(along).await?;
                    return Ok(outcome);
                }
                Received::Unsigned(policy) => {
                    let version = room.version()?;
                    drop(room);
                    let asked = self.seek_advice((policy, &version), event.clone());
                    (*event, advice) = asked.await;
                    // A room may have another policy server by now.
                    attempts.conflict()?;
                    continue;
                }
                Received::Now(outcome, _) => outcome,
            };
            match along {
                Along::LeaveInbox(row) | Along::AcrossGap(Some(row), _) => {
                    inbox_rows::delete(&mut room.writes, row);
                }
                Along::Deliver if outcome == Outcome::Accepted => room.deliver_newest(),
                Along::AcrossGap(None, _) | Along::Deliver | Along::Nothing => {}
            }
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(outcome);
            }
            attempts.conflict()?;
        }
    }
}

impl Rooms {
    /// What an event's commit would do besides, where the event was received before.
    async fn take_out(&self, along: Along<'_>) -> Result<(), StoreError> {
        if let Along::LeaveInbox(row) | Along::AcrossGap(Some(row), _) = along {
            let mut writes = WriteSet::new();
            inbox_rows::delete(&mut writes, row);
            self.store.commit(writes).await?;
        }
        Ok(())
    }
}

impl From<ResolveError> for ReceiveError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Resolution(error) => Self::Unresolvable(error),
            ResolveError::Store(error) => Self::Store(error),
        }
    }
}

/// What the commit of an event does besides.
#[derive(Clone, Copy)]
enum Along<'a> {
    Nothing,
    /// The event is taken out of the inbox.
    LeaveInbox(&'a Row),
    /// The same of an event before which others are missing, with the state before it.
    AcrossGap(Option<&'a Row>, Root),
    /// The event is left to be sent to the other servers in the room.
    Deliver,
}

impl Along<'_> {
    fn told(self) -> Option<Root> {
        match self {
            Self::AcrossGap(_, told) => Some(told),
            Self::Nothing | Self::LeaveInbox(_) | Self::Deliver => None,
        }
    }
}

/// What is known of an event besides what it says.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) numbers: EventNumbers,
    /// The state before it as its sender tells it, where events before it are missing.
    pub(crate) told: Option<Root>,
    /// The sending device and its transaction id, of an event of our own.
    pub(crate) transaction: Option<(&'a str, &'a str)>,
    /// The number of the delayed event that it was.
    pub(crate) delayed: Option<i64>,
    /// What the room's policy server says, if it was asked.
    pub(crate) advice: Option<&'a Advice>,
}

/// What has become of an event.
pub(crate) enum Received {
    /// It was new, and has this number.
    Now(Outcome, i64),
    Before(Outcome),
    /// This policy server has to be asked first. Nothing was entered into the set.
    Unsigned(PolicyServer),
}

impl OpenRoom<'_> {
    /// Leaves the event that the head has moved by to be sent to the other servers in the room.
    fn deliver_newest(&mut self) {
        if let Some(head) = self.locked.get()
            && head.row.joined_remote > 0
        {
            deliveries::insert(&mut self.writes, head.row.room, head.row.version);
        }
    }

    /// Enters an event into the set, and moves the head by it if it is accepted.
    pub(crate) async fn receive(
        &mut self,
        event: &Arc<Event>,
        arrival: Arrival<'_>,
    ) -> Result<Received, ReceiveError> {
        let numbers = arrival.numbers;
        if !self.builds_on_head(event) {
            // What is queued would not be found, and this event may be among it.
            self.await_queued().await?;
        }
        let known = self.find_event(event.event_id.as_str()).await?;
        if let Some(outcome) = known.as_ref().and_then(outcome_before) {
            return Ok(Received::Before(outcome));
        }
        let (root_before, missing) = self.root_before_or_told(event, arrival.told).await?;
        let mut verdict = self.authorise(event, root_before).await?;
        if let authorise::Verdict::Allowed = verdict {
            match self.standing_by_policy(event, arrival.advice).await? {
                Standing::Recommended => {}
                Standing::Unsigned(policy) => return Ok(Received::Unsigned(policy)),
                Standing::NotRecommended(reason) => {
                    verdict = authorise::Verdict::SoftFailed(reason);
                }
            }
        }
        let number = match known {
            Some(known) => (known.event, Some(known.status)),
            None => (self.next_number().await?, None),
        };
        let outcome = match verdict {
            authorise::Verdict::Allowed => {
                if !missing.is_empty() {
                    self.leave_gap(&missing)?;
                }
                self.place(event, (number, arrival), root_before).await?;
                Outcome::Accepted
            }
            authorise::Verdict::SoftFailed(reason) => {
                let status = Status::SoftFailed;
                self.enter_graph(event, (number, numbers)).await?;
                self.set_aside(event, (number, numbers), (root_before, status))
                    .await?;
                Outcome::SoftFailed { reason }
            }
            authorise::Verdict::Rejected(reason) => {
                let status = Status::Rejected;
                self.set_aside(event, (number, numbers), (root_before, status))
                    .await?;
                Outcome::Rejected { reason }
            }
        };
        Ok(Received::Now(outcome, number.0))
    }
}

/// What became of an event when it was received before; None: it was not, or only by reference.
fn outcome_before(known: &myelin_store::events::StoredEvent) -> Option<Outcome> {
    let reason = || "it was refused before".to_owned();
    match known.status {
        Status::Accepted => Some(Outcome::Accepted),
        Status::SoftFailed => Some(Outcome::SoftFailed { reason: reason() }),
        // Without the state before it, it was refused by what it refers to, and has no place yet.
        Status::Rejected if !known.root_before.is_empty() => {
            Some(Outcome::Rejected { reason: reason() })
        }
        Status::Rejected | Status::Outlier => None,
    }
}
