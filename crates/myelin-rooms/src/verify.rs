//! The one way into this server for what others call an event.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread::available_parallelism,
    time::Duration,
};

use myelin_core::event::{self, Event, EventError, PublicKeys, Verified, VerifyError};
use ruma::{OwnedServerName, RoomId, RoomVersionId};
use serde_json::value::RawValue;
use tokio::{
    task::{JoinError, JoinSet, spawn_blocking},
    time::timeout,
};

use crate::Rooms;

/// Fewer signatures than this are checked where they are asked for.
const INLINE_MAX: usize = 16;
/// How many events one thread checks at a time.
const CHUNK: usize = 128;

/// Why something is not an event of a room.
#[derive(Debug, thiserror::Error)]
pub enum PduError {
    /// It has not the form of the room version, or is too large.
    #[error("{0}")]
    Format(#[from] EventError),
    /// It is an event of another room.
    #[error("it is an event of another room")]
    OtherRoom,
    /// Keys that could show who made it cannot be had now.
    #[error("the keys of {} cannot be had", join(.0))]
    Keys(Vec<OwnedServerName>),
    /// It is not signed by who must have signed it.
    #[error("it is not signed as it must be: {0}")]
    Signature(String),
}

impl Rooms {
    /// Checks what other servers call events of a room, wherever it comes from: form, sizes and
    /// ranges, the room, the signatures of all servers that must have signed. One whose content
    /// was changed is cut down to what its signatures cover. The answers have the order of the
    /// PDUs; one bad PDU does no harm to the others.
    ///
    /// The keys of each server are waited for at most this long.
    pub async fn verify(
        &self,
        pdus: &[&RawValue],
        (version, room_id): (&RoomVersionId, &RoomId),
        keys_within: Duration,
    ) -> Vec<Result<Event, PduError>> {
        let parsed = pdus.iter().map(|pdu| parse(pdu, version, room_id));
        let parsed: Vec<_> = parsed.map(|event| event.map(Arc::new)).collect();
        let keys = self.keys_for(&parsed, version, keys_within).await;
        let parsed = parsed.into_iter();
        let parsed: Vec<_> = parsed
            .map(|event| event.map(Arc::unwrap_or_clone))
            .collect();
        if parsed.len() <= INLINE_MAX || self.store.is_driven() {
            check_each(parsed, &keys, version)
        } else {
            check_all(parsed, version, keys).await
        }
    }

    /// Does what takes the processor long on a thread of its own, so that nobody else waits for it.
    /// In a simulation it is done at once: what another thread does comes at any time, and one seed
    /// would not give one course of things.
    pub(crate) async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        if self.store.is_driven() {
            Ok(work())
        } else {
            spawn_blocking(work).await
        }
    }

    /// The keys for all events at once, one request of keys for each group of servers: nobody
    /// waits for a server that has not signed anything of theirs.
    async fn keys_for(
        &self,
        parsed: &[Result<Arc<Event>, PduError>],
        version: &RoomVersionId,
        within: Duration,
    ) -> PublicKeys {
        let mut groups: BTreeMap<BTreeSet<OwnedServerName>, Vec<Arc<Event>>> = BTreeMap::new();
        for event in parsed.iter().flatten() {
            if let Ok(servers) = event::required_servers(event, version) {
                groups.entry(servers).or_default().push(Arc::clone(event));
            }
        }
        let mut fetches = JoinSet::new();
        for events in groups.into_values() {
            let (keys, version) = (self.federation.keys().clone(), version.clone());
            fetches.spawn(async move {
                let found = keys.for_events(events.iter().map(Arc::as_ref), &version);
                let found = timeout(within, found).await;
                found.unwrap_or_default()
            });
        }
        let mut all = PublicKeys::new();
        while let Some(found) = fetches.join_next().await {
            for (server, keys) in found.unwrap_or_default() {
                all.entry(server).or_default().extend(keys);
            }
        }
        all
    }
}

fn parse(pdu: &RawValue, version: &RoomVersionId, room_id: &RoomId) -> Result<Event, PduError> {
    let event = event::parse(pdu.get().as_bytes(), version)?;
    if event.room_id == room_id {
        Ok(event)
    } else {
        Err(PduError::OtherRoom)
    }
}

/// Checks signatures and hashes.
fn check_each(
    events: Vec<Result<Event, PduError>>,
    keys: &PublicKeys,
    version: &RoomVersionId,
) -> Vec<Result<Event, PduError>> {
    let checked = events.into_iter();
    let checked = checked.map(|event| event.and_then(|event| check(event, version, keys)));
    checked.collect()
}

/// The same of many events, on all cores.
async fn check_all(
    parsed: Vec<Result<Event, PduError>>,
    version: &RoomVersionId,
    keys: PublicKeys,
) -> Vec<Result<Event, PduError>> {
    let keys = Arc::new(keys);
    let mut chunks = Vec::new();
    let mut left = parsed.into_iter().peekable();
    while left.peek().is_some() {
        chunks.push(left.by_ref().take(CHUNK).collect::<Vec<_>>());
    }
    let threads = available_parallelism().map_or(1, usize::from);
    let mut work = JoinSet::new();
    let mut done = BTreeMap::new();
    for (index, chunk) in chunks.into_iter().enumerate() {
        if work.len() >= threads
            && let Some(Ok((index, checked))) = work.join_next().await
        {
            done.insert(index, checked);
        }
        let (keys, version) = (keys.clone(), version.clone());
        work.spawn_blocking(move || (index, check_each(chunk, &keys, &version)));
    }
    while let Some(Ok((index, checked))) = work.join_next().await {
        done.insert(index, checked);
    }
    done.into_values().flatten().collect()
}

fn check(event: Event, version: &RoomVersionId, keys: &PublicKeys) -> Result<Event, PduError> {
    match event::verify(&event, version, keys) {
        Ok(Verified::All) => Ok(event),
        Ok(Verified::Signatures) => {
            let pruned = event::redact(&event.json, version)?;
            Ok(event::from_stored(&pruned, event.event_id, version)?)
        }
        Err(VerifyError::Event(error)) => Err(PduError::Format(error)),
        Err(VerifyError::Signature(error)) => Err(signature_error(&event, version, keys, &error)),
    }
}

/// Tells a signature that is wrong from one that cannot be judged now: a server signs with several
/// keys, and any of them that cannot be had may be the one that would show it.
fn signature_error(
    event: &Event,
    version: &RoomVersionId,
    keys: &PublicKeys,
    error: &impl std::fmt::Display,
) -> PduError {
    let required = event::required_servers(event, version).unwrap_or_default();
    let signatures = event::signing_keys(event);
    let is_unknown = |server: &&OwnedServerName| {
        let held = keys.get(server.as_str());
        let used = signatures.get(server.as_str());
        used.is_some_and(|used| {
            used.iter()
                .any(|key| held.is_none_or(|held| !held.contains_key(key)))
        })
    };
    let unknown: Vec<_> = required.iter().filter(is_unknown).cloned().collect();
    if unknown.is_empty() {
        PduError::Signature(error.to_string())
    } else {
        PduError::Keys(unknown)
    }
}

/// Names of servers for a person.
pub(crate) fn join(servers: &[OwnedServerName]) -> String {
    let names: Vec<&str> = servers.iter().map(|server| server.as_str()).collect();
    names.join(", ")
}
