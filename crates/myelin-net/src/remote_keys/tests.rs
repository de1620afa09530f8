//! Keys, by a network in which each server is a closure.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use myelin_core::signing_key::SigningKey;
use myelin_store::{DatabaseUrl, StoreOptions};
use ruma::{ServerName, server_name};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::{
    Reply, TransportError,
    test_internet::{NoChance, TestClock},
};

mod notaries;

const HOUR: Duration = Duration::from_hours(1);

type Answer = Box<dyn Fn(&Request<Bytes>) -> Value + Send + Sync>;

#[derive(Default)]
struct Net {
    servers: Mutex<HashMap<String, Arc<Answer>>>,
    requests: Mutex<Vec<String>>,
    /// Requests wait for it, if there is one.
    gate: Mutex<Option<Arc<Notify>>>,
}

impl Net {
    fn server(
        &self,
        name: &str,
        answer: impl Fn(&Request<Bytes>) -> Value + Send + Sync + 'static,
    ) {
        let answer: Answer = Box::new(answer);
        self.servers
            .lock()
            .insert(name.to_owned(), Arc::new(answer));
    }

    /// A server that tells these keys, signed by the first of them.
    fn keys(&self, name: &str, keys: &[&str], old: &[(&str, u64)], valid_until_ms: u64) {
        let answer = answer(name, keys, old, valid_until_ms);
        self.server(name, move |_| answer.clone());
    }

    /// Waits until so many requests were made.
    async fn has_been_asked(&self, times: usize) {
        while self.requests.lock().len() < times {
            tokio::task::yield_now().await;
        }
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock())
    }
}

impl Transport for Net {
    fn send<'a>(&'a self, destination: &'a ServerName, request: Request<Bytes>) -> Reply<'a> {
        Box::pin(async move {
            let line = format!("{} {destination}{}", request.method(), request.uri());
            self.requests.lock().push(line);
            let gate = self.gate.lock().clone();
            if let Some(gate) = gate {
                gate.notified().await;
            }
            let answer = self.servers.lock().get(destination.as_str()).cloned();
            let answer = answer.ok_or_else(|| TransportError::Unreachable {
                server: destination.to_string(),
                reason: "nobody is there".to_owned(),
            })?;
            let body = Full::new(Bytes::from(answer(&request).to_string()));
            Ok(Response::new(
                body.map_err(|never| match never {}).boxed_unsync(),
            ))
        })
    }
}

/// The key of a server that has this version.
fn key(server: &str, version: &str) -> SigningKey {
    SigningKey::from_seed(version, seed_of(server, version))
}

fn answer(name: &str, keys: &[&str], old: &[(&str, u64)], valid_until_ms: u64) -> Value {
    let public = |version: &str| key(name, version).public_key_base64();
    let id = |version: &str| format!("ed25519:{version}");
    let current = keys
        .iter()
        .map(|version| (id(version), json!({"key": public(version)})));
    let old = old.iter().map(|(version, end)| {
        (
            id(version),
            json!({"key": public(version), "expired_ts": end}),
        )
    });
    let answer = json!({
        "server_name": name,
        "valid_until_ts": valid_until_ms,
        "verify_keys": Value::Object(current.collect()),
        "old_verify_keys": Value::Object(old.collect()),
    });
    signed(answer, name, &key(name, keys[0]))
}

fn signed(answer: Value, name: &str, key: &SigningKey) -> Value {
    let mut object: CanonicalJsonObject = serde_json::from_value(answer).unwrap();
    let name = ServerName::parse(name).unwrap();
    key.sign_object(&name, &mut object).unwrap();
    serde_json::to_value(object).unwrap()
}

struct World {
    net: Arc<Net>,
    clock: Arc<TestClock>,
    store: Store,
    server: Arc<Server>,
    settings: FederationSettings,
    keys: RemoteKeys,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(FederationSettings::default()).await
    }

    async fn with(settings: FederationSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("keys.db"));
        let store = Store::open(StoreOptions::new(url, "here.example"))
            .await
            .unwrap();
        let (net, clock) = (Arc::new(Net::default()), Arc::new(TestClock::default()));
        let server = Arc::new(Server {
            name: server_name!("here.example").to_owned(),
            key: key("here.example", "here"),
            clock: clock.clone(),
            chance: Arc::new(NoChance),
        });
        let keys = RemoteKeys::new(
            server.clone(),
            store.clone(),
            net.clone(),
            Arc::new(settings.clone()),
        );
        Self {
            net,
            clock,
            store,
            server,
            settings,
            keys,
            _folder: folder,
        }
    }

    /// As after a restart: what is in memory is gone.
    fn restart(&mut self) {
        self.keys = RemoteKeys::new(
            self.server.clone(),
            self.store.clone(),
            self.net.clone(),
            Arc::new(self.settings.clone()),
        );
    }

    fn now_ms(&self) -> u64 {
        self.server.now_ms()
    }

    async fn finds(&self, server: &str, version: &str, at_ms: Option<u64>) -> bool {
        let need = need(server, version, at_ms);
        let found = self.keys.find(std::slice::from_ref(&need)).await;
        let found = found.get(server).and_then(|keys| keys.get(&need.key_id));
        if let Some(found) = found {
            let wanted = key(server, version).public_key();
            assert_eq!(found.as_bytes(), wanted);
        }
        found.is_some()
    }
}

fn need(server: &str, version: &str, at_ms: Option<u64>) -> KeyNeed {
    KeyNeed {
        server: ServerName::parse(server).unwrap(),
        key_id: format!("ed25519:{version}"),
        at_ms,
    }
}

const ASK_A: &str = "GET a.example/_matrix/key/v2/server";

#[tokio::test]
async fn a_key_is_asked_for_once_and_stored() {
    let mut world = World::new().await;
    let now = world.now_ms();
    world.net.keys("a.example", &["1"], &[], now + 1000);
    for _ in 0..3 {
        assert!(world.finds("a.example", "1", Some(now)).await);
    }
    assert_eq!(world.net.requests(), [ASK_A]);
    world.restart();
    assert!(world.finds("a.example", "1", Some(now)).await);
    assert!(world.net.requests().is_empty());
}

#[tokio::test]
async fn keys_count_until_they_end() {
    let world = World::new().await;
    let now = world.now_ms();
    let old = [("old", now - 500)];
    world.net.keys("a.example", &["1"], &old, now + 1000);
    assert!(world.finds("a.example", "1", Some(now + 1000)).await);
    assert!(!world.finds("a.example", "1", Some(now + 1001)).await);
    assert!(world.finds("a.example", "old", Some(now - 500)).await);
    assert!(!world.finds("a.example", "old", Some(now - 499)).await);
    // Room versions 1 to 4 do not ask when.
    assert!(world.finds("a.example", "1", None).await);
    assert!(world.finds("a.example", "old", None).await);
    assert_eq!(world.net.requests(), [ASK_A]);
}

#[tokio::test]
async fn a_key_that_has_ended_is_asked_for_again() {
    let world = World::new().await;
    let now = world.now_ms();
    world.net.keys("a.example", &["1"], &[], now + 1000);
    assert!(world.finds("a.example", "1", Some(now)).await);
    world.clock.advance(HOUR);
    let later = world.now_ms();
    world.net.keys("a.example", &["1"], &[], later + 1000);
    assert!(world.finds("a.example", "1", Some(later)).await);
    assert_eq!(world.net.requests(), [ASK_A, ASK_A]);
}

/// A key that its server takes back counts no more.
#[tokio::test]
async fn the_newest_word_of_a_server_counts() {
    let world = World::new().await;
    let now = world.now_ms();
    world.net.keys("a.example", &["1"], &[], now + 1_000_000);
    assert!(world.finds("a.example", "1", Some(now + 500)).await);
    world.clock.advance(HOUR);
    let old = [("1", now + 100)];
    world.net.keys("a.example", &["2"], &old, now + 10_000_000);
    assert!(world.finds("a.example", "2", Some(world.now_ms())).await);
    assert!(!world.finds("a.example", "1", Some(now + 500)).await);
    assert!(world.finds("a.example", "1", Some(now + 100)).await);
}

#[tokio::test]
async fn an_unknown_key_of_a_known_server_is_asked_for_once() {
    let world = World::new().await;
    let now = world.now_ms();
    world.net.keys("a.example", &["1"], &[], now + 100_000_000);
    assert!(world.finds("a.example", "1", Some(now)).await);
    world.net.requests();
    world.clock.advance(HOUR);
    for version in ["x", "y", "x"] {
        assert!(!world.finds("a.example", version, None).await);
    }
    assert_eq!(world.net.requests(), [ASK_A]);
    world.clock.advance(Duration::from_mins(5));
    assert!(!world.finds("a.example", "x", None).await);
    assert_eq!(world.net.requests(), [ASK_A]);
}

#[tokio::test]
async fn a_server_that_is_gone_costs_less_and_less() {
    let world = World::new().await;
    for minutes in [1, 1, 1, 1, 1, 2, 4, 8, 16, 30, 30] {
        for _ in 0..3 {
            assert!(!world.finds("a.example", "1", None).await);
        }
        assert_eq!(world.net.requests(), [ASK_A]);
        world.clock.advance(Duration::from_secs(60 * minutes - 1));
        assert!(!world.finds("a.example", "1", None).await);
        assert!(world.net.requests().is_empty());
        world.clock.advance(Duration::from_secs(1));
    }
    let valid_until = world.now_ms() + 1000;
    world.net.keys("a.example", &["1"], &[], valid_until);
    assert!(world.finds("a.example", "1", None).await);
}

#[tokio::test]
async fn keys_may_come_until_a_server_has_answered_or_been_silent_for_long() {
    let world = World::new().await;
    let may_come = || world.keys.may_still_come(server_name!("a.example"));
    assert!(may_come());
    for _ in 0..5 {
        assert!(!world.finds("a.example", "1", None).await);
        world.clock.advance(Duration::from_mins(1));
        assert!(may_come());
    }
    assert!(!world.finds("a.example", "1", None).await);
    assert!(!may_come());
    world.clock.advance(HOUR);
    let valid_until = world.now_ms() + 1000;
    world.net.keys("a.example", &["1"], &[], valid_until);
    assert!(!world.finds("a.example", "other", None).await);
    assert!(!may_come());
}

#[tokio::test]
async fn many_who_need_one_key_ask_once() {
    let world = World::new().await;
    let now = world.now_ms();
    world.net.keys("a.example", &["1"], &[], now + 1000);
    let found = tokio::join!(
        world.finds("a.example", "1", Some(now)),
        world.finds("a.example", "1", None),
        world.finds("a.example", "1", Some(now)),
    );
    assert_eq!(found, (true, true, true));
    assert_eq!(world.net.requests(), [ASK_A]);
}

#[tokio::test]
async fn who_gives_up_leaves_the_question_open() {
    let world = World::new().await;
    let now = world.now_ms();
    world.net.keys("a.example", &["1"], &[], now + 1000);
    let gate = Arc::new(Notify::new());
    *world.net.gate.lock() = Some(gate.clone());
    let mut given_up = Box::pin(world.finds("a.example", "1", Some(now)));
    tokio::select! {
        biased;
        _ = &mut given_up => panic!("nobody has answered"),
        () = world.net.has_been_asked(1) => {}
    }
    drop(given_up);
    gate.notify_one();
    assert!(world.finds("a.example", "1", Some(now)).await);
    assert_eq!(world.net.requests(), [ASK_A]);
}

#[tokio::test]
async fn servers_are_asked_side_by_side() {
    let world = World::new().await;
    let now = world.now_ms();
    let names: Vec<_> = (0..5).map(|number| format!("s{number}.example")).collect();
    for name in &names {
        world.net.keys(name, &["1"], &[], now + 1000);
    }
    let gate = Arc::new(Notify::new());
    *world.net.gate.lock() = Some(gate.clone());
    let needs: Vec<_> = names.iter().map(|name| need(name, "1", None)).collect();
    let all_asked = async {
        world.net.has_been_asked(names.len()).await;
        gate.notify_waiters();
    };
    let (found, ()) = tokio::join!(world.keys.find(&needs), all_asked);
    assert_eq!(found.len(), names.len());
}

#[tokio::test]
async fn answers_that_lie_or_have_no_end_are_not_believed() {
    let world = World::new().await;
    let now = world.now_ms();
    let foreign = answer("b.example", &["1"], &[], now + 1000);
    world.net.server("a.example", move |_| foreign.clone());
    assert!(!world.finds("a.example", "1", None).await);
    let mut long = answer("c.example", &["1"], &[], now + 1000);
    long["padding"] = json!("x".repeat(64 * 1024));
    let long = signed(long, "c.example", &key("c.example", "1"));
    world.net.server("c.example", move |_| long.clone());
    assert!(!world.finds("c.example", "1", None).await);
}

#[tokio::test]
async fn servers_that_are_denied_are_not_asked() {
    let world = World::with(FederationSettings {
        deny: vec!["a.example".to_owned()],
        ..FederationSettings::default()
    })
    .await;
    let valid_until = world.now_ms() + 1000;
    world.net.keys("a.example", &["1"], &[], valid_until);
    assert!(!world.finds("a.example", "1", None).await);
    assert!(world.net.requests().is_empty());
}

#[tokio::test]
async fn ids_that_no_key_can_have_are_not_asked_for() {
    let world = World::new().await;
    let mut need = need("a.example", "1", None);
    need.key_id = format!("ed25519:{}", "x".repeat(1000));
    assert!(world.keys.find(&[need.clone()]).await.is_empty());
    need.key_id = "rsa:1".to_owned();
    assert!(world.keys.find(&[need]).await.is_empty());
    assert!(world.net.requests().is_empty());
}

#[tokio::test]
async fn our_own_keys_are_known_until_they_end() {
    let world = World::new().await;
    let now = world.now_ms();
    let row = |version: &str, expired_ms| signing_keys::SigningKeyRow {
        key_version: version.to_owned(),
        seed: Bytes::copy_from_slice(&seed_of("here.example", version)),
        created_ms: 0,
        expired_ms,
    };
    let mut first = myelin_store::WriteSet::new();
    signing_keys::insert_first(&mut first, &row("old", None));
    world.store.commit(first).await.unwrap();
    let mut second = myelin_store::WriteSet::new();
    let old = row("old", Some(now.cast_signed()));
    signing_keys::rotate(&mut second, &[old], &row("here", None));
    world.store.commit(second).await.unwrap();
    assert!(world.finds("here.example", "here", Some(now)).await);
    assert!(world.finds("here.example", "old", Some(now)).await);
    assert!(!world.finds("here.example", "old", Some(now + 1)).await);
    assert!(!world.finds("here.example", "none", None).await);
    assert!(world.net.requests().is_empty());
}

fn seed_of(server: &str, version: &str) -> [u8; 32] {
    let seed = server.bytes().chain(version.bytes());
    [seed.fold(1, |seed: u8, byte| seed.wrapping_mul(31) ^ byte); 32]
}

/// How often something has happened.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
