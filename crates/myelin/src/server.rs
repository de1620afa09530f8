//! The wiring: from a configuration to a server that answers, and back to nothing.

use std::{error::Error, fs, net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::Router;
use myelin_accounts::{
    AccountSettings, ImportedKey, RegistrationSettings, Terms, find_or_make_signing_key,
};
use myelin_client_api::{ClientApi, ClientApiSettings};
use myelin_core::{
    environment::{Chance, Clock},
    ids::new_user_id,
    server::Server,
    signing_key::SigningKey,
};
use myelin_delivery::{Delivery, Notifications};
use myelin_federation_api::{FederationApi, FederationApiSettings};
use myelin_http::{App, HttpSettings, Network, RateLimits, Support, finish};
use myelin_rooms::{Rooms, ServerNotices};
use myelin_store::{DatabaseUrl, Store, StoreOptions, signing_keys};
use tokio::task::JoinSet;

use crate::{
    chores,
    config::{self, ListenerSettings, Resource, Settings},
    listening::Bound,
    metrics, network,
    system::{SystemChance, SystemClock},
    tls::Certificate,
};

/// The world that a server runs in.
pub struct Environment {
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Its random numbers.
    pub chance: Arc<dyn Chance>,
}

impl Environment {
    /// The real one.
    pub fn system() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance),
        }
    }
}

/// A server that answers. To be stopped with [`Running::stop`]: when dropped, it cuts its
/// connections.
pub struct Running {
    app: App,
    rooms: Rooms,
    addresses: Vec<SocketAddr>,
    certificates: Vec<Arc<Certificate>>,
    listeners: JoinSet<()>,
    /// What goes on without requests; it ends with the shutdown.
    background: JoinSet<()>,
}

/// Starts a server. When this returns, its listeners answer; when it fails, none ever did.
pub async fn run(settings: &Settings, environment: Environment) -> anyhow::Result<Running> {
    // What is cheap to find out comes before the database is touched.
    let bound = settings
        .listeners
        .iter()
        .map(Bound::new)
        .collect::<Result<Vec<_>, _>>()?;
    let client_api_settings = client_api_settings(settings)?;
    let store = open_store(settings).await?;
    let app = match make_app(settings, environment, store.clone()).await {
        Ok(app) => app,
        Err(error) => {
            store.close().await;
            return Err(error);
        }
    };
    let api = ClientApi::new(app.clone(), client_api_settings);
    let mut background = JoinSet::new();
    let (rooms, shutdown) = (api.rooms.clone(), app.shutdown.clone());
    background.spawn(async move { rooms.work_off_jobs(shutdown.begun()).await });
    let (sender, shutdown) = (api.clone(), app.shutdown.clone());
    background.spawn(async move { sender.send_delayed_events(shutdown.begun()).await });
    let (rooms, shutdown) = (api.rooms.clone(), app.shutdown.clone());
    background.spawn(async move { rooms.work_off_inbox(shutdown.begun()).await });
    let (delivery, shutdown) = (Delivery::new(&api.rooms), app.shutdown.clone());
    background.spawn(async move { delivery.run(shutdown.begun()).await });
    let (notifications, shutdown) = (Notifications::new(&api.rooms), app.shutdown.clone());
    background.spawn(async move { notifications.run(shutdown.begun()).await });
    background.spawn(chores::run(app.clone(), api.rooms.clone()));
    let federation = FederationApi {
        app: app.clone(),
        rooms: api.rooms.clone(),
        settings: Arc::new(federation_api_settings(settings)),
    };
    let all_rooms = api.rooms.clone();
    let routers = Routers::new(&app, api, federation);
    let mut running = Running {
        app,
        rooms: all_rooms,
        addresses: Vec::new(),
        certificates: Vec::new(),
        listeners: JoinSet::new(),
        background,
    };
    for (bound, listener) in bound.into_iter().zip(&settings.listeners) {
        if let Err(error) = running.listen(bound, listener, routers.of(listener)) {
            running.stop().await;
            return Err(error);
        }
    }
    Ok(running)
}

impl Running {
    /// Where each listener answers, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Applies what can change at run time, and reads the certificates again.
    pub fn apply(&self, settings: &Settings) {
        self.app
            .accounts
            .set_registration_open(settings.registration.open);
        for certificate in &self.certificates {
            if let Err(error) = certificate.reload() {
                tracing::error!(error = &error as &dyn Error, "the old certificate stays");
            }
        }
    }

    /// Stops listening, lets what is in flight finish for a few seconds, jobs too, and closes the
    /// database.
    pub async fn stop(mut self) {
        self.app.shutdown.begin();
        while self.listeners.join_next().await.is_some() {}
        while self.background.join_next().await.is_some() {}
        self.rooms.end();
        self.app.store.close().await;
    }

    fn listen(
        &mut self,
        bound: Bound,
        settings: &ListenerSettings,
        router: Router,
    ) -> anyhow::Result<()> {
        let trusted = settings.trusted_proxies.iter();
        let trusted: Vec<Network> = trusted.map(|text| text.parse()).collect::<Result<_, _>>()?;
        let tls = bound
            .certificate
            .as_ref()
            .map(Certificate::server_config)
            .transpose()?;
        self.certificates.extend(bound.certificate.clone());
        let listener = bound.listen()?;
        self.addresses.push(listener.local_addr()?);
        let shutdown = self.app.shutdown.clone();
        self.listeners.spawn(myelin_http::serve(
            listener,
            tls,
            router,
            trusted.into(),
            shutdown,
        ));
        Ok(())
    }
}

/// What listeners can be given.
struct Routers {
    app: App,
    client: Router,
    federation: Router,
    well_known: Router,
    admin: Router,
    metrics: Router,
}

impl Routers {
    fn new(app: &App, api: ClientApi, federation: FederationApi) -> Self {
        Self {
            app: app.clone(),
            well_known: myelin_federation_api::well_known_router(federation.clone()),
            federation: myelin_federation_api::router(federation),
            metrics: metrics::router(app.clone(), api.rooms.clone()),
            client: myelin_client_api::router(api.clone()),
            admin: myelin_client_api::admin_router(api),
        }
    }

    /// Every listener answers `/health`; the media resource has no endpoints so far.
    fn of(&self, listener: &ListenerSettings) -> Router {
        let mut surfaces = Router::new();
        if listener.resources.contains(&Resource::Client) {
            surfaces = surfaces.merge(self.client.clone());
        }
        if listener.resources.contains(&Resource::Federation) {
            surfaces = surfaces.merge(self.federation.clone());
        } else if listener.resources.contains(&Resource::Client) {
            surfaces = surfaces.merge(self.well_known.clone());
        }
        if listener.resources.contains(&Resource::Admin) {
            surfaces = surfaces.merge(self.admin.clone());
        }
        if listener.resources.contains(&Resource::Metrics) {
            surfaces = surfaces.merge(self.metrics.clone());
        }
        finish(self.app.clone(), surfaces)
    }
}

pub(crate) async fn open_store(settings: &Settings) -> anyhow::Result<Store> {
    let url = DatabaseUrl::parse(settings.database.url.expose());
    let url = url.context("the configuration was checked")?;
    if let DatabaseUrl::Sqlite(path) = &url
        && let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).with_context(|| {
            format!("cannot use the folder {} of the database", folder.display())
        })?;
    }
    Ok(Store::open(StoreOptions::new(url, settings.server_name.as_str())).await?)
}

async fn make_app(
    settings: &Settings,
    environment: Environment,
    store: Store,
) -> anyhow::Result<App> {
    let Environment { clock, chance } = environment;
    let server = Server {
        name: settings.server_name.clone(),
        key: signing_key(settings, &store, &*clock, &*chance).await?,
        clock,
        chance,
    };
    let accounts = account_settings(settings);
    let http = HttpSettings {
        base_url: settings.public_base_url.trim_end_matches('/').to_owned(),
        federation_delegate: settings.federation.delegate.clone(),
        support: support(&settings.support),
        policy_server_key: settings.policy_server.public_key.clone(),
        presence: settings.presence.enabled,
        rate_limits: rate_limits(&settings.rate_limits)?,
        ..HttpSettings::default()
    };
    let server = Arc::new(server);
    let federation = network::federation(&settings.federation, &server, &store)?;
    let outbound = network::outbound(settings.outbound)?;
    Ok(App::new(
        server,
        store,
        Arc::new(accounts),
        http,
        (federation, outbound),
    ))
}

fn rate_limits(settings: &config::RateLimitSettings) -> anyhow::Result<Option<RateLimits>> {
    let limits = RateLimits {
        login: settings.login.parse()?,
        failed_login: settings.failed_login.parse()?,
        registration: settings.registration.parse()?,
        messages: settings.messages.parse()?,
        joins: settings.joins.parse()?,
        invites: settings.invites.parse()?,
        room_creation: settings.room_creation.parse()?,
        reports: settings.reports.parse()?,
        federation: settings.federation.parse()?,
        other: settings.other.parse()?,
    };
    Ok(settings.enabled.then_some(limits))
}

fn support(settings: &config::SupportSettings) -> Support {
    Support {
        page: settings.page.clone(),
        admin_matrix_id: settings.admin_matrix_id.clone(),
        admin_email: settings.admin_email.clone(),
        security_email: settings.security_email.clone(),
    }
}

/// What the configuration says about accounts.
pub(crate) fn account_settings(settings: &Settings) -> AccountSettings {
    let config::RegistrationSettings {
        open,
        guests,
        shared_secret,
        terms_url,
        terms_name,
        terms_version,
        password_cost,
    } = &settings.registration;
    let is_given = |text: &str| !text.is_empty();
    let registration = RegistrationSettings {
        open: *open,
        guests: *guests,
        shared_secret: is_given(shared_secret.expose()).then(|| shared_secret.expose().to_owned()),
        terms: is_given(terms_url).then(|| Terms {
            name: terms_name.clone(),
            url: terms_url.clone(),
            version: terms_version.clone(),
        }),
        reserved: Vec::from_iter(
            is_given(&settings.server_notices.localpart)
                .then(|| settings.server_notices.localpart.clone()),
        ),
    };
    let cost = match password_cost {
        config::PasswordCost::Default => myelin_accounts::PasswordCost::Default,
        config::PasswordCost::Low => myelin_accounts::PasswordCost::Low,
    };
    AccountSettings::new(registration, cost)
}

fn client_api_settings(settings: &Settings) -> anyhow::Result<ClientApiSettings> {
    let default_room_version = settings.rooms.default_version.clone();
    let config::ServerNoticeSettings {
        localpart,
        display_name,
    } = &settings.server_notices;
    let server_notices = if localpart.is_empty() {
        None
    } else {
        let sender = new_user_id(localpart, &settings.server_name);
        Some(ServerNotices {
            sender: sender.context("server_notices.localpart")?,
            display_name: display_name.clone(),
            room_version: default_room_version.clone(),
        })
    };
    Ok(ClientApiSettings {
        default_room_version,
        public_rooms_without_login: settings.directory.public_without_login,
        server_notices,
    })
}

fn federation_api_settings(settings: &Settings) -> FederationApiSettings {
    FederationApiSettings {
        public_rooms: settings.directory.public_over_federation,
    }
}

pub(crate) async fn signing_key(
    settings: &Settings,
    store: &Store,
    clock: &dyn Clock,
    chance: &dyn Chance,
) -> anyhow::Result<SigningKey> {
    let file = &settings.signing_key_file;
    // After the first start the file may be gone: it is the database's copy that counts.
    let is_first_start = signing_keys::find_newest(&mut store.read())
        .await?
        .is_none();
    let import = if is_first_start && !file.as_os_str().is_empty() {
        let named = || format!("cannot import the signing key {}", file.display());
        let text = fs::read_to_string(file).with_context(named)?;
        Some(ImportedKey::parse(&text).with_context(named)?)
    } else {
        None
    };
    Ok(find_or_make_signing_key(store, clock, chance, import).await?)
}
