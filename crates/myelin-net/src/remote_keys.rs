//! The public keys of other servers.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Limited};
use myelin_core::{
    event::{self, Event, PublicKeys},
    server::Server,
};
use myelin_store::Store;
use parking_lot::Mutex;
use ruma::{
    OwnedServerName, OwnedServerSigningKeyId, RoomVersionId, ServerName,
    api::federation::discovery::ServerSigningKeys, serde::Base64, signatures::verify_json,
};

use crate::Transport;

/// How long another server may take to tell its keys.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of an answer with keys.
const BYTES_MAX: usize = 64 * 1024;

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
    server: Arc<Server>,
    #[expect(dead_code, reason = "keys are stored once they are fetched in batches")]
    store: Store,
    transport: Arc<dyn Transport>,
    known: Arc<Mutex<HashMap<OwnedServerName, ServerSigningKeys>>>,
}

impl RemoteKeys {
    pub(crate) fn new(server: Arc<Server>, store: Store, transport: Arc<dyn Transport>) -> Self {
        Self {
            server,
            store,
            transport,
            known: Arc::default(),
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
            .flat_map(|event| needs_of(event, version))
            .collect();
        self.find(&needs).await
    }

    /// The keys that are needed, as far as they can be had. A key that was not valid when it must
    /// have been is left out.
    pub async fn find(&self, needs: &[KeyNeed]) -> PublicKeys {
        let mut found = PublicKeys::new();
        for need in needs {
            if let Some(key) = self.find_one(need).await {
                let of_server = found.entry(need.server.to_string()).or_default();
                of_server.insert(need.key_id.clone(), key);
            }
        }
        found
    }

    async fn find_one(&self, need: &KeyNeed) -> Option<Base64> {
        if need.server == self.server.name {
            let own = need.key_id == self.server.key.key_id();
            return own.then(|| Base64::new(self.server.key.public_key().to_vec()));
        }
        let known = self.known.lock().get(&need.server).cloned();
        if let Some(key) = known.and_then(|keys| valid_key(&keys, need)) {
            return Some(key);
        }
        let keys = self.fetch(&need.server).await?;
        let key = valid_key(&keys, need);
        self.known.lock().insert(need.server.clone(), keys);
        key
    }

    async fn fetch(&self, server: &ServerName) -> Option<ServerSigningKeys> {
        let request = Request::get("/_matrix/key/v2/server").body(Bytes::new());
        let answer = async {
            let response = self.transport.send(server, request.ok()?).await.ok()?;
            let body = Limited::new(response.into_body(), BYTES_MAX).collect();
            Some(body.await.ok()?.to_bytes())
        };
        let bytes = tokio::time::timeout(TIMEOUT, answer).await.ok()??;
        let keys: ServerSigningKeys = serde_json::from_slice(&bytes).ok()?;
        (keys.server_name == server && is_signed_by_itself(&keys, &bytes)).then_some(keys)
    }
}

/// Every server that must have signed the event, with the ids of the keys that it used.
fn needs_of(event: &Event, version: &RoomVersionId) -> Vec<KeyNeed> {
    let Ok(servers) = event::required_servers(event, version) else {
        return Vec::new();
    };
    let at_ms = version
        .rules()
        .filter(|rules| rules.enforce_key_validity)
        .map(|_| event.origin_server_ts);
    let signatures = signatures_of(&event.json);
    let mut needs = Vec::new();
    for server in servers {
        for key_id in signatures.get(server.as_str()).into_iter().flatten() {
            needs.push(KeyNeed {
                server: server.clone(),
                key_id: key_id.clone(),
                at_ms,
            });
        }
    }
    needs
}

fn signatures_of(json: &str) -> HashMap<String, Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Signed {
        signatures: HashMap<String, HashMap<String, String>>,
    }
    let Ok(signed) = serde_json::from_str::<Signed>(json) else {
        return HashMap::new();
    };
    let ids = |(server, keys): (String, HashMap<String, String>)| {
        let ids = keys.into_keys().collect();
        (server, ids)
    };
    signed.signatures.into_iter().map(ids).collect()
}

fn valid_key(keys: &ServerSigningKeys, need: &KeyNeed) -> Option<Base64> {
    let id = OwnedServerSigningKeyId::try_from(need.key_id.as_str()).ok()?;
    let bytes = |text: &Base64| Base64::new(text.as_bytes().to_vec());
    if let Some(key) = keys.verify_keys.get(&id) {
        let valid_until: u64 = keys.valid_until_ts.get().into();
        return (need.at_ms.is_none_or(|at| at <= valid_until)).then(|| bytes(&key.key));
    }
    let old = keys.old_verify_keys.get(&id)?;
    let expired: u64 = old.expired_ts.get().into();
    (need.at_ms.is_none_or(|at| at <= expired)).then(|| bytes(&old.key))
}

fn is_signed_by_itself(keys: &ServerSigningKeys, json: &[u8]) -> bool {
    let Ok(object) = serde_json::from_slice(json) else {
        return false;
    };
    let own = keys
        .verify_keys
        .iter()
        .map(|(id, key)| (id.to_string(), Base64::new(key.key.as_bytes().to_vec())));
    let map = PublicKeys::from([(keys.server_name.to_string(), own.collect())]);
    verify_json(&map, &object).is_ok()
}
