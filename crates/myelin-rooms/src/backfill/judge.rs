//! What the events of a stretch are: the state before each, and whether the rules allow it there.
//!
//! Where a known event comes after one alone, the state before the known one is the state after
//! the other; so what changes no state is judged without asking anybody. For the rest the way
//! leads upwards, from the beginning of the room, from what is known below, or from the state that
//! the server tells of, as across any gap.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use myelin_core::{
    auth::{self, AuthError, AuthEvent},
    event::Event,
    resolution::AuthNode,
    trie::{Root, StateKey, TYPE_CREATE},
};
use myelin_store::{
    EMPTY_STRING, Read, StoreError, StoreResult,
    auth_graph::{self as places, PendingPlaces},
    events::{self, Status, StoredEvent},
    gaps::Gap,
    rooms,
    state_nodes::PendingNodes,
};
use ruma::{EventId, OwnedEventId, ServerName};

use super::{
    numbering::number,
    stretch::{Part, Piece, Stretch},
};
use crate::{
    Rooms, auth_graph,
    numbers::EventNumbers,
    receive::{Place, has_place},
};

/// States that are asked for while one stretch is judged.
const STATES_MAX: usize = 3;
/// Rows of events that one set may have; with what is left of the gap it stays below what a set
/// takes.
const ROWS_MAX: usize = 1_500;
/// Bytes of events that one set may have, unless its first event alone is larger.
const BYTES_MAX: usize = 2 * 1024 * 1024;
/// Rows that are read by one statement.
const CHUNK: usize = 500;

/// The newest part of a stretch, judged.
pub(super) struct History {
    /// The newest first.
    pub(super) pieces: Vec<Judged>,
    /// New nodes of states.
    pub(super) nodes: PendingNodes,
    /// The places of state events in the graph of auth events that have none there yet.
    pub(super) places: Vec<AuthNode>,
}

/// An event of a stretch, judged.
pub(super) struct Judged {
    pub(super) piece: Piece,
    /// None: it is passed over.
    pub(super) entry: Option<Entry>,
}

/// What is stored of an event.
pub(super) struct Entry {
    pub(super) number: i64,
    pub(super) numbers: EventNumbers,
    pub(super) root_before: Root,
    pub(super) status: Status,
}

impl Rooms {
    /// Judges a stretch. What cannot be judged now, for want of a state or of what vouches for it,
    /// is cut off with all below it.
    pub(super) async fn judge_stretch(
        &self,
        place: &Place,
        gap: &Gap,
        (stretch, server): (&Stretch, Option<&ServerName>),
    ) -> StoreResult<History> {
        let mut judge = Judge::prepare(self, place, &stretch.pieces).await?;
        judge.go_down(gap).await?;
        let mut states_left = if server.is_some() { STATES_MAX } else { 0 };
        for index in (0..stretch.pieces.len()).rev() {
            if judge.judge(index).await? {
                continue;
            }
            let Some(server) = server.filter(|_| states_left > 0) else {
                continue;
            };
            states_left -= 1;
            let event = &stretch.pieces[index].event;
            if let Some(told) = self.fetch_state(place, server, event).await? {
                judge.take_state(index, told).await?;
                judge.judge(index).await?;
            }
        }
        Ok(judge.finish())
    }
}

/// Judges the events of a stretch. What is known of each stands at its index.
pub(super) struct Judge<'a> {
    pub(super) rooms: &'a Rooms,
    pub(super) place: &'a Place,
    pub(super) read: Read,
    pub(super) pieces: &'a [Piece],
    pub(super) indices: HashMap<&'a EventId, usize>,
    numbers: Vec<(i64, EventNumbers)>,
    pub(super) before: Vec<Option<Root>>,
    pub(super) after: Vec<Option<Root>>,
    verdicts: Vec<Option<Status>>,
    /// The room's create event vouches for all others, whether they refer to it or not.
    create: Option<Arc<Event>>,
    /// The events that they refer to in `auth_events`, each with whether it was rejected.
    vouchers: HashMap<OwnedEventId, (Arc<Event>, bool)>,
    /// Events before them that have their place.
    pub(super) known: HashMap<String, StoredEvent>,
    pub(super) nodes: PendingNodes,
    pub(super) events: HashMap<i64, Arc<Event>>,
    pub(super) places: PendingPlaces,
    placed: HashSet<i64>,
    pub(super) found: HashMap<(Root, StateKey), Option<i64>>,
}

impl<'a> Judge<'a> {
    async fn prepare(rooms: &'a Rooms, place: &'a Place, pieces: &'a [Piece]) -> StoreResult<Self> {
        let mut judge = Self {
            rooms,
            place,
            read: rooms.store.read(),
            pieces,
            indices: HashMap::new(),
            numbers: number(rooms, pieces).await?,
            before: vec![None; pieces.len()],
            after: vec![None; pieces.len()],
            verdicts: vec![None; pieces.len()],
            create: None,
            vouchers: HashMap::new(),
            known: HashMap::new(),
            nodes: PendingNodes::new(),
            events: HashMap::new(),
            places: PendingPlaces::new(),
            placed: HashSet::new(),
            found: HashMap::new(),
        };
        for (index, piece) in pieces.iter().enumerate() {
            judge.indices.insert(&piece.event.event_id, index);
        }
        judge.load_known().await?;
        judge.load_vouchers().await?;
        judge.load_create().await?;
        Ok(judge)
    }

    /// Loads what the pieces come after and is no piece.
    async fn load_known(&mut self) -> StoreResult<()> {
        let before = self
            .pieces
            .iter()
            .flat_map(|piece| &piece.event.prev_events);
        let before = before.filter(|id| !self.indices.contains_key(&***id));
        let ids: HashSet<&str> = before.map(|id| id.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        for chunk in ids.chunks(CHUNK) {
            let found = events::list_by_ids(&mut self.read, chunk).await?;
            let found = found.into_iter();
            let placed = found.filter(|it| it.room == self.place.room && has_place(it));
            let placed = placed.map(|stored| (stored.id.clone(), stored));
            self.known.extend(placed);
        }
        Ok(())
    }

    /// Loads those that the pieces refer to in `auth_events`, are no pieces, and were not loaded.
    async fn load_vouchers(&mut self) -> StoreResult<()> {
        let cited = self
            .pieces
            .iter()
            .flat_map(|piece| &piece.event.auth_events);
        let unmet = cited
            .filter(|id| !self.indices.contains_key(&***id) && !self.vouchers.contains_key(&***id));
        let ids: HashSet<&str> = unmet.map(|id| id.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        for chunk in ids.chunks(CHUNK) {
            for stored in events::list_by_ids(&mut self.read, chunk).await? {
                let event = self.read_event(&stored)?;
                let rejected = stored.status == Status::Rejected;
                self.vouchers
                    .insert(event.event_id.clone(), (event, rejected));
            }
        }
        Ok(())
    }

    async fn load_create(&mut self) -> StoreResult<()> {
        let row = rooms::find(&mut self.read, self.place.room).await?;
        let row = row.ok_or(StoreError::Missing { table: "rooms" })?;
        let key = StateKey {
            event_type: TYPE_CREATE,
            state_key: EMPTY_STRING,
        };
        let root = crate::state::parse(&row.root)?;
        if let Some(number) = self.find_state(root, &[key]).await?.pop().flatten() {
            self.create = Some(self.load_event(number).await?);
        }
        Ok(())
    }

    /// Judges the event at an index; false: that cannot be done now.
    async fn judge(&mut self, index: usize) -> StoreResult<bool> {
        if self.before[index].is_none() {
            self.before[index] = self.root_before(index).await?;
        }
        let Some(before) = self.before[index] else {
            return Ok(false);
        };
        let piece = &self.pieces[index];
        let counts = match (piece.part, &piece.stored) {
            (Part::Unproven, _) => false,
            (Part::Refused, stored) => {
                let status = stored.as_ref().map(|stored| stored.status);
                status == Some(Status::SoftFailed)
            }
            (Part::New, stored) => {
                let Some(allowed) = self.is_allowed(&piece.event, before).await? else {
                    return Ok(false);
                };
                let was_refused = |stored: &StoredEvent| stored.status == Status::Rejected;
                let accepted = allowed && !stored.as_ref().is_some_and(was_refused);
                self.verdicts[index] = Some(if accepted {
                    Status::Accepted
                } else {
                    Status::Rejected
                });
                accepted
            }
        };
        let id = piece.event.event_id.clone();
        self.vouchers
            .insert(id, (Arc::clone(&piece.event), !counts));
        let (number, numbers) = self.numbers[index];
        let key = numbers.state_key.map(|state_key| StateKey {
            event_type: numbers.event_type,
            state_key,
        });
        self.after[index] = Some(match key.filter(|_| counts) {
            Some(key) => {
                self.enter_graph(&piece.event, (number, key)).await?;
                self.apply(before, (key, number)).await?
            }
            None => before,
        });
        Ok(true)
    }

    async fn enter_graph(
        &mut self,
        event: &'a Arc<Event>,
        (number, key): (i64, StateKey),
    ) -> StoreResult<()> {
        self.events.insert(number, Arc::clone(event));
        let id = event.event_id.as_str();
        let stored = places::list_by_ids(&mut self.read, &[id]).await?;
        if stored.is_empty() {
            let place =
                auth_graph::find_place(&mut self.read, &self.places, (event, number, key)).await?;
            self.places.insert(id.to_owned(), place);
            self.placed.insert(number);
        }
        Ok(())
    }

    /// Whether the rules allow an event: by what it refers to, and by the state before it. None:
    /// what it refers to is not known.
    async fn is_allowed(&mut self, event: &Event, before: Root) -> StoreResult<Option<bool>> {
        let version = &self.place.version;
        let mut cited = event.auth_events.iter();
        if !cited.all(|id| self.vouchers.contains_key(id)) {
            return Ok(None);
        }
        if self.check_vouchers(event).is_err() {
            return Ok(Some(false));
        }
        let state_key = event.state_key.as_deref();
        let types = auth::auth_types(
            version,
            event.type_str(),
            &event.sender,
            state_key,
            &event.content,
        );
        let Ok(types) = types else {
            return Ok(Some(false));
        };
        let state = self.state_at(before, types).await?;
        let checked = auth::check_dependent(version, event, |event_type, state_key| {
            let key = (event_type.to_owned(), state_key.to_owned());
            state.get(&key).map(Arc::as_ref)
        });
        Ok(Some(checked.is_ok()))
    }

    fn check_vouchers(&self, event: &Event) -> Result<(), AuthError> {
        let version = &self.place.version;
        let create = self.create.as_deref();
        auth::check_independent(version, event, |id| {
            let found = self.vouchers.get(id);
            let found = found.map(|(event, rejected)| (&**event, *rejected));
            let is_create = |create: &&Event| create.event_id == *id;
            let create = || create.filter(is_create).map(|create| (create, false));
            let (event, rejected) = found.or_else(create)?;
            Some(AuthEvent { event, rejected })
        })?;
        let cited = event.auth_events.iter();
        let cited: Vec<&Event> = cited
            .filter_map(|id| self.vouchers.get(id))
            .map(|(event, _)| &**event)
            .collect();
        auth::check_dependent(version, event, |event_type, state_key| {
            let mut cited = cited.iter().copied().chain(create);
            cited.find(|event| event.is(event_type, state_key))
        })
    }

    /// Takes over the state before an event that was told, and what vouches for it.
    async fn take_state(&mut self, index: usize, told: Root) -> StoreResult<()> {
        self.load_vouchers().await?;
        if self.before[index].is_none() {
            self.before[index] = Some(told);
        }
        Ok(())
    }

    /// The part that could be judged, as far as one set takes it.
    fn finish(self) -> History {
        let (mut rows, mut bytes) = (0, 0);
        let mut pieces: Vec<Judged> = Vec::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            let entry = match (piece.part, self.verdicts[index], self.before[index]) {
                (Part::Refused | Part::Unproven, ..) => None,
                (Part::New, Some(status), Some(root_before)) => {
                    let (number, numbers) = self.numbers[index];
                    Some(Entry {
                        number,
                        numbers,
                        root_before,
                        status,
                    })
                }
                _ => break,
            };
            rows += 6 + piece.event.auth_events.len();
            bytes += piece.event.json.len();
            if !pieces.is_empty() && (rows > ROWS_MAX || bytes > BYTES_MAX) {
                break;
            }
            let piece = piece.clone();
            pieces.push(Judged { piece, entry });
        }
        let entries = pieces.iter().filter_map(|judged| judged.entry.as_ref());
        let stored: HashSet<i64> = entries.map(|entry| entry.number).collect();
        let is_new =
            |place: &AuthNode| self.placed.contains(&place.event) && stored.contains(&place.event);
        let mut places: Vec<AuthNode> = self.places.into_values().filter(is_new).collect();
        places.sort_by_key(|place| place.event);
        History {
            pieces,
            nodes: self.nodes,
            places,
        }
    }
}
