//! Asking for keys: the servers themselves, and notaries.

use std::{collections::BTreeMap, error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use myelin_core::{json, server::Server};
use myelin_store::{
    Store, StoreResult, WriteSet,
    remote_keys::{self, RemoteKeyAnswer},
};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedServerName, ServerName};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet, time};

use super::{
    KeyNeed,
    known::{Known, Source},
};
use crate::{
    FederationSettings, Transport,
    key_answer::{KeyAnswer, is_signed_by},
};

/// How long a server may take to tell its keys.
const SERVER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a notary may take, which perhaps asks the servers in turn.
const NOTARY_TIMEOUT: Duration = Duration::from_secs(20);
/// The most bytes that a server may tell of its keys.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of a notary's answer.
const NOTARY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How many servers are asked side by side.
const SIDE_BY_SIDE: usize = 64;
/// A notary is asked first when there are more servers than these: one request instead of many.
const FEW: usize = 8;
/// Most servers that a notary is asked about in one request.
const BATCH: usize = 100;

/// What is needed to ask for keys.
pub(super) struct Fetcher {
    pub(super) server: Arc<Server>,
    pub(super) store: Store,
    pub(super) known: Known,
    transport: Arc<dyn Transport>,
    settings: Arc<FederationSettings>,
    permits: Arc<Semaphore>,
}

/// Others wait until it is dropped, and go on in the order in which they came: one that wakes them in
/// any order would have one seed tell two stories.
pub(super) struct Asking(Arc<Semaphore>);

/// The end of an [`Asking`].
#[derive(Clone)]
pub(super) struct End(Arc<Semaphore>);

impl Asking {
    pub(super) fn begin() -> (Self, End) {
        let end = Arc::new(Semaphore::new(0));
        (Self(end.clone()), End(end))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl End {
    pub(super) fn has_come(&self) -> bool {
        self.0.is_closed()
    }

    pub(super) async fn wait(&self) {
        // There never is a permit; the wait ends with the semaphore.
        let _ = self.0.acquire().await;
    }
}

/// The right to ask a server, until it is dropped.
pub(super) struct Claim {
    server: OwnedServerName,
    needs: Vec<KeyNeed>,
    /// Others wait for its end.
    _asking: Asking,
}

impl Claim {
    pub(super) fn new(server: OwnedServerName, needs: Vec<KeyNeed>, asking: Asking) -> Self {
        Self {
            server,
            needs,
            _asking: asking,
        }
    }
}

/// An answer that was stored.
pub(super) struct Stored {
    pub(super) object: CanonicalJsonObject,
    fetched_ms: u64,
    valid_until_ms: u64,
}

impl Stored {
    /// Whether it is good enough to be shown to somebody who needs it to count until then.
    pub(super) fn is_fresh(&self, now_ms: u64, valid_until_ms: u64) -> bool {
        let life = self.valid_until_ms.saturating_sub(self.fetched_ms);
        let is_young = now_ms < self.fetched_ms.saturating_add(life / 2);
        is_young && valid_until_ms <= self.valid_until_ms
    }
}

impl Fetcher {
    pub(super) fn new(
        server: Arc<Server>,
        store: Store,
        transport: Arc<dyn Transport>,
        settings: Arc<FederationSettings>,
    ) -> Self {
        Self {
            server,
            store,
            known: Known::default(),
            transport,
            settings,
            permits: Arc::new(Semaphore::new(SIDE_BY_SIDE)),
        }
    }

    /// Asks for the keys of all these servers.
    pub(super) async fn fetch_all(self: Arc<Self>, claims: Vec<Claim>) {
        let mut single = Vec::new();
        let (needed, wished): (Vec<_>, Vec<_>) = claims
            .into_iter()
            .partition(|claim| !claim.needs.is_empty());
        single.extend(wished);
        let are_many = needed.len() > FEW && !self.settings.trusted_key_servers.is_empty();
        let mut needed = needed.into_iter();
        loop {
            let batch: Vec<_> = needed.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            if are_many {
                let asked: Vec<_> = batch.iter().collect();
                self.ask_notaries(&asked).await;
            }
            single.extend(batch.into_iter().filter(|claim| !self.is_satisfied(claim)));
        }
        let mut tasks = JoinSet::new();
        for claim in single {
            tasks.spawn(self.clone().fetch_one(claim, !are_many));
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Asks a server, and the notaries for what it does not tell.
    async fn fetch_one(self: Arc<Self>, claim: Claim, with_notaries: bool) {
        let has_answered = {
            // The semaphore is never closed.
            let _permit = self.permits.acquire().await;
            self.ask_server(&claim.server).await
        };
        if with_notaries && !self.is_satisfied(&claim) {
            self.ask_notaries(&[&claim]).await;
        }
        let now_ms = self.server.now_ms();
        self.known.note_asked(&claim.server, has_answered, now_ms);
    }

    fn is_satisfied(&self, claim: &Claim) -> bool {
        let is_known = |need: &KeyNeed| self.known.key(need).is_some();
        claim.needs.iter().all(is_known)
    }

    /// Whether the server has told its keys.
    async fn ask_server(&self, server: &ServerName) -> bool {
        if !self.settings.allows(server) {
            return false;
        }
        let request = Request::get("/_matrix/key/v2/server").body(Bytes::new());
        let request = request.expect("the path is valid");
        let answer = self.exchange(server, request, ANSWER_BYTES_MAX);
        let Ok(Some(bytes)) = time::timeout(SERVER_TIMEOUT, answer).await else {
            tracing::debug!(%server, "the server does not tell its keys");
            return false;
        };
        match KeyAnswer::read(&bytes, server, self.server.now_ms()) {
            Ok(answer) => {
                self.keep(vec![(server.to_owned(), answer)], Source::Server)
                    .await;
                true
            }
            Err(error) => {
                tracing::debug!(%server, %error, "the server tells no keys that count");
                false
            }
        }
    }

    /// Asks one notary after the other for what is still needed.
    async fn ask_notaries(&self, claims: &[&Claim]) {
        for notary in &self.settings.trusted_key_servers {
            let open: Vec<_> = claims
                .iter()
                .copied()
                .filter(|claim| !self.is_satisfied(claim) && claim.server != *notary)
                .collect();
            if !open.is_empty() && *notary != self.server.name {
                self.ask_notary(notary, &open).await;
            }
        }
    }

    async fn ask_notary(&self, notary: &ServerName, claims: &[&Claim]) {
        let now_ms = self.server.now_ms();
        let mut keys = self.known.keys_at(notary, now_ms);
        if keys.is_empty() && self.known.may_ask(notary, now_ms) {
            let has_answered = self.ask_server(notary).await;
            self.known.note_asked(notary, has_answered, now_ms);
            keys = self.known.keys_at(notary, now_ms);
        }
        if keys.is_empty() {
            tracing::warn!(%notary, "the keys of a trusted key server cannot be had");
            return;
        }
        let exchange = self.exchange(notary, query(claims), NOTARY_BYTES_MAX);
        let Ok(Some(bytes)) = time::timeout(NOTARY_TIMEOUT, exchange).await else {
            tracing::debug!(%notary, "the notary does not answer");
            return;
        };
        let mut answers = Vec::new();
        for object in objects_in(&bytes) {
            let server = object
                .get("server_name")
                .and_then(CanonicalJsonValue::as_str);
            let claim = claims
                .iter()
                .find(|claim| server == Some(claim.server.as_str()));
            let Some(claim) = claim else {
                continue;
            };
            if !is_signed_by(&object, notary, keys.clone()) {
                tracing::debug!(%notary, "the notary has not signed its answer");
                continue;
            }
            match KeyAnswer::of(object, &claim.server, now_ms) {
                Ok(answer) => answers.push((claim.server.clone(), answer)),
                Err(error) => {
                    tracing::debug!(%notary, %error, "the notary's answer does not count");
                }
            }
        }
        self.keep(answers, Source::Notary).await;
    }

    /// The body of an answer of status 200.
    async fn exchange(
        &self,
        server: &ServerName,
        request: Request<Bytes>,
        bytes_max: usize,
    ) -> Option<Bytes> {
        let response = self.transport.send(server, request).await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let body = Limited::new(response.into_body(), bytes_max).collect();
        Some(body.await.ok()?.to_bytes())
    }

    /// Keeps what was answered, in memory and in the database.
    async fn keep(&self, answers: Vec<(OwnedServerName, KeyAnswer)>, source: Source) {
        let mut writes = WriteSet::new();
        let fetched_ms = self.server.now_ms().cast_signed();
        for (server, answer) in answers {
            for row in self.known.add_answer(&server, &answer, source) {
                remote_keys::upsert(&mut writes, row);
            }
            let row = RemoteKeyAnswer {
                json: json::to_canonical(&answer.object).into_bytes().into(),
                fetched_ms,
                valid_until_ms: answer.valid_until_ms.try_into().unwrap_or(i64::MAX),
            };
            // What a notary has may be older.
            if source == Source::Server {
                remote_keys::upsert_answer(&mut writes, server.as_str(), row);
            }
        }
        if writes.is_empty() {
            return;
        }
        if let Err(error) = self.store.commit(writes).await {
            tracing::warn!(
                error = &error as &dyn Error,
                "keys of other servers could not be stored"
            );
        }
    }

    pub(super) async fn stored_answer(&self, server: &ServerName) -> StoreResult<Option<Stored>> {
        let row = remote_keys::find_answer(&mut self.store.read(), server.as_str()).await?;
        Ok(row.and_then(|row| {
            Some(Stored {
                object: json::parse_object(&row.json).ok()?,
                fetched_ms: row.fetched_ms.try_into().ok()?,
                valid_until_ms: row.valid_until_ms.try_into().ok()?,
            })
        }))
    }
}

/// The question to a notary.
fn query(claims: &[&Claim]) -> Request<Bytes> {
    let mut servers = BTreeMap::new();
    for claim in claims {
        let criteria = |need: &KeyNeed| match need.at_ms {
            Some(at_ms) => json!({"minimum_valid_until_ts": at_ms}),
            None => json!({}),
        };
        let keys: BTreeMap<_, _> = claim
            .needs
            .iter()
            .map(|need| (need.key_id.as_str(), criteria(need)))
            .collect();
        servers.insert(claim.server.as_str(), keys);
    }
    let body = json!({"server_keys": servers}).to_string();
    Request::post("/_matrix/key/v2/query")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .expect("the path is valid")
}

/// The objects that a notary sends.
fn objects_in(bytes: &[u8]) -> Vec<CanonicalJsonObject> {
    let Ok(mut object) = json::parse_object(bytes) else {
        return Vec::new();
    };
    let Some(CanonicalJsonValue::Array(list)) = object.remove("server_keys") else {
        return Vec::new();
    };
    let objects = list.into_iter().filter_map(|value| match value {
        CanonicalJsonValue::Object(object) => Some(object),
        _ => None,
    });
    objects.collect()
}
