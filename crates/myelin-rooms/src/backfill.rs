//! Fetching what is missing in a room's history, when somebody reads it.
//!
//! A gap knows the ids of what comes next below it. What another server answers counts as far as
//! it hangs together with these: ids are hashes, so nobody can slip in what was never there. It is
//! verified and judged as everything else that comes from others, and stored with places between
//! those of the gap, together with what is left of the gap. Nothing of it is news: no log tells of
//! it, no membership changes by it, nobody is sent it.
//!
//! Start reading at [`Rooms::backfill`], then `stretch.rs`, `judge.rs`, `enter.rs`.

mod candidates;
mod enter;
mod island;
mod judge;
mod numbering;
mod patience;
mod root;
mod stretch;

use std::{collections::HashMap, sync::Arc, time::Duration};

use myelin_core::event::{self, Event};
use myelin_net::Limits;
use myelin_store::{
    StoreError, StoreResult,
    events::{self, Status},
    gaps::{self, Gap},
    rooms,
};
use ruma::{
    OwnedEventId, OwnedRoomId, RoomId, ServerName, UInt,
    api::federation::backfill::get_backfill::v1::Request,
};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};

pub(crate) use self::patience::Backfills;
use self::{enter::Entered, stretch::Told};
use crate::{PduError, Rooms, receive::Place, served::graph::prev_events};

/// Events that are asked for at once.
const EVENTS_MAX: u32 = 100;
/// Ids of missing events that one request names.
const NAMED_MAX: usize = 20;
/// Servers that are asked, one after the other, while somebody waits.
const SERVERS_MAX: usize = 5;
/// The limits of one answer.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    bytes: 8 * 1024 * 1024,
};
/// After this long no further server is asked.
const WITHIN: Duration = Duration::from_secs(15);
/// A client waits no longer; what has begun goes on without it.
const CLIENT_WAITS: Duration = Duration::from_secs(25);
/// How long the keys of a server are waited for.
const KEYS_WITHIN: Duration = Duration::from_secs(5);
/// After so many attempts in a row that brought nothing, an event whose keys cannot be had is passed
/// over.
const PATIENCE: u32 = 3;
/// After so many attempts in a row, ids that nobody knows are given up.
const ATTEMPTS_MAX: u32 = 5;
/// How often something else may have changed what a stretch builds on.
const STALE_MAX: usize = 3;

/// What has come of asking for what is missing in a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backfilled {
    /// The gap is smaller now, or gone, or another one: who reads should look again.
    Changed,
    /// Whoever may know it does not answer now, or with nothing that helps.
    NotNow {
        /// How often that was so in a row.
        failures: u32,
    },
    /// There is nobody who could be asked.
    Never,
}

impl Rooms {
    /// Asks the servers in a room for what comes next below a gap, and stores what they tell. One
    /// attempt at a time; it goes on if its client gives up.
    pub async fn backfill(&self, room_id: &RoomId, gap: &Gap) -> StoreResult<Backfilled> {
        let (rooms, room_id, gap) = (self.clone(), room_id.to_owned(), gap.clone());
        let work = async move { rooms.backfill_alone(room_id, gap).await };
        match timeout(CLIENT_WAITS, self.remote.run(work)).await {
            Ok(Some(done)) => done,
            // It takes longer, or the server is shutting down.
            _ => Ok(Backfilled::NotNow { failures: 0 }),
        }
    }

    async fn backfill_alone(&self, room_id: OwnedRoomId, gap: Gap) -> StoreResult<Backfilled> {
        let _alone = self.backfills.lock(gap.room).await;
        let mut read = self.store.read();
        let found = gaps::find(&mut read, gap.room, gap.upper).await?;
        let Some(mut gap) = found.filter(|found| found.version == gap.version) else {
            return Ok(Backfilled::Changed);
        };
        if let Some(failures) = self.backfills.must_wait(&gap, self.now_ms()) {
            return Ok(Backfilled::NotNow { failures });
        }
        let row = rooms::find(&mut read, gap.room).await?;
        let row = row.ok_or(StoreError::Missing { table: "rooms" })?;
        let version = row.room_version.as_str().try_into();
        let version = version.map_err(|_| StoreError::Malformed {
            table: "rooms",
            reason: "not a room version",
        })?;
        let place = Place {
            room: gap.room,
            room_id,
            version,
        };
        if gap.missing.is_empty() {
            gap.missing = self.missing_above(&gap).await?;
        }
        let filled = self.fill_gap(&place, &gap, row.joined > row.joined_remote);
        let filled = filled.await?;
        if filled == Backfilled::Changed {
            self.backfills.forget(&gap);
        }
        Ok(filled)
    }

    async fn fill_gap(&self, place: &Place, gap: &Gap, is_here: bool) -> StoreResult<Backfilled> {
        // What others told of as state may be what is missing.
        if self.take_told(place, gap, (None, &HashMap::new())).await? {
            return Ok(Backfilled::Changed);
        }
        let servers = if is_here {
            self.who_may_know(place, gap).await?
        } else {
            Vec::new()
        };
        if servers.is_empty() {
            return Ok(Backfilled::Never);
        }
        let begun = Instant::now();
        let mut nobody_knows = true;
        for server in servers.iter().take(SERVERS_MAX) {
            if begun.elapsed() > WITHIN {
                nobody_knows = false;
                break;
            }
            let Some(pdus) = self.ask_before(place, gap, server).await else {
                nobody_knows = false;
                continue;
            };
            nobody_knows &= !names_missing(place, gap, &pdus);
            let told = self.verify_history(place, gap, &pdus).await;
            if self.take_told(place, gap, (Some(server), &told)).await? {
                return Ok(Backfilled::Changed);
            }
        }
        let failures = self.backfills.note_failure(gap, self.now_ms());
        if nobody_knows && failures >= ATTEMPTS_MAX && self.give_up(place, gap).await? {
            return Ok(Backfilled::Changed);
        }
        Ok(Backfilled::NotNow { failures })
    }

    /// The events before a gap, and those before them, as a server tells them.
    async fn ask_before(
        &self,
        place: &Place,
        gap: &Gap,
        server: &ServerName,
    ) -> Option<Vec<Box<RawValue>>> {
        let ids = gap.missing.iter().take(NAMED_MAX);
        let ids = ids.filter_map(|id| OwnedEventId::try_from(id.as_str()).ok());
        let limit = UInt::from(EVENTS_MAX);
        let request = Request::new(place.room_id.clone(), ids.collect(), limit);
        match self.federation.ask_within(server, request, LIMITS).await {
            Ok(answer) => {
                let mut pdus = answer.pdus;
                // No more than was asked for, whatever comes.
                pdus.truncate(usize::try_from(EVENTS_MAX).unwrap_or_default());
                Some(pdus)
            }
            Err(error) => {
                let room_id = &place.room_id;
                tracing::debug!(%room_id, %server, %error, "history cannot be had");
                None
            }
        }
    }

    /// What of an answer are events of the room. Of one that is not shown to be its sender's, what
    /// it comes after counts all the same where its id is a hash: the graph goes on behind it.
    async fn verify_history(
        &self,
        place: &Place,
        gap: &Gap,
        pdus: &[Box<RawValue>],
    ) -> HashMap<OwnedEventId, Told> {
        let pdus: Vec<&RawValue> = pdus.iter().map(AsRef::as_ref).collect();
        let room = (&place.version, &*place.room_id);
        let verified = self.verify(&pdus, room, KEYS_WITHIN).await;
        let is_patient = self.backfills.failures(gap) < PATIENCE;
        let mut told = HashMap::new();
        for (pdu, verified) in pdus.into_iter().zip(verified) {
            let found = match verified {
                Ok(event) => Some(Told::event(event)),
                Err(PduError::Keys(_)) if is_patient => None,
                Err(PduError::Keys(_) | PduError::Signature(_)) => unproven(place, pdu),
                Err(_) => None,
            };
            if let Some(found) = found {
                told.entry(found.event.event_id.clone()).or_insert(found);
            }
        }
        told
    }

    /// Stores what of this hangs together with a gap. False: nothing does, or it cannot be judged.
    async fn take_told(
        &self,
        place: &Place,
        gap: &Gap,
        (server, told): (Option<&ServerName>, &HashMap<OwnedEventId, Told>),
    ) -> StoreResult<bool> {
        for _ in 0..STALE_MAX {
            let stretch = self.find_stretch(place, gap, told).await?;
            if stretch.pieces.is_empty() {
                return Ok(false);
            }
            let history = self.judge_stretch(place, gap, (&stretch, server)).await?;
            if history.pieces.is_empty() {
                return Ok(false);
            }
            match self.enter_history(place, gap, (&stretch, history)).await? {
                Entered::Now | Entered::GapChanged => return Ok(true),
                Entered::Stale => {}
            }
        }
        Ok(false)
    }

    /// Gives up the ids that were asked for: everybody has answered, again and again, and nobody
    /// knows them. False: the gap has changed meanwhile.
    async fn give_up(&self, place: &Place, gap: &Gap) -> StoreResult<bool> {
        let left: Vec<String> = gap.missing.iter().skip(NAMED_MAX).cloned().collect();
        let (room_id, ids) = (&place.room_id, gap.missing.len() - left.len());
        tracing::info!(%room_id, ids, "nobody knows what some events come after");
        let mut writes = myelin_store::WriteSet::new();
        if left.is_empty() {
            gaps::delete(&mut writes, gap);
        } else {
            gaps::narrow(&mut writes, gap, gap.upper, left);
        }
        match self.store.commit(writes).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the event above a gap comes after and has no place, where nobody has noted it.
    async fn missing_above(&self, gap: &Gap) -> StoreResult<Vec<String>> {
        let mut read = self.store.read();
        let above = events::list_from(&mut read, gap.room, gap.upper, 1).await?;
        let Some(above) = above.into_iter().next() else {
            return Ok(Vec::new());
        };
        let ids = prev_events(&above.json);
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let known = events::list_by_ids(&mut read, &names).await?;
        let is_placed = |id: &String| {
            let mut known = known.iter().filter(|known| known.id == *id);
            known.any(|known| known.room == gap.room && known.status == Status::Accepted)
        };
        Ok(ids.into_iter().filter(|id| !is_placed(id)).collect())
    }
}

/// Whether something that was told goes by the id of what is missing, true or not.
fn names_missing(place: &Place, gap: &Gap, pdus: &[Box<RawValue>]) -> bool {
    let parsed = pdus.iter();
    let mut parsed =
        parsed.filter_map(|pdu| event::parse(pdu.get().as_bytes(), &place.version).ok());
    parsed.any(|event| gap.missing.iter().any(|id| event.event_id == *id))
}

/// An event that nobody has shown to be its sender's.
fn unproven(place: &Place, pdu: &RawValue) -> Option<Told> {
    let rules = place.version.rules()?;
    if rules.event_format.require_event_id {
        // Such an id can be given to anything.
        return None;
    }
    let event: Event = event::parse(pdu.get().as_bytes(), &place.version).ok()?;
    Some(Told {
        event: Arc::new(event),
        is_proven: false,
    })
}
