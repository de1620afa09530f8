//! A server of one or two nodes inside the test's process.

mod notifications;
mod start;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Request;
use myelin_accounts::RegistrationSettings;
use myelin_core::environment::Clock;
use myelin_federation_api::FederationApiSettings;
use myelin_http::HttpSettings;
use myelin_net::FederationSettings;
use myelin_rooms::Rooms;
use myelin_store::{DatabaseUrl, Store};
use myelin_testdb::Cluster;
use ruma::OwnedServerName;
use serde_json::Value;
use tokio::{net::TcpListener, sync::Mutex, task::JoinSet};

use crate::{Answer, Measured, Network, TestClock, User, logs, nodes::Nodes, proxy, wait_until};

/// The name of a server that was not given another.
pub const SERVER_NAME: &str = "localhost";

/// What a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One node on a file of its own.
    Sqlite,
    /// One node on a PostgreSQL database of its own.
    Postgres,
    /// Two nodes over one PostgreSQL database; requests alternate between them.
    TwoNodes,
}

/// What an operator could change, as the program has it by default.
#[derive(Clone, Debug, Default)]
pub struct TestSettings {
    /// The HTTP surfaces.
    pub http: HttpSettings,
    /// Which servers are spoken with.
    pub federation: FederationSettings,
    /// What other servers are told.
    pub federation_api: FederationApiSettings,
}

/// A running server. Tests get it from [`three_modes!`](crate::three_modes).
pub struct TestServer {
    name: OwnedServerName,
    network: Arc<Network>,
    mode: Mode,
    /// How many nodes a simulated server has.
    simulated_nodes: Option<usize>,
    nodes: Arc<Nodes>,
    clock: Arc<TestClock>,
    registration: RegistrationSettings,
    /// What the next nodes do.
    settings: parking_lot::Mutex<TestSettings>,
    /// The seed of the next node: no two ever draw the same ids.
    next_seed: AtomicU64,
    /// A store that a killed node had may still be there for a moment.
    was_killed: AtomicBool,
    /// Listeners, if the test asked for some.
    tasks: Mutex<JoinSet<()>>,
    database: Database,
}

/// Where the server's rows are; deleted with this value.
enum Database {
    File(tempfile::TempDir),
    Postgres(myelin_testdb::Database<'static>),
}

impl Database {
    fn url(&self) -> DatabaseUrl {
        match self {
            Self::File(directory) => DatabaseUrl::Sqlite(directory.path().join("myelin.db")),
            Self::Postgres(database) => DatabaseUrl::Postgres(database.url()),
        }
    }
}

impl TestServer {
    /// Starts a server on an empty database. None: it needs PostgreSQL, which is not installed.
    pub async fn start(mode: Mode) -> Option<Self> {
        Self::start_registering(mode, open()).await
    }

    /// As [`TestServer::start`], but nobody may register.
    pub async fn start_closed(mode: Mode) -> Option<Self> {
        Self::start_registering(mode, RegistrationSettings::default()).await
    }

    /// As [`TestServer::start`], but with these rules of who may register.
    pub async fn start_registering(mode: Mode, registration: RegistrationSettings) -> Option<Self> {
        Self::start_new(Self::new(mode, registration, 1)?).await
    }

    /// A server of this name in a network with others.
    pub async fn start_in(network: &Arc<Network>, name: &str, mode: Mode) -> Option<Self> {
        let mut server = Self::new(mode, open(), 1)?;
        server.name = name.try_into().expect("the name is valid");
        server.network = network.clone();
        Self::start_new(server).await
    }

    async fn start_new(server: Self) -> Option<Self> {
        server.start_nodes().await;
        Some(server)
    }

    /// Nodes over one file, whose commits happen in simulated time and whose chance comes from the
    /// seed. Notaries are asked for the keys of servers that do not answer.
    pub(crate) async fn start_simulated(
        network: &Arc<Network>,
        name: &str,
        (nodes, seed): (usize, u64),
        notaries: Vec<OwnedServerName>,
    ) -> Self {
        let mut server = Self::new(Mode::Sqlite, open(), seed).expect("a file needs no PostgreSQL");
        server.settings.get_mut().federation.trusted_key_servers = notaries;
        server.database = Database::File(folder_in_memory());
        server.name = name.try_into().expect("the name is valid");
        server.network = network.clone();
        server.simulated_nodes = Some(nodes);
        server.clock.go();
        server.start_nodes().await;
        server
    }

    fn new(mode: Mode, registration: RegistrationSettings, seed: u64) -> Option<Self> {
        logs::collect();
        let database = match mode {
            Mode::Sqlite => Database::File(tempfile::tempdir().expect("a temporary directory")),
            Mode::Postgres | Mode::TwoNodes => Database::Postgres(Cluster::shared()?.database()),
        };
        Some(Self {
            name: SERVER_NAME.try_into().expect("the name is valid"),
            network: Arc::default(),
            mode,
            simulated_nodes: None,
            nodes: Arc::default(),
            clock: Arc::default(),
            registration,
            settings: parking_lot::Mutex::default(),
            next_seed: AtomicU64::new(seed),
            was_killed: AtomicBool::new(false),
            tasks: Mutex::default(),
            database,
        })
    }

    /// The server's name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The network that the server is in: one of its own, if it was not started in another.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// What the server runs on.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Registers a user; the name is the localpart.
    pub async fn user(&self, name: &str) -> User {
        User::register(&self.nodes, name).await
    }

    /// The user whom an answer to a registration or a login is about.
    pub fn user_from(&self, answer: &Value) -> User {
        User::from_answer(&self.nodes, answer)
    }

    /// GET without a session; the path is whole.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(whole(Request::get(path), "")).await
    }

    /// POST without a session.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    /// POST of what need not be JSON.
    pub async fn post_text(&self, path: &str, body: &str) -> Answer {
        self.call(whole(Request::post(path), body)).await
    }

    /// Any request, as it is.
    pub async fn call(&self, request: Request<String>) -> Answer {
        self.nodes.call(request).await
    }

    /// The pieces in which the answer to a `GET` by a user is written; the path is whole.
    pub async fn pieces(&self, user: &User, path: &str) -> Vec<String> {
        let request = Request::get(path).header("Authorization", format!("Bearer {}", user.token));
        self.nodes.pieces(whole(request, "")).await
    }

    pub(crate) async fn measure(&self, request: Request<String>) -> Measured {
        self.nodes.measure(request).await
    }

    /// The clock of all nodes.
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The time on it.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// As [`crate::wait_until`], while time passes on the clock, much faster than it does outside.
    ///
    /// Moving the clock once before waiting is not enough where something may be under way: the
    /// pause after an attempt that fails only now begins only now, and would never be over.
    #[track_caller]
    pub fn wait_while_time_passes(
        &self,
        what: &str,
        mut condition: impl AsyncFnMut() -> bool,
    ) -> impl Future<Output = ()> {
        wait_until(what, async move || {
            let is_met = condition().await;
            if !is_met {
                self.clock.advance(Duration::from_secs(1));
            }
            is_met
        })
    }

    /// The store of each node, for tests that count what it does.
    pub fn stores(&self) -> Vec<Store> {
        let nodes = self.nodes.all();
        nodes.iter().map(|node| node.app.store.clone()).collect()
    }

    /// The use cases of the first node, for tests that need a large room or many rooms quickly.
    pub fn rooms(&self) -> Rooms {
        self.nodes.all()[0].rooms.clone()
    }

    /// An error or a panic whose text contains this does not fail the test.
    pub fn expect_error(&self, text: &str) {
        logs::expect(text);
    }

    /// Serves on a real socket; with several nodes, a proxy there gives each request to the next.
    pub async fn listen(&self) -> SocketAddr {
        let mut tasks = self.tasks.lock().await;
        let mut addresses = Vec::new();
        for node in self.nodes.all().iter() {
            let (listener, address) = bind().await;
            let (router, shutdown) = (node.router.clone(), node.app.shutdown.clone());
            tasks.spawn(myelin_http::serve(
                listener,
                None,
                router,
                Arc::default(),
                shutdown,
            ));
            addresses.push(address);
        }
        if let [address] = addresses[..] {
            return address;
        }
        let (listener, address) = bind().await;
        tasks.spawn(async move {
            if let Err(error) = proxy::serve(listener, &addresses).await {
                tracing::error!(%error, "the proxy ended");
            }
        });
        address
    }

    /// Ends the nodes as a signal would, and starts new ones on the same database. Users go on
    /// with their sessions; sockets are gone.
    pub async fn restart(&self) {
        self.stop_nodes().await;
        self.start_nodes().await;
    }

    /// Ends all nodes at once, as `SIGKILL` would: what goes on in the background is cut off where
    /// it is, and who waits for an answer gets none. Of a simulated server, what was not committed
    /// is lost, too.
    pub async fn kill(&self) {
        self.was_killed.store(true, Ordering::Relaxed);
        let nodes = self.nodes.replace(Vec::new());
        for node in nodes.iter() {
            node.kill().await;
        }
    }

    /// Ends one of the nodes so, while the others go on.
    pub async fn kill_node(&self, index: usize) {
        self.was_killed.store(true, Ordering::Relaxed);
        let node = self.nodes.take(index);
        node.kill().await;
        if self.simulated_nodes.is_some() {
            // It may have been about to commit what the others have queued in the same store.
            node.app.store.drive();
        }
    }

    /// Starts a server that was killed.
    pub async fn start_again(&self) {
        self.start_nodes().await;
    }

    /// Any request to a server that may not be running, or may be killed meanwhile: then None.
    pub async fn try_call(&self, request: Request<String>) -> Option<Answer> {
        self.nodes.try_call(request).await
    }

    /// As [`TestServer::restart`], with another configuration of the HTTP surfaces.
    pub async fn restart_with(&self, settings: HttpSettings) {
        self.restart_changed(|all| all.http = settings).await;
    }

    /// As [`TestServer::restart`], with another configuration.
    pub async fn restart_changed(&self, change: impl FnOnce(&mut TestSettings)) {
        change(&mut self.settings.lock());
        self.restart().await;
    }

    /// Ends the nodes, and fails if something was logged as an error, or panicked, that the test
    /// did not expect.
    pub async fn stop(self) {
        self.stop_nodes().await;
        let mut unexpected = logs::take_unexpected();
        // Another server may ask for something until the end.
        unexpected.retain(|error| !error.contains("the store is closed"));
        assert!(
            unexpected.is_empty(),
            "errors behind the test's back: {unexpected:#?}"
        );
    }
}

/// A folder that costs no flush of a disk, where the system has one: what a simulation kills is
/// never the machine.
fn folder_in_memory() -> tempfile::TempDir {
    let found = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    found.expect("a temporary directory")
}

/// Anybody may register.
fn open() -> RegistrationSettings {
    RegistrationSettings {
        open: true,
        ..RegistrationSettings::default()
    }
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    (listener, address)
}

fn whole(request: http::request::Builder, body: &str) -> Request<String> {
    request
        .body(body.to_owned())
        .expect("a test gives a valid path")
}
