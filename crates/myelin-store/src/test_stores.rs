//! Stores for the unit tests: a database of each engine with two nodes on it. The embedded engine
//! has one node, which then goes by both names.

use tempfile::TempDir;

use crate::{DatabaseUrl, Store, StoreOptions};

pub(crate) struct Nodes {
    pub(crate) one: Store,
    pub(crate) two: Store,
    url: DatabaseUrl,
    _directory: Option<TempDir>,
}

impl Nodes {
    /// The same database, its nodes started again.
    pub(crate) async fn restart(self) -> Self {
        let Self {
            one,
            two,
            url,
            _directory: directory,
        } = self;
        one.close().await;
        two.close().await;
        drop((one, two));
        Self::open(url, directory).await
    }

    async fn open(url: DatabaseUrl, directory: Option<TempDir>) -> Self {
        let one = open(&url).await;
        let two = match &url {
            DatabaseUrl::Sqlite(_) => one.clone(),
            DatabaseUrl::Postgres(_) => open(&url).await,
        };
        Self {
            one,
            two,
            url,
            _directory: directory,
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

pub(crate) async fn both() -> Vec<Nodes> {
    vec![sqlite().await]
}

pub(crate) async fn sqlite() -> Nodes {
    let directory = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(directory.path().join("myelin.db"));
    Nodes::open(url, Some(directory)).await
}

async fn open(url: &DatabaseUrl) -> Store {
    let options = StoreOptions::new(url.clone(), "localhost");
    Store::open(options).await.unwrap()
}
