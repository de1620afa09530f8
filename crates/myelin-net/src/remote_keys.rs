//! The public keys of other servers: remembered, stored, fetched.
//!
//! A key that is not known is looked for in the database, then asked of its server, then of the
//! notaries. Each server is asked by one request at a time, which goes on even if who wanted the
//! key has given up; and not again for a while, whatever it answers, so that a server that is gone,
//! or signs with a key that it does not publish, costs nothing on each event.

mod fetch;
mod known;
mod needs;

use std::{collections::BTreeMap, error::Error, sync::Arc};

use myelin_core::{
    event::{Event, PublicKeys},
    server::Server,
};
use myelin_store::{Store, StoreResult, remote_keys, signing_keys};
use parking_lot::Mutex;
use ruma::{CanonicalJsonObject, OwnedServerName, RoomVersionId, ServerName, serde::Base64};
use tokio::task::JoinSet;

use self::{
    fetch::{Claim, Fetcher},
    known::Known,
};
use crate::{FederationSettings, Transport, key_answer::is_leaked};

/// Servers whose keys are read from the database by one query.
const SERVERS_AT_ONCE: usize = 500;

/// A key that something is signed with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyNeed {
    /// Whose key it is.
    pub server: OwnedServerName,
    /// Its id: `ed25519:` and a version.
    pub key_id: String,
    /// When it must have been valid, in milliseconds; None: at any time (room versions 1 to 4).
    pub at_ms: Option<u64>,
}

/// The keys of other servers, fetched when they are needed. Clones share what they know.
#[derive(Clone)]
pub struct RemoteKeys {
    fetcher: Arc<Fetcher>,
    /// Requests for keys that are under way. What they hold must not hold them in turn: they end
    /// with the last handle.
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl RemoteKeys {
    pub(crate) fn new(
        server: Arc<Server>,
        store: Store,
        transport: Arc<dyn Transport>,
        settings: Arc<FederationSettings>,
    ) -> Self {
        Self {
            fetcher: Arc::new(Fetcher::new(server, store, transport, settings)),
            tasks: Arc::default(),
        }
    }

    /// The keys that an event's signatures need, as far as they can be had.
    pub async fn for_events<'a>(
        &self,
        events: impl IntoIterator<Item = &'a Event>,
        version: &RoomVersionId,
    ) -> PublicKeys {
        let needs: Vec<_> = events
            .into_iter()
            .flat_map(|event| needs::of_event(event, version))
            .collect();
        self.find(&needs).await
    }

    /// The keys that are needed, as far as they can be had. A key that was not valid when it must
    /// have been is left out.
    pub async fn find(&self, needs: &[KeyNeed]) -> PublicKeys {
        let mut found = PublicKeys::new();
        let (own, mut open): (Vec<_>, Vec<_>) = needs
            .iter()
            .partition(|need| need.server == self.fetcher.server.name);
        self.take_known(&mut open, &mut found);
        // A failure of the store is logged, and what it would have told is asked of the servers.
        if !open.is_empty() {
            logged(self.load(&open).await);
            self.take_known(&mut open, &mut found);
        }
        open.retain(|need| needs::is_usable(need));
        if !open.is_empty() {
            self.fetch(&open).await;
            self.take_known(&mut open, &mut found);
        }
        if !own.is_empty() {
            logged(self.take_own(&own, &mut found).await);
        }
        found
    }

    /// Whether keys of a server that could not be had may be had if they are asked for again: no
    /// if it has answered and has no such key, nor has a notary, and no if it has been silent for
    /// long.
    pub fn may_still_come(&self, server: &ServerName) -> bool {
        self.known().may_still_come(server)
    }

    /// Whether a server would be asked now for a key that is not known.
    pub fn may_ask(&self, server: &ServerName) -> bool {
        self.known().may_ask(server, self.fetcher.server.now_ms())
    }

    /// What servers last said about their keys, signed by them: asked of them anew if that is older
    /// than half of its life, or does not count until the time that is given. For others who ask.
    pub async fn answers_of(
        &self,
        servers: &BTreeMap<OwnedServerName, u64>,
    ) -> StoreResult<Vec<CanonicalJsonObject>> {
        let mut stale = BTreeMap::new();
        let now_ms = self.fetcher.server.now_ms();
        for (server, valid_until_ms) in servers {
            let stored = self.fetcher.stored_answer(server).await?;
            if !stored.is_some_and(|stored| stored.is_fresh(now_ms, *valid_until_ms)) {
                stale.insert(server.clone(), Vec::new());
            }
        }
        if !stale.is_empty() {
            self.fetch_claims(stale).await;
        }
        let mut answers = Vec::new();
        for server in servers.keys() {
            let stored = self.fetcher.stored_answer(server).await?;
            answers.extend(stored.map(|stored| stored.object));
        }
        Ok(answers)
    }

    fn known(&self) -> &Known {
        &self.fetcher.known
    }

    /// Moves what is in memory from the needs to what is found.
    fn take_known(&self, open: &mut Vec<&KeyNeed>, found: &mut PublicKeys) {
        open.retain(|need| match self.known().key(need) {
            Some(key) => {
                insert(found, need, key);
                false
            }
            None => true,
        });
    }

    /// Reads the keys of these servers from the database into memory.
    async fn load(&self, open: &[&KeyNeed]) -> StoreResult<()> {
        let mut servers: Vec<_> = open.iter().map(|need| need.server.as_str()).collect();
        servers.sort_unstable();
        servers.dedup();
        for servers in servers.chunks(SERVERS_AT_ONCE) {
            let mut read = self.fetcher.store.read();
            let rows = remote_keys::list_by_servers(&mut read, servers.iter().copied()).await?;
            self.known().add_rows(rows);
        }
        Ok(())
    }

    /// Cuts off requests for keys; who waits for them does without.
    pub(crate) fn end(&self) {
        self.tasks.lock().abort_all();
    }

    async fn fetch(&self, open: &[&KeyNeed]) {
        let mut wanted: BTreeMap<OwnedServerName, Vec<KeyNeed>> = BTreeMap::new();
        for need in open {
            let needs = wanted.entry(need.server.clone()).or_default();
            needs.push((*need).clone());
        }
        self.fetch_claims(wanted).await;
    }

    /// Asks for the keys of servers that may be asked now, and waits for those that are being asked.
    async fn fetch_claims(&self, wanted: BTreeMap<OwnedServerName, Vec<KeyNeed>>) {
        let now_ms = self.fetcher.server.now_ms();
        let (claims, waits): (Vec<Claim>, Vec<_>) = self.known().claim(wanted, now_ms);
        if !claims.is_empty() {
            let mut tasks = self.tasks.lock();
            while tasks.try_join_next().is_some() {}
            tasks.spawn(self.fetcher.clone().fetch_all(claims));
        }
        for end in &waits {
            end.wait().await;
        }
    }

    /// Our own keys: that which signs, and those before it.
    async fn take_own(&self, needs: &[&KeyNeed], found: &mut PublicKeys) -> StoreResult<()> {
        let server = &self.fetcher.server;
        let mut older = None;
        for need in needs {
            if need.key_id == server.key.key_id() {
                insert(found, need, Base64::new(server.key.public_key().to_vec()));
                continue;
            }
            if older.is_none() {
                older = Some(signing_keys::list(&mut self.fetcher.store.read()).await?);
            }
            let key = older
                .iter()
                .flatten()
                .filter(|key| need.key_id.strip_prefix("ed25519:") == Some(&key.key_version))
                .filter(|key| needs::is_valid_until(need, key.expired_ms))
                .find_map(needs::public_key_of);
            if let Some(key) = key.filter(|key| !is_leaked(key.as_bytes())) {
                insert(found, need, key);
            }
        }
        Ok(())
    }
}

fn insert(found: &mut PublicKeys, need: &KeyNeed, key: Base64) {
    let of_server = found.entry(need.server.to_string()).or_default();
    of_server.insert(need.key_id.clone(), key);
}

fn logged(result: StoreResult<()>) {
    if let Err(error) = result {
        tracing::error!(
            error = &error as &dyn Error,
            "keys of servers could not be read"
        );
    }
}

#[cfg(test)]
mod tests;
