//! The state of a room as another server tells it: verified, judged, and stored as outliers.
//!
//! Nothing refers to what is stored here until the caller makes a room, or an event's place, of
//! the root that comes out: a kill leaves nothing behind that counts, and whoever tries again
//! finds what is stored.

mod graph;
mod held;
mod read;
mod store;
mod verification;

use std::collections::HashMap;

use myelin_core::{
    auth::{self, AuthError, AuthEvent},
    event::{self, Event},
    snapshot::{Judgement, Place, SnapshotError as Contradiction, Standing, Told, Verdict, judge},
    trie::{Root, StateKey},
};
use myelin_store::{
    StoreError, StoreResult,
    events::{self, Status, StoredEvent},
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedServerName, RoomId, RoomVersionId};
use serde_json::value::RawValue;
use tokio::task::JoinSet;

pub(crate) use self::{held::AllHeld, read::ReadError};
use self::{
    held::Held,
    verification::{Checked, Unverified},
};
use crate::{Rooms, verify::join};

/// Events that are verified together.
const BATCH: usize = 500;
/// Events whose rows are read together.
const CHUNK: usize = 500;

/// Why what another server tells does not become the state of a room.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is larger than what this server takes.
    #[error("the state is larger than this server takes")]
    TooLarge,
    /// Too many others are being read.
    #[error("this server is told of too much at once; it can be tried again later")]
    TooMuch,
    /// Its events do not make a state.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// The keys that show who made some of its events cannot be had now. Without these events the
    /// state would be another one.
    #[error("the keys of {} cannot be had, so the state is not known whole", join(.0))]
    Keys(Vec<OwnedServerName>),
    /// The create event is of another room version than the room is said to be.
    #[error("the room is not of version {0}")]
    OtherVersion(RoomVersionId),
    /// The database failed.
    #[error("the state could not be stored")]
    Store(#[from] StoreError),
}

/// What was told of a room's state so far.
pub struct Snapshot {
    rooms: Rooms,
    room_id: OwnedRoomId,
    version: RoomVersionId,
    waiting: Vec<(Place, Box<RawValue>)>,
    checks: JoinSet<Vec<Checked>>,
    found: HashMap<OwnedEventId, Found>,
    /// What could not be verified for want of keys.
    unverified: Vec<Unverified>,
    held: Held,
    /// What was no event, or not one that holds.
    left_out: usize,
}

/// An event of a snapshot.
pub(crate) struct Found {
    /// Its JSON is gone once it is stored.
    pub(crate) event: Event,
    in_state: bool,
    standing: Standing,
    pub(crate) number: Option<i64>,
    pub(crate) key: Option<StateKey>,
}

/// A state that is stored.
pub struct StoredSnapshot {
    /// Its root.
    pub root: Root,
    /// The interned room id.
    pub room: i64,
    version: RoomVersionId,
    found: Vec<Found>,
    verdicts: Vec<Verdict>,
    state: Vec<usize>,
}

impl Rooms {
    /// An empty snapshot of a room of this version.
    pub fn snapshot(&self, room_id: &RoomId, version: &RoomVersionId) -> Snapshot {
        Snapshot {
            rooms: self.clone(),
            room_id: room_id.to_owned(),
            version: version.clone(),
            waiting: Vec::new(),
            checks: JoinSet::new(),
            found: HashMap::new(),
            unverified: Vec::new(),
            held: Held::nothing(&self.snapshots_held),
            left_out: 0,
        }
    }
}

impl Snapshot {
    /// Takes note of an event, which is verified soon. One that does not hold is left out; what
    /// that means for the others is seen at the end.
    pub async fn tell(&mut self, place: Place, pdu: Box<RawValue>) -> Result<(), SnapshotError> {
        self.held.add(pdu.get().len())?;
        self.waiting.push((place, pdu));
        if self.waiting.len() >= BATCH {
            self.verify_waiting().await;
        }
        Ok(())
    }

    /// Takes note of events that are stored already; those that are not are given back.
    pub async fn tell_known(
        &mut self,
        place: Place,
        ids: &[OwnedEventId],
    ) -> StoreResult<Vec<OwnedEventId>> {
        let mut missing = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            let stored = self
                .rooms
                .stored_by_id(chunk.iter().map(AsRef::as_ref))
                .await?;
            let (known, unknown): (Vec<_>, Vec<_>) = chunk
                .iter()
                .partition(|id| stored.contains_key(id.as_str()));
            missing.extend(unknown.into_iter().cloned());
            for stored in known.iter().filter_map(|id| stored.get(id.as_str())) {
                let event = read_event(stored, &self.version)?;
                self.add(place, event);
            }
        }
        Ok(missing)
    }

    /// Judges what was told, stores it, and gives the root of the state. Events whose keys will not
    /// come any more are left out; while they may still come, there is no state.
    pub async fn store(mut self) -> Result<StoredSnapshot, SnapshotError> {
        self.verify_all().await;
        let awaited = self.verify_again().await?;
        if !awaited.is_empty() {
            return Err(SnapshotError::Keys(awaited));
        }
        self.left_out += self.unverified.len();
        if self.left_out > 0 {
            let (room_id, left_out) = (&self.room_id, self.left_out);
            tracing::info!(%room_id, left_out, "events of a state do not hold");
        }
        let mut found: Vec<Found> = std::mem::take(&mut self.found).into_values().collect();
        // One order, whatever the map's, so that one seed gives one log.
        found.sort_by(|a, b| a.event.event_id.cmp(&b.event.event_id));
        self.rooms.recognise(&self.version, &mut found).await?;
        let version = self.version.clone();
        let judged = self.rooms.beside(move || {
            let judgement = judge(&version, &told(&found));
            (found, judgement)
        });
        let Ok((mut found, judgement)) = judged.await else {
            return Err(StoreError::Missing { table: "events" }.into());
        };
        let Judgement { verdicts, state } = judgement?;
        check_version(&found, &state, &self.version)?;
        let room = self.rooms.store.intern(&[self.room_id.as_bytes()]).await?;
        let room = *room
            .first()
            .ok_or(StoreError::Missing { table: "interned" })?;
        self.rooms
            .store_outliers(room, &mut found, &verdicts)
            .await?;
        self.rooms.enter_snapshot(&found, &verdicts).await?;
        let root = self.rooms.store_state(room, &found, &state).await?;
        Ok(StoredSnapshot {
            root,
            room,
            version: self.version.clone(),
            found,
            verdicts,
            state,
        })
    }

    fn add(&mut self, place: Place, mut event: Event) {
        // Who vouches for an event matters here; of what it comes after, whether that is one event.
        event.prev_events.truncate(2);
        let found = self
            .found
            .entry(event.event_id.clone())
            .or_insert_with(|| Found {
                event,
                in_state: false,
                standing: Standing::New,
                number: None,
                key: None,
            });
        found.in_state |= place == Place::State;
    }
}

impl StoredSnapshot {
    /// The events of the state, each with its number and its key.
    pub(crate) fn state(&self) -> impl Iterator<Item = (&Event, i64, StateKey)> {
        let found = self.state.iter().map(|index| &self.found[*index]);
        found.filter_map(|found| Some((&found.event, found.number?, found.key?)))
    }

    /// The event of the state with this type and the empty key.
    pub(crate) fn setting(&self, event_type: &str) -> Option<&Event> {
        let found = self.state.iter().map(|index| &self.found[*index].event);
        found.into_iter().find(|event| event.is(event_type, ""))
    }

    /// Whether the rules allow an event that comes upon this state: by what it refers to, and by
    /// the state.
    pub(crate) fn check(&self, event: &Event) -> Result<(), AuthError> {
        let wanted = |id: &EventId| event.auth_events.iter().any(|other| other == id);
        let create = self.setting("m.room.create");
        let create = create.map(|create| create.event_id.clone());
        let vouchers: Vec<AuthEvent<'_>> = self
            .found
            .iter()
            .zip(&self.verdicts)
            .filter(|(found, _)| {
                let id = &found.event.event_id;
                wanted(id) || Some(id) == create.as_ref()
            })
            .map(|(found, verdict)| AuthEvent {
                event: &found.event,
                rejected: *verdict != Verdict::Accepted,
            })
            .collect();
        auth::check_independent(&self.version, event, |id| {
            let found = vouchers.iter().find(|found| found.event.event_id == id);
            found.copied()
        })?;
        auth::check_dependent(&self.version, event, |event_type, state_key| {
            let found = vouchers
                .iter()
                .find(|found| found.event.is(event_type, state_key));
            found.map(|found| found.event)
        })?;
        auth::check_dependent(&self.version, event, |event_type, state_key| {
            let mut state = self.state.iter().map(|index| &self.found[*index].event);
            state.find(|found| found.is(event_type, state_key))
        })
    }
}

impl Rooms {
    /// Finds out which of the events are stored, and takes what is stored for what was told:
    /// where ids are no hashes, two events can go by one.
    async fn recognise(&self, version: &RoomVersionId, found: &mut [Found]) -> StoreResult<()> {
        for chunk in found.chunks_mut(CHUNK) {
            let ids = chunk.iter().map(|found| &*found.event.event_id);
            let stored = self.stored_by_id(ids).await?;
            let known = chunk.iter_mut().filter_map(|found| {
                let stored = stored.get(found.event.event_id.as_str())?;
                Some((found, stored))
            });
            for (found, stored) in known {
                found.event = read_event(stored, version)?;
                found.number = Some(stored.event);
                found.standing = match stored.status {
                    Status::Rejected => Standing::Rejected,
                    Status::Accepted | Status::SoftFailed => Standing::Accepted,
                    // Invitations are outliers that nobody has judged.
                    Status::Outlier => Standing::New,
                };
            }
        }
        Ok(())
    }

    async fn stored_by_id<'a>(
        &self,
        ids: impl Iterator<Item = &'a EventId>,
    ) -> StoreResult<HashMap<String, StoredEvent>> {
        let ids: Vec<&str> = ids.map(EventId::as_str).collect();
        let stored = events::list_by_ids(&mut self.store.read(), &ids).await?;
        Ok(stored
            .into_iter()
            .map(|stored| (stored.id.clone(), stored))
            .collect())
    }
}

fn told(found: &[Found]) -> Vec<Told<'_>> {
    found
        .iter()
        .map(|found| Told {
            event: &found.event,
            in_state: found.in_state,
            standing: found.standing,
        })
        .collect()
}

/// The room version decides by which rules all this was read and judged: the room itself has to
/// confirm it.
fn check_version(
    found: &[Found],
    state: &[usize],
    version: &RoomVersionId,
) -> Result<(), SnapshotError> {
    #[derive(serde::Deserialize)]
    struct Content {
        #[serde(default = "first_version")]
        room_version: RoomVersionId,
    }
    let mut events = state.iter().map(|index| &found[*index].event);
    let create = events.find(|event| event.is("m.room.create", ""));
    let content =
        create.and_then(|create| serde_json::from_str::<Content>(create.content.get()).ok());
    match content {
        Some(content) if content.room_version == *version => Ok(()),
        _ => Err(SnapshotError::OtherVersion(version.clone())),
    }
}

fn first_version() -> RoomVersionId {
    RoomVersionId::V1
}

fn read_event(stored: &StoredEvent, version: &RoomVersionId) -> StoreResult<Event> {
    let corrupt = |found: String| StoreError::Corrupt {
        table: "events",
        column: 12,
        wanted: "an event",
        found,
    };
    let id = OwnedEventId::try_from(stored.id.as_str());
    let id = id.map_err(|error| corrupt(error.to_string()))?;
    event::from_stored(&stored.json, id, version).map_err(|error| corrupt(error.to_string()))
}
