//! The values that every handler works with.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::{Method, request::Parts};
use myelin_accounts::{AccountSettings, Session};
use myelin_core::server::Server;
use myelin_net::{Federation, Outbound};
use myelin_store::{Store, StoreResult};
use ruma::ServerName;

use crate::{RateLimits, RequestMetrics, Shutdown, rate_limits::Limiter};

/// What an operator may change about the HTTP surfaces.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where clients reach this server, without a slash at the end.
    pub base_url: String,
    /// Which server other servers are sent to when they look for this one; empty: none.
    pub federation_delegate: String,
    /// Who helps the users of this server.
    pub support: Support,
    /// The public key of a policy server of this name; empty: there is none.
    pub policy_server_key: String,
    /// Bodies above this size are refused before they are parsed.
    pub body_bytes_max: usize,
    /// Whether users are told who is there.
    pub presence: bool,
    /// How often one may ask; None: as often as one likes.
    pub rate_limits: Option<RateLimits>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            base_url: "http://localhost:8008".to_owned(),
            federation_delegate: String::new(),
            support: Support::default(),
            policy_server_key: String::new(),
            body_bytes_max: 1024 * 1024,
            presence: true,
            rate_limits: None,
        }
    }
}

/// Who helps the users of a server; what is empty is not told.
#[derive(Clone, Debug, Default)]
pub struct Support {
    /// The address of a page.
    pub page: String,
    /// The user id of an administrator, perhaps of another server.
    pub admin_matrix_id: String,
    /// The e-mail address of an administrator.
    pub admin_email: String,
    /// The e-mail address for reports about the server's security.
    pub security_email: String,
}

/// Made once in `main`; cloned for each request.
#[derive(Clone)]
pub struct App {
    /// Name, signing key, clock and chance.
    pub server: Arc<Server>,
    /// The database.
    pub store: Store,
    /// The way to other servers.
    pub federation: Federation,
    /// The way to others than servers.
    pub outbound: Outbound,
    /// Who may register, and how passwords are hashed.
    pub accounts: Arc<AccountSettings>,
    /// What the operator set.
    pub settings: Arc<HttpSettings>,
    /// Begins when the process is asked to end; whoever waits long listens to it.
    pub shutdown: Shutdown,
    /// What is counted of the requests.
    pub requests: RequestMetrics,
    pub(crate) limiter: Arc<Limiter>,
    request_ids: Arc<RequestIds>,
}

impl App {
    /// Puts the parts together, and lets time pass for what the store keeps in memory.
    pub fn new(
        server: Arc<Server>,
        store: Store,
        accounts: Arc<AccountSettings>,
        settings: HttpSettings,
        (federation, outbound): (Federation, Outbound),
    ) -> Self {
        store.keep_time(server.clock.clone());
        let request_ids = Arc::new(RequestIds {
            prefix: server.random_letters(4),
            next: AtomicU64::new(1),
        });
        Self {
            server,
            store,
            federation,
            outbound,
            accounts,
            limiter: Arc::new(Limiter::new(settings.rate_limits.clone())),
            settings: Arc::new(settings),
            shutdown: Shutdown::new(),
            requests: RequestMetrics::new(),
            request_ids,
        }
    }

    /// Notes that a user has done something, which keeps the user's presence from going idle.
    pub(crate) fn note_act(&self, session: &Session, parts: &Parts) {
        let path = parts.uri.path();
        let acts = parts.method != Method::GET
            && ["/rooms/", "/join/", "/createRoom"]
                .iter()
                .any(|part| path.contains(part));
        if acts && self.settings.presence {
            let now_ms = i64::try_from(self.server.now_ms()).unwrap_or(i64::MAX);
            let device = session.device.as_str();
            self.store
                .live()
                .note_act(now_ms, session.user_number, device);
        }
    }

    /// Notes that another server has made a request, so that it is sent again what it could not be
    /// sent. One of which no room here has ever heard is owed nothing.
    pub(crate) async fn note_heard(&self, origin: &ServerName) -> StoreResult<()> {
        if let Some(server) = self.store.find_interned(origin.as_bytes()).await? {
            let now_ms = i64::try_from(self.server.now_ms()).unwrap_or(i64::MAX);
            self.store.live().note_heard(now_ms, server);
        }
        Ok(())
    }

    /// An id that is unique in the logs of all nodes: letters drawn at start, then a count.
    pub(crate) fn next_request_id(&self) -> String {
        let number = self.request_ids.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.request_ids.prefix)
    }
}

struct RequestIds {
    prefix: String,
    next: AtomicU64,
}
