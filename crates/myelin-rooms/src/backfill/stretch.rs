//! What of an answer hangs together with a gap, in the order in which it is read.

use std::{
    collections::{BinaryHeap, HashMap, HashSet},
    sync::Arc,
};

use myelin_core::event::{self, Event};
use myelin_store::{
    Read, StoreError, StoreResult,
    events::{self, Status, StoredEvent},
    gaps::{self, Gap},
};
use ruma::OwnedEventId;

use crate::{
    Rooms,
    receive::{Place, has_place},
};

/// Events that one stretch has at most.
const PIECES_MAX: usize = 200;
/// Rows that are read by one statement.
const CHUNK: usize = 500;

/// An event of an answer.
pub(super) struct Told {
    pub(super) event: Arc<Event>,
    /// Whether it was shown to be its sender's.
    pub(super) is_proven: bool,
}

/// Events that follow each other from the edge of a gap downwards.
pub(super) struct Stretch {
    /// The newest first; each after all those of the stretch that come after it in the room.
    pub(super) pieces: Vec<Piece>,
    /// The ids where the way ended, because what they name has its place, or gets it elsewhere.
    ends: HashSet<String>,
}

/// An event of a stretch.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) event: Arc<Event>,
    pub(super) part: Part,
    /// What is stored of it.
    pub(super) stored: Option<StoredEvent>,
}

/// What an event is for a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It is to be given its place.
    New,
    /// It was refused before: only what it comes after matters.
    Refused,
    /// It may not be its sender's: only what it comes after matters.
    Unproven,
}

impl Stretch {
    /// Whether the way does not go on at this id.
    pub(super) fn ends_at(&self, id: &str) -> bool {
        self.ends.contains(id)
    }
}

impl Told {
    pub(super) fn event(event: Event) -> Self {
        Self {
            event: Arc::new(event),
            is_proven: true,
        }
    }
}

impl Rooms {
    /// What can be reached from what is missing in a gap, through what was told and what is stored
    /// without a place. All else in an answer is left aside.
    pub(super) async fn find_stretch(
        &self,
        place: &Place,
        gap: &Gap,
        told: &HashMap<OwnedEventId, Told>,
    ) -> StoreResult<Stretch> {
        let mut read = self.store.read();
        let below = gaps::list_below(&mut read, gap.room, gap.upper).await?;
        let mut walk = Walk {
            place,
            told,
            known: HashMap::new(),
            looked_up: HashSet::new(),
            seen: HashSet::new(),
            // Another gap, further down, is where these belong.
            ends: below.into_iter().flat_map(|gap| gap.missing).collect(),
            open: BinaryHeap::new(),
            pieces: HashMap::new(),
        };
        for id in &gap.missing {
            walk.ends.remove(id);
        }
        let mut ids = gap.missing.clone();
        for told in told.values() {
            ids.push(told.event.event_id.to_string());
            ids.extend(told.event.prev_events.iter().map(ToString::to_string));
        }
        walk.look_up(&mut read, &ids).await?;
        walk.visit(&mut read, gap.missing.clone()).await?;
        while walk.pieces.len() < PIECES_MAX
            && let Some((_, id)) = walk.open.pop()
        {
            walk.pass(&mut read, &id).await?;
        }
        Ok(walk.finish())
    }
}

/// A walk back from what is missing, the deepest event first.
struct Walk<'a> {
    place: &'a Place,
    told: &'a HashMap<OwnedEventId, Told>,
    known: HashMap<String, StoredEvent>,
    looked_up: HashSet<String>,
    seen: HashSet<String>,
    ends: HashSet<String>,
    open: BinaryHeap<(u64, String)>,
    pieces: HashMap<String, Piece>,
}

impl Walk<'_> {
    async fn look_up(&mut self, read: &mut Read, ids: &[String]) -> StoreResult<()> {
        let new: Vec<&str> = ids
            .iter()
            .filter(|id| self.looked_up.insert((*id).clone()))
            .map(String::as_str)
            .collect();
        for chunk in new.chunks(CHUNK) {
            let found = events::list_by_ids(read, chunk).await?.into_iter();
            self.known
                .extend(found.map(|event| (event.id.clone(), event)));
        }
        Ok(())
    }

    async fn visit(&mut self, read: &mut Read, ids: Vec<String>) -> StoreResult<()> {
        let ids: Vec<String> = ids
            .into_iter()
            .filter(|id| !self.ends.contains(id) && self.seen.insert(id.clone()))
            .collect();
        self.look_up(read, &ids).await?;
        for id in ids {
            if let Some(depth) = self.find_depth(&id) {
                self.open.push((depth, id));
            }
        }
        Ok(())
    }

    /// How deep an event is that the walk can pass. None: it ends here, or nobody has told of it.
    fn find_depth(&mut self, id: &str) -> Option<u64> {
        let Some(known) = self.known.get(id) else {
            let id = OwnedEventId::try_from(id).ok()?;
            return self.told.get(&id).map(|told| told.event.depth);
        };
        if known.room != self.place.room || known.status == Status::Accepted {
            self.ends.insert(id.to_owned());
            return None;
        }
        Some(u64::try_from(known.depth).unwrap_or_default())
    }

    async fn pass(&mut self, read: &mut Read, id: &str) -> StoreResult<()> {
        let Some(piece) = self.piece(id)? else {
            return Ok(());
        };
        let before = piece.event.prev_events.iter().map(ToString::to_string);
        let before = before.collect();
        self.pieces.insert(id.to_owned(), piece);
        self.visit(read, before).await
    }

    /// What is stored counts for more than what was told: where ids are no hashes, two events can
    /// go by one.
    fn piece(&mut self, id: &str) -> StoreResult<Option<Piece>> {
        let Ok(event_id) = OwnedEventId::try_from(id) else {
            return Ok(None);
        };
        let Some(stored) = self.known.remove(id) else {
            let told = self.told.get(&event_id);
            return Ok(told.map(|told| Piece {
                event: Arc::clone(&told.event),
                part: if told.is_proven {
                    Part::New
                } else {
                    Part::Unproven
                },
                stored: None,
            }));
        };
        let part = match stored.status {
            Status::SoftFailed => Part::Refused,
            Status::Rejected if has_place(&stored) => Part::Refused,
            _ => Part::New,
        };
        let event = event::from_stored(&stored.json, event_id, &self.place.version);
        let event = event.map_err(|error| StoreError::Corrupt {
            table: "events",
            column: 12,
            wanted: "an event",
            found: error.to_string(),
        })?;
        Ok(Some(Piece {
            event: Arc::new(event),
            part,
            stored: Some(stored),
        }))
    }

    /// The pieces in their order: first that of the greatest depth among those that nothing comes
    /// after which is not there already. Where ids are no hashes, events may come after each other
    /// in a circle: these are left out, and the way ends at them.
    fn finish(mut self) -> Stretch {
        let mut followers: HashMap<&str, usize> = HashMap::new();
        for piece in self.pieces.values() {
            let before: HashSet<&str> = ids_before(piece).collect();
            for id in before {
                *followers.entry(id).or_default() += 1;
            }
        }
        let rank = |piece: &Piece| {
            let event = &piece.event;
            let id = event.event_id.to_string();
            (event.depth, event.origin_server_ts, id)
        };
        let first = self.pieces.iter();
        let first = first.filter(|(id, _)| !followers.contains_key(id.as_str()));
        let mut ready: BinaryHeap<_> = first.map(|(_, piece)| rank(piece)).collect();
        let mut order = Vec::with_capacity(self.pieces.len());
        while let Some((_, _, id)) = ready.pop() {
            let Some((id, piece)) = self.pieces.get_key_value(&id) else {
                continue;
            };
            order.push(id.clone());
            let before: HashSet<&str> = ids_before(piece).collect();
            let is_free = |id: &&str| followers.get_mut(*id).is_some_and(is_last);
            let free = before.into_iter().filter(is_free);
            ready.extend(free.filter_map(|id| self.pieces.get(id)).map(rank));
        }
        let pieces = order.iter();
        let pieces = pieces.filter_map(|id| self.pieces.remove(id)).collect();
        self.ends.extend(self.pieces.into_keys());
        Stretch {
            pieces,
            ends: self.ends,
        }
    }
}

/// Counts down; true when nothing is left.
fn is_last(left: &mut usize) -> bool {
    *left -= 1;
    *left == 0
}

fn ids_before(piece: &Piece) -> impl Iterator<Item = &str> {
    piece.event.prev_events.iter().map(|id| id.as_str())
}
