//! Stores for the unit tests: a database of each engine with two nodes on it. The embedded engine
//! has one node, which then goes by both names.

use myelin_testdb::{Cluster, Database};
use tempfile::TempDir;

use crate::{DatabaseUrl, Store, StoreOptions};

pub(crate) struct Nodes {
    pub(crate) one: Store,
    pub(crate) two: Store,
    url: DatabaseUrl,
    place: Place,
}

/// What goes when the test ends.
type Place = (Option<TempDir>, Option<Database<'static>>);

impl Nodes {
    /// The same database, its nodes started again.
    pub(crate) async fn restart(self) -> Self {
        let Self {
            one,
            two,
            url,
            place,
        } = self;
        one.close().await;
        two.close().await;
        drop((one, two));
        Self::open(url, place).await
    }

    async fn open(url: DatabaseUrl, place: Place) -> Self {
        let one = open(&url).await;
        let two = match &url {
            DatabaseUrl::Sqlite(_) => one.clone(),
            DatabaseUrl::Postgres(_) => open(&url).await,
        };
        Self {
            one,
            two,
            url,
            place,
        }
    }

    /// One more node on the same database.
    pub(crate) async fn third(&self) -> Store {
        open(&self.url).await
    }

    pub(crate) fn postgres_url(&self) -> String {
        match &self.url {
            DatabaseUrl::Postgres(url) => url.clone(),
            DatabaseUrl::Sqlite(_) => panic!("the embedded engine"),
        }
    }

    /// Cuts all connections, as a restart of the server would; nothing on the embedded engine.
    pub(crate) fn disconnect_all(&self) {
        if let (_, Some(database)) = &self.place {
            database.disconnect_all();
        }
    }

    /// One node and the other by turns.
    pub(crate) fn by_turns(&self, turn: usize) -> &Store {
        if turn.is_multiple_of(2) {
            &self.one
        } else {
            &self.two
        }
    }

    pub(crate) async fn close(self) {
        self.one.close().await;
        self.two.close().await;
    }
}

/// Each engine that is installed.
pub(crate) async fn both() -> Vec<Nodes> {
    let mut nodes = vec![sqlite().await];
    nodes.extend(postgres().await);
    nodes
}

pub(crate) async fn postgres() -> Option<Nodes> {
    let database = Cluster::shared()?.database();
    let url = DatabaseUrl::Postgres(database.url());
    Some(Nodes::open(url, (None, Some(database))).await)
}

pub(crate) async fn sqlite() -> Nodes {
    let directory = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(directory.path().join("myelin.db"));
    Nodes::open(url, (Some(directory), None)).await
}

async fn open(url: &DatabaseUrl) -> Store {
    let options = StoreOptions::new(url.clone(), "localhost");
    Store::open(options).await.unwrap()
}
