//! Fetching what a received event needs, without a lock and within bounds.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use http::StatusCode;
use myelin_core::{event::Event, snapshot::Place as Part, trie::Root};
use myelin_net::{FederationError, Limits};
use myelin_store::{StoreError, StoreResult, rooms};
use ruma::{
    OwnedEventId, RoomVersionId, ServerName, UInt,
    api::federation::event::{get_event, get_missing_events, get_room_state, get_room_state_ids},
};
use serde_json::value::RawValue;

use super::{
    Outcome, ReceiveError,
    inbox::{Place, still_missing},
};
use crate::{PduError, Rooms, Snapshot, SnapshotError, snapshot::ReadError};

/// Events between what is known and what came that are asked for at once.
const MISSING_MAX: u32 = 50;
/// How often they are asked for until what came before all of them is taken for a gap.
const ROUNDS_MAX: usize = 4;
/// The most events that are asked about at once.
const LATEST_MAX: usize = 20;
/// The most states that are asked for behind one event.
const STATES_MAX: usize = 5;
/// The limits of an answer with events.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(30),
    bytes: 8 * 1024 * 1024,
};
/// The limits of an answer with one event.
const EVENT_LIMITS: Limits = Limits {
    time: Duration::from_secs(5),
    bytes: 256 * 1024,
};
/// The limits of a state: that of a room with some 50,000 members.
const STATE_LIMITS: Limits = Limits {
    time: Duration::from_mins(2),
    bytes: 128 * 1024 * 1024,
};
/// The same of the ids of its events.
const IDS_LIMITS: Limits = Limits {
    time: Duration::from_mins(1),
    bytes: 8 * 1024 * 1024,
};
/// Events of a state that are asked for one by one; of more, the whole state is.
const SINGLY_MAX: usize = 10;
/// How long the keys of fetched events may take.
const KEYS_WITHIN: Duration = Duration::from_secs(5);

/// What came of asking for events.
pub(super) enum Asked {
    /// What there is has come; these events still miss others before them.
    Answered(Vec<Event>),
    /// The server cannot be asked now, or nobody can tell yet who made what it has told.
    Unanswered,
}

impl Rooms {
    /// Receives a verified event that another server has answered with, after what comes before it
    /// if that is not known here.
    pub(crate) async fn receive_with_help(
        &self,
        origin: &ServerName,
        version: &RoomVersionId,
        event: Event,
    ) -> Result<Outcome, ReceiveError> {
        let error = match self.receive_event(event.clone()).await {
            Err(error @ ReceiveError::MissingPrev(_)) => error,
            received => return received,
        };
        let room = self.find_number(&event.room_id).await?;
        let place = Place {
            room: room.ok_or(ReceiveError::UnknownRoom)?,
            room_id: event.room_id.clone(),
            version: version.clone(),
        };
        self.fetch_missing(&place, origin, &event, &error).await?;
        self.receive_event(event).await
    }

    /// Fetches what an event needs from the server that sent it, and receives it. It is no error if
    /// it cannot be had: whoever wants the event sees that it still cannot be received.
    pub(super) async fn fetch_missing(
        &self,
        place: &Place,
        origin: &ServerName,
        event: &Event,
        error: &ReceiveError,
    ) -> StoreResult<Asked> {
        if matches!(error, ReceiveError::MissingPrev(_)) {
            self.fetch_between(place, origin, event).await
        } else {
            Ok(Asked::Answered(Vec::new()))
        }
    }

    /// Receives events that come before one that has come, and are not known to begin where the room
    /// is known: their server tells the states before the first of them, as far back as it goes.
    pub(super) async fn receive_behind_gap(
        &self,
        place: &Place,
        origin: &ServerName,
        events: Vec<Event>,
    ) -> StoreResult<()> {
        let ids: HashSet<OwnedEventId> = events.iter().map(|it| it.event_id.clone()).collect();
        let is_first = |event: &&Event| event.prev_events.iter().all(|id| !ids.contains(id));
        let mut first: Vec<&Event> = events.iter().filter(is_first).collect();
        first.sort_by_key(|event| event.depth);
        for event in first.into_iter().take(STATES_MAX) {
            if let Some(root) = self.fetch_state(place, origin, event).await? {
                still_missing(self.receive_before(event.clone(), root).await)?;
            }
        }
        self.receive_in_order(events).await?;
        Ok(())
    }

    /// The state before an event, as the server that sent it tells it: for an event whose
    /// predecessors cannot be had. It is stored as every state that others tell is, which is what
    /// makes those events known, too, that vouch for it.
    pub(crate) async fn fetch_state(
        &self,
        place: &Place,
        origin: &ServerName,
        event: &Event,
    ) -> StoreResult<Option<Root>> {
        let (room_id, event_id) = (place.room_id.clone(), event.event_id.clone());
        let request = get_room_state_ids::v1::Request::new(event_id, room_id);
        let ids = match self
            .federation
            .ask_within(origin, request, IDS_LIMITS)
            .await
        {
            Ok(ids) => ids,
            Err(error) => {
                tracing::debug!(%origin, %error, "a state cannot be had");
                return Ok(None);
            }
        };
        let mut snapshot = self.snapshot(&place.room_id, &place.version);
        let mut missing = Vec::new();
        for (part, mut ids) in [
            (Part::State, ids.pdu_ids),
            (Part::AuthChain, ids.auth_chain_ids),
        ] {
            // Whoever names one a thousand times shall not have it read a thousand times.
            ids.sort_unstable();
            ids.dedup();
            let unknown = snapshot.tell_known(part, &ids).await?.into_iter();
            missing.extend(unknown.map(|id| (part, id)));
        }
        // Most of a state is known as a rule, and a large one is not sent again for the rest.
        let is_told =
            missing.len() <= SINGLY_MAX && self.tell_singly(&mut snapshot, origin, missing).await?;
        if !is_told && !self.tell_state(&mut snapshot, origin, event).await? {
            return Ok(None);
        }
        match snapshot.store().await {
            Ok(stored) => Ok(Some(stored.root)),
            Err(SnapshotError::Store(error)) => Err(error),
            Err(error) => {
                tracing::debug!(%origin, %error, "a state does not hold");
                Ok(None)
            }
        }
    }

    /// Fetches events of a state one by one. False: one of them cannot be had.
    async fn tell_singly(
        &self,
        snapshot: &mut Snapshot,
        origin: &ServerName,
        missing: Vec<(Part, OwnedEventId)>,
    ) -> StoreResult<bool> {
        for (part, event_id) in missing {
            let request = get_event::v1::Request::new(event_id);
            let answer = self
                .federation
                .ask_within(origin, request, EVENT_LIMITS)
                .await;
            let pdu = match answer {
                Ok(answer) => answer.pdu,
                Err(error) => {
                    tracing::debug!(%origin, %error, "an event of a state cannot be had");
                    return Ok(false);
                }
            };
            match snapshot.tell(part, pdu).await {
                Ok(()) => {}
                Err(SnapshotError::Store(error)) => return Err(error),
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Fetches the events of a state. False: they cannot be had.
    async fn tell_state(
        &self,
        snapshot: &mut Snapshot,
        origin: &ServerName,
        event: &Event,
    ) -> StoreResult<bool> {
        let (room_id, event_id) = (event.room_id.clone(), event.event_id.clone());
        let request = get_room_state::v1::Request::new(event_id, room_id);
        let pieces = self
            .federation
            .ask_for_pieces(origin, request, STATE_LIMITS)
            .await;
        let read = match pieces {
            Ok(pieces) => snapshot.read(pieces).await,
            Err(error) => Err(ReadError::Federation(error)),
        };
        match read {
            Ok(_) => Ok(true),
            Err(ReadError::Snapshot(SnapshotError::Store(error))) => Err(error),
            Err(error) => {
                tracing::debug!(%origin, %error, "a state cannot be had");
                Ok(false)
            }
        }
    }

    /// Asks for the events between the newest ones here and one that has come: those directly
    /// before it first, and then, a few times, for those before these.
    async fn fetch_between(
        &self,
        place: &Place,
        origin: &ServerName,
        event: &Event,
    ) -> StoreResult<Asked> {
        let mut held: BTreeMap<OwnedEventId, Event> = BTreeMap::new();
        let mut latest = vec![event.event_id.clone()];
        for _ in 0..ROUNDS_MAX {
            let Some(pdus) = self.ask_for_missing(place, origin, latest).await? else {
                return Ok(Asked::Unanswered);
            };
            let pdus: Vec<&RawValue> = pdus.iter().map(AsRef::as_ref).collect();
            let room = (&place.version, &*place.room_id);
            let verified = self.verify(&pdus, room, KEYS_WITHIN).await;
            if verified.iter().any(|event| self.waits_for_keys(event)) {
                return Ok(Asked::Unanswered);
            }
            let before = held.len();
            let verified = verified.into_iter().flatten();
            held.extend(verified.map(|event| (event.event_id.clone(), event)));
            if held.len() == before {
                break;
            }
            self.ask_ahead((place.room, &place.version), held.values())
                .await?;
            let left = self.receive_in_order(held.into_values().collect()).await?;
            let left = left.into_iter();
            held = left.map(|event| (event.event_id.clone(), event)).collect();
            if held.is_empty() {
                break;
            }
            // Each is before another but the first ones, and those are what waits for others.
            let waits = |event: &&Event| event.prev_events.iter().all(|id| !held.contains_key(id));
            let waiting = held.values().filter(waits).take(LATEST_MAX);
            latest = waiting.map(|event| event.event_id.clone()).collect();
        }
        Ok(Asked::Answered(held.into_values().collect()))
    }

    /// Whether an event cannot be judged yet, but may be later.
    fn waits_for_keys(&self, verified: &Result<Event, PduError>) -> bool {
        let keys = self.federation.keys();
        match verified {
            Err(PduError::Keys(servers)) => {
                servers.iter().any(|server| keys.may_still_come(server))
            }
            _ => false,
        }
    }

    /// The events before the latest ones that a server tells of; None: it does not answer.
    async fn ask_for_missing(
        &self,
        place: &Place,
        origin: &ServerName,
        latest: Vec<OwnedEventId>,
    ) -> StoreResult<Option<Vec<Box<RawValue>>>> {
        let row = rooms::find(&mut self.store.read(), place.room).await?;
        let row = row.ok_or(StoreError::Missing { table: "rooms" })?;
        let known = row.extremities.iter();
        let known = known.filter_map(|id| OwnedEventId::try_from(id.as_str()).ok());
        let mut request =
            get_missing_events::v1::Request::new(place.room_id.clone(), known.collect(), latest);
        request.limit = UInt::from(MISSING_MAX);
        let answer = self.federation.ask_within(origin, request, LIMITS).await;
        let mut pdus = match answer {
            Ok(answer) => answer.events,
            Err(error) => {
                tracing::debug!(%origin, %error, "missing events cannot be had");
                return Ok(is_refusal(&error).then(Vec::new));
            }
        };
        // No more than was asked for, whatever comes.
        pdus.truncate(usize::try_from(MISSING_MAX).unwrap_or_default());
        Ok(Some(pdus))
    }

    /// Receives events, each after those that it comes after. Those that still miss something are
    /// given back.
    async fn receive_in_order(&self, mut events: Vec<Event>) -> StoreResult<Vec<Event>> {
        events.sort_by_key(|event| event.depth);
        loop {
            let before = events.len();
            let mut left = Vec::new();
            for event in events {
                let received = self.receive_event(event.clone()).await;
                left.extend(still_missing(received)?.map(|_| event));
            }
            if left.len() == before {
                return Ok(left);
            }
            events = left;
        }
    }
}

/// Whether a server does not want to answer, rather than cannot now.
fn is_refusal(error: &FederationError) -> bool {
    match error {
        FederationError::Refused { status, .. } => {
            status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS
        }
        FederationError::NotAllowed(_) => true,
        _ => false,
    }
}
