//! How the nodes of a server are made and ended.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use myelin_accounts::{AccountSettings, PasswordCost, find_or_make_signing_key};
use myelin_client_api::{ClientApi, ClientApiSettings};
use myelin_core::server::Server;
use myelin_delivery::{Delivery, Notifications};
use myelin_federation_api::FederationApi;
use myelin_http::App;
use myelin_net::{Federation, Outbound};
use myelin_rooms::ServerNotices;
use myelin_store::{OpenError, Store, StoreOptions};
use ruma::{OwnedServerName, RoomVersionId};
use tokio::{sync::Mutex, task::JoinSet};

use super::{Mode, TestServer};
use crate::{
    SeededChance,
    network::Site,
    nodes::{Node, drive},
};

impl TestServer {
    pub(super) async fn start_nodes(&self) {
        let count = match self.simulated_nodes {
            Some(count) => count,
            None if self.mode == Mode::TwoNodes => 2,
            None => 1,
        };
        let mut nodes: Vec<Arc<Node>> = Vec::new();
        for _ in 0..count {
            // The nodes of a simulated server share one store, for only one can have the file.
            let shared = nodes.first().filter(|_| self.simulated_nodes.is_some());
            let store = match shared.map(|node| node.app.store.clone()) {
                Some(store) => store,
                None => self.open_store(count > 1).await,
            };
            nodes.push(Arc::new(self.start_node(store).await));
        }
        self.nodes.replace(nodes);
        let site = Arc::downgrade(&(self.nodes.clone() as Arc<dyn Site>));
        self.network.join(self.name.as_str(), site);
    }

    async fn open_store(&self, several_nodes: bool) -> Store {
        let mut options = StoreOptions::new(self.database.url(), self.name.as_str());
        options.driven = self.simulated_nodes.is_some();
        options.several_nodes = several_nodes && options.driven;
        let was_killed = options.driven || self.was_killed.load(Ordering::Relaxed);
        loop {
            match Store::open(options.clone()).await {
                // Requests to a node that was killed go on until they notice it.
                Err(OpenError::InUse(_)) if was_killed => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                opened => return opened.expect("the test's database opens"),
            }
        }
    }

    async fn start_node(&self, store: Store) -> Node {
        let mut driver = JoinSet::new();
        if self.simulated_nodes.is_some() {
            driver.spawn(drive(store.clone()));
        }
        let clock = self.clock.clone();
        let chance = Arc::new(SeededChance::new(
            self.next_seed.fetch_add(1, Ordering::Relaxed),
        ));
        let key = find_or_make_signing_key(&store, &*clock, &*chance, None).await;
        let key = key.expect("the database takes a key");
        let server = Arc::new(Server {
            name: self.name.clone(),
            key,
            clock,
            chance,
        });
        let settings = self.settings.lock().clone();
        let accounts = AccountSettings::new(self.registration.clone(), PasswordCost::Low);
        let network = Arc::new(self.network.transport(&self.name));
        let outbound = Outbound::new(network.clone());
        let federation =
            Federation::new(server.clone(), store.clone(), network, settings.federation);
        let ways = (federation, outbound);
        let app = App::new(server, store, Arc::new(accounts), settings.http, ways);
        let api = ClientApi::new(app.clone(), client_api_settings(&self.name));
        let rooms = api.rooms.clone();
        let (worker, shutdown) = (rooms.clone(), app.shutdown.clone());
        let mut background = JoinSet::new();
        background.spawn(async move { worker.work_off_jobs(shutdown.begun()).await });
        let (worker, shutdown) = (api.clone(), app.shutdown.clone());
        background.spawn(async move { worker.send_delayed_events(shutdown.begun()).await });
        let (worker, shutdown) = (rooms.clone(), app.shutdown.clone());
        background.spawn(async move { worker.work_off_inbox(shutdown.begun()).await });
        let (delivery, shutdown) = (Delivery::new(&rooms), app.shutdown.clone());
        background.spawn(async move { delivery.run(shutdown.begun()).await });
        let notifications = Notifications::new(&rooms);
        let (follower, shutdown) = (notifications.clone(), app.shutdown.clone());
        let counting = background.spawn(async move { follower.run(shutdown.begun()).await });
        let tools = myelin_client_api::admin_router(api.clone());
        let federation = FederationApi {
            app: app.clone(),
            rooms: rooms.clone(),
            settings: Arc::new(settings.federation_api),
        };
        let surfaces = myelin_client_api::router(api)
            .merge(tools)
            .merge(myelin_federation_api::router(federation));
        let router = myelin_http::finish(app.clone(), surfaces);
        let background = Mutex::new(background);
        Node {
            app,
            rooms,
            notifications,
            counting,
            router,
            background,
            driver: Mutex::new(driver),
            killed: Arc::default(),
        }
    }

    pub(super) async fn stop_nodes(&self) {
        let nodes = self.nodes.replace(Vec::new());
        for node in nodes.iter() {
            node.app.shutdown.begin();
        }
        self.tasks.lock().await.shutdown().await;
        for node in nodes.iter() {
            node.background_ended().await;
            node.rooms.end();
        }
        for node in nodes.iter() {
            node.driver.lock().await.shutdown().await;
            node.app.store.close().await;
        }
    }
}

/// What the program has by default, and server notices.
fn client_api_settings(server_name: &OwnedServerName) -> ClientApiSettings {
    let sender = format!("@notices:{server_name}");
    ClientApiSettings {
        server_notices: Some(ServerNotices {
            sender: sender.try_into().expect("the name is valid"),
            display_name: "Server notices".to_owned(),
            room_version: RoomVersionId::V12,
        }),
        ..ClientApiSettings::default()
    }
}
