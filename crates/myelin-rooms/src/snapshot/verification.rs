//! Whether the events of a snapshot are what they seem; and what if the keys that would show it
//! cannot be had at once.
//!
//! A state without such events is another state: what their users may do, and who is in the room,
//! would be judged otherwise here than by every other server, for good. So a snapshot waits for keys
//! as long as they may still come.

use std::{collections::BTreeSet, time::Duration};

use myelin_core::{
    event::{self, Event},
    snapshot::Place,
};
use myelin_store::StoreResult;
use ruma::OwnedServerName;
use serde_json::value::RawValue;

use super::Snapshot;
use crate::{PduError, verify::join};

/// Batches that are verified at the same time: while the keys for one are fetched, another is
/// checked on all cores, and a third comes in.
const IN_FLIGHT_MAX: usize = 3;
/// How long the keys of a server that does not answer are waited for.
const KEYS_WITHIN: Duration = Duration::from_secs(15);
/// How often it is looked whether keys may be asked for again, or will not come any more.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For how many looks: well beyond the time after which a server is taken to be gone.
const LOOKS_MAX: usize = 900;

/// What may be an event, and the servers whose keys would show it.
pub(super) struct Unverified {
    place: Place,
    pdu: Box<RawValue>,
    servers: Vec<OwnedServerName>,
}

/// What was told as an event, and what it is.
pub(super) struct Checked {
    place: Place,
    pdu: Box<RawValue>,
    event: Result<Event, PduError>,
}

impl Snapshot {
    /// Waits for the keys of servers that do not answer, until they have been silent for long: some
    /// minutes. What is still not known whole then is seen when it is stored.
    pub(crate) async fn await_keys(&mut self) -> StoreResult<()> {
        self.verify_all().await;
        let mut awaited = self.verify_again().await?;
        if !awaited.is_empty() {
            let (room_id, servers) = (&self.room_id, join(&awaited));
            tracing::info!(%room_id, servers, "a state waits for keys");
        }
        for _ in 0..LOOKS_MAX {
            if awaited.is_empty() {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let keys = self.rooms.federation.keys();
            let is_due = |server| keys.may_ask(server) || !keys.may_still_come(server);
            if awaited.iter().any(|server| is_due(server)) {
                awaited = self.verify_again().await?;
            }
        }
        Ok(())
    }

    /// Looks once more at what could not be verified, and returns whose keys may still come.
    pub(super) async fn verify_again(&mut self) -> StoreResult<Vec<OwnedServerName>> {
        self.take_stored().await?;
        // Asked before the last attempt: it finds what has come since.
        let awaited = self.awaited();
        let unverified = std::mem::take(&mut self.unverified);
        let unverified = unverified.into_iter().map(|it| (it.place, it.pdu));
        self.waiting.extend(unverified);
        self.verify_all().await;
        Ok(if self.unverified.is_empty() {
            Vec::new()
        } else {
            awaited
        })
    }

    /// What is stored was verified when it was: it takes no keys.
    async fn take_stored(&mut self) -> StoreResult<()> {
        let mut left = Vec::new();
        for unverified in std::mem::take(&mut self.unverified) {
            // It had the form of an event before its keys were looked for.
            let parsed = event::parse(unverified.pdu.get().as_bytes(), &self.version);
            let Ok(event) = parsed else { continue };
            let missing = self.tell_known(unverified.place, &[event.event_id]).await?;
            if !missing.is_empty() {
                left.push(unverified);
            }
        }
        self.unverified = left;
        Ok(())
    }

    /// Whose keys may still come.
    fn awaited(&self) -> Vec<OwnedServerName> {
        let servers = self
            .unverified
            .iter()
            .flat_map(|it: &Unverified| &it.servers);
        let servers: BTreeSet<&OwnedServerName> = servers.collect();
        let keys = self.rooms.federation.keys();
        let awaited = servers.into_iter();
        let awaited = awaited.filter(|server| keys.may_still_come(server));
        awaited.cloned().collect()
    }

    pub(super) async fn verify_waiting(&mut self) {
        let batch = std::mem::take(&mut self.waiting);
        if batch.is_empty() {
            return;
        }
        if self.checks.len() >= IN_FLIGHT_MAX
            && let Some(checked) = self.checks.join_next().await
        {
            self.take(checked.unwrap_or_default());
        }
        let (rooms, room_id, version) = (
            self.rooms.clone(),
            self.room_id.clone(),
            self.version.clone(),
        );
        self.checks.spawn(async move {
            let pdus: Vec<&RawValue> = batch.iter().map(|(_, pdu)| pdu.as_ref()).collect();
            let verified = rooms.verify(&pdus, (&version, &room_id), KEYS_WITHIN).await;
            let checked = batch.into_iter().zip(verified);
            checked
                .map(|((place, pdu), event)| Checked { place, pdu, event })
                .collect()
        });
    }

    /// Waits until everything that was told is looked at.
    pub(super) async fn verify_all(&mut self) {
        self.verify_waiting().await;
        while let Some(checked) = self.checks.join_next().await {
            self.take(checked.unwrap_or_default());
        }
    }

    fn take(&mut self, checked: Vec<Checked>) {
        for Checked { place, pdu, event } in checked {
            match event {
                Ok(event) => self.add(place, event),
                Err(PduError::Keys(servers)) => self.unverified.push(Unverified {
                    place,
                    pdu,
                    servers,
                }),
                Err(error) => {
                    tracing::debug!(room_id = %self.room_id, %error, "an event of a state left out");
                    self.left_out += 1;
                }
            }
        }
    }
}
