//! What is in memory: keys, and when each server may be asked again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use myelin_store::remote_keys::RemoteKeyRow;
use parking_lot::Mutex;
use ruma::{OwnedServerName, ServerName, serde::Base64};

use super::{
    KeyNeed,
    fetch::{Asking, Claim, End},
};
use crate::key_answer::{KeyAnswer, RemoteKey};

/// Most servers kept in memory; when there are more, those that are not being asked are forgotten:
/// the database has their keys.
const SERVERS_MAX: usize = 20_000;
/// Most servers that are asked at one time; who needs another one does without.
const ASKED_MAX: usize = 5_000;
/// How long a server that has answered is not asked again, even for a key that it did not have.
const REST: Duration = Duration::from_mins(5);
/// How long a server that has not answered is not asked again; doubled each time once it is taken to
/// be gone.
const BACK_OFF_MIN: Duration = Duration::from_mins(1);
const BACK_OFF_MAX: Duration = Duration::from_mins(30);
/// A server that does not answer so long after it first did not is taken to be gone.
const GONE_AFTER: Duration = Duration::from_mins(5);
/// So many failures in a row are within that time.
const PATIENCE: u32 = 4;

/// Where a key comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Its server, whose newest word counts.
    Server,
    /// A notary, whose word may be older than what is known.
    Notary,
}

#[derive(Default)]
pub(super) struct Known {
    servers: Arc<Mutex<HashMap<OwnedServerName, KnownServer>>>,
}

#[derive(Default)]
struct KnownServer {
    keys: HashMap<String, RemoteKey>,
    /// Somebody is asking: the others wait until the sender is gone.
    asked: Option<End>,
    next_ms: u64,
    failures: u32,
    /// When the first and the last of these failures were.
    failing_ms: (u64, u64),
}

impl Known {
    /// The key, if it was valid when it must have been.
    pub(super) fn key(&self, need: &KeyNeed) -> Option<Base64> {
        let servers = self.servers.lock();
        let key = servers.get(&need.server)?.keys.get(&need.key_id)?;
        let is_valid = need.at_ms.is_none_or(|at_ms| at_ms <= key.valid_until_ms);
        is_valid.then(|| Base64::new(key.public_key.clone()))
    }

    /// All keys of a server that are valid at a time.
    pub(super) fn keys_at(&self, server: &ServerName, now_ms: u64) -> BTreeMap<String, Base64> {
        let servers = self.servers.lock();
        let keys = servers.get(server).map(|server| server.keys.iter());
        keys.into_iter()
            .flatten()
            .filter(|(_, key)| now_ms <= key.valid_until_ms)
            .map(|(id, key)| (id.clone(), Base64::new(key.public_key.clone())))
            .collect()
    }

    /// Takes in rows of the database.
    pub(super) fn add_rows(&self, rows: Vec<RemoteKeyRow>) {
        let mut servers = self.servers.lock();
        for row in rows {
            let Ok(server) = OwnedServerName::try_from(row.server) else {
                continue;
            };
            let key = RemoteKey {
                public_key: row.public_key.to_vec(),
                valid_until_ms: row.valid_until_ms.try_into().unwrap_or_default(),
            };
            make_room(&mut servers);
            let known = servers.entry(server).or_default();
            known.keys.insert(row.key_id, key);
        }
    }

    /// Takes in an answer, and returns what of it is new.
    pub(super) fn add_answer(
        &self,
        server: &ServerName,
        answer: &KeyAnswer,
        source: Source,
    ) -> Vec<RemoteKeyRow> {
        let mut servers = self.servers.lock();
        make_room(&mut servers);
        let known = servers.entry(server.to_owned()).or_default();
        let mut new = Vec::new();
        for (id, key) in &answer.keys {
            let is_better = match known.keys.get(id) {
                None => true,
                Some(old) if source == Source::Notary => old.valid_until_ms < key.valid_until_ms,
                Some(old) => old != key,
            };
            if is_better {
                known.keys.insert(id.clone(), key.clone());
                new.push(RemoteKeyRow {
                    server: server.to_string(),
                    key_id: id.clone(),
                    public_key: key.public_key.clone().into(),
                    valid_until_ms: key.valid_until_ms.try_into().unwrap_or(i64::MAX),
                });
            }
        }
        new
    }

    /// The servers that are to be asked by the caller, and what to wait for: those, and those that
    /// are being asked by others. Servers that were asked a moment ago are in neither.
    pub(super) fn claim(
        &self,
        wanted: BTreeMap<OwnedServerName, Vec<KeyNeed>>,
        now_ms: u64,
    ) -> (Vec<Claim>, Vec<End>) {
        let mut servers = self.servers.lock();
        let (mut claims, mut waits) = (Vec::new(), Vec::new());
        let is_asked = |known: &KnownServer| {
            let asked = known.asked.clone();
            asked.filter(|asked| !asked.has_come())
        };
        let mut asked = servers
            .values()
            .filter(|known| is_asked(known).is_some())
            .count();
        for (server, needs) in wanted {
            make_room(&mut servers);
            let known = servers.entry(server.clone()).or_default();
            if let Some(asked) = is_asked(known) {
                waits.push(asked);
            } else if known.next_ms <= now_ms && asked < ASKED_MAX {
                asked += 1;
                let (asking, end) = Asking::begin();
                known.asked = Some(end.clone());
                waits.push(end);
                claims.push(Claim::new(server, needs, asking));
            }
        }
        (claims, waits)
    }

    /// Whether the server may be asked now.
    pub(super) fn may_ask(&self, server: &ServerName, now_ms: u64) -> bool {
        let servers = self.servers.lock();
        servers
            .get(server)
            .is_none_or(|known| known.next_ms <= now_ms)
    }

    /// Whether keys that a server's signatures need, and that are not known, may still be had: it
    /// has not been asked to the end, or it does not answer, but has not been silent for long.
    pub(super) fn may_still_come(&self, server: &ServerName) -> bool {
        let servers = self.servers.lock();
        let Some(known) = servers.get(server) else {
            return true;
        };
        let asked = known.asked.as_ref();
        if known.next_ms == 0 || asked.is_some_and(|asked| !asked.has_come()) {
            return true;
        }
        let gone_ms = u64::try_from(GONE_AFTER.as_millis()).unwrap_or(u64::MAX);
        let (first_ms, last_ms) = known.failing_ms;
        known.failures > 0 && last_ms.saturating_sub(first_ms) < gone_ms
    }

    /// Remembers that a server was asked.
    pub(super) fn note_asked(&self, server: &ServerName, has_answered: bool, now_ms: u64) {
        let mut servers = self.servers.lock();
        let known = servers.entry(server.to_owned()).or_default();
        let pause = if has_answered {
            known.failures = 0;
            REST
        } else {
            if known.failures == 0 {
                known.failing_ms.0 = now_ms;
            }
            known.failing_ms.1 = now_ms;
            let doublings = known.failures.saturating_sub(PATIENCE).min(8);
            let pause = BACK_OFF_MIN.saturating_mul(1 << doublings);
            known.failures += 1;
            pause.min(BACK_OFF_MAX)
        };
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        known.next_ms = now_ms.saturating_add(pause_ms);
    }
}

fn make_room(servers: &mut HashMap<OwnedServerName, KnownServer>) {
    if servers.len() >= SERVERS_MAX {
        let is_asked = |known: &KnownServer| {
            let asked = known.asked.as_ref();
            asked.is_some_and(|asked| !asked.has_come())
        };
        servers.retain(|_, known| is_asked(known));
    }
}
