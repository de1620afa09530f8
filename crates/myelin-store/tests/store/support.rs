//! Databases for the tests of the store, and tables to write.

use std::{future::Future, pin::Pin, sync::Arc};

use myelin_store::{
    CrashPlan, DatabaseUrl, OnConflict, Param, Row, Store, StoreOptions, Table, Value, bytes, int,
};
use myelin_testdb::{Cluster, Database};

pub(crate) static THINGS: Table = Table {
    name: "things",
    key: &[int("place"), bytes("name")],
    values: &[int("version"), bytes("body")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};
pub(crate) static NOTES: Table = Table {
    name: "notes",
    key: &[int("id")],
    values: &[bytes("body")],
    version: None,
    on_conflict: OnConflict::LastWins,
};
pub(crate) static BLOBS: Table = Table {
    name: "blobs",
    key: &[bytes("hash")],
    values: &[bytes("body")],
    version: None,
    on_conflict: OnConflict::Keep,
};
pub(crate) static SUMS: Table = Table {
    name: "sums",
    key: &[int("id")],
    values: &[int("a"), int("b")],
    version: None,
    on_conflict: OnConflict::Replace,
};
pub(crate) static LETTERS: Table = Table {
    name: "letters",
    key: &[int("owner"), int("n")],
    values: &[bytes("body")],
    version: None,
    on_conflict: OnConflict::Replace,
};
pub(crate) static NAMES: Table = Table {
    name: "names",
    key: &[int("id")],
    values: &[bytes("name")],
    version: None,
    on_conflict: OnConflict::Replace,
};

const SCHEMA: &str = "
CREATE TABLE things (place {int} NOT NULL, name {bytes} NOT NULL, version {int} NOT NULL,
    body {bytes}, PRIMARY KEY (place, name)){options};
CREATE TABLE notes (id {int} NOT NULL PRIMARY KEY, body {bytes}){options};
CREATE TABLE blobs (hash {bytes} NOT NULL PRIMARY KEY, body {bytes} NOT NULL){options};
CREATE TABLE sums (id {int} NOT NULL PRIMARY KEY, a {int} NOT NULL, b {int} NOT NULL){options};
CREATE TABLE letters (owner {int} NOT NULL, n {int} NOT NULL, body {bytes},
    PRIMARY KEY (owner, n)){options};
CREATE TABLE names (id {int} NOT NULL PRIMARY KEY, name {bytes} NOT NULL UNIQUE){options};
";

/// A database with the tables above.
pub(crate) enum Place {
    Sqlite(tempfile::TempDir),
    Postgres(Database<'static>),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let place = Self::Sqlite(tempfile::tempdir().unwrap());
        let DatabaseUrl::Sqlite(path) = place.url() else {
            unreachable!("made so above");
        };
        let connection = rusqlite::Connection::open(path).unwrap();
        connection
            .execute_batch(&schema("INTEGER", "BLOB", " WITHOUT ROWID, STRICT"))
            .unwrap();
        place
    }

    /// None, with a word about it, where PostgreSQL is not installed.
    pub(crate) fn postgres() -> Option<Self> {
        let database = Cluster::shared()?.database();
        database.execute(&schema("BIGINT", "BYTEA", ""));
        Some(Self::Postgres(database))
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        match self {
            Self::Sqlite(directory) => DatabaseUrl::Sqlite(directory.path().join("test.db")),
            Self::Postgres(database) => DatabaseUrl::Postgres(database.url()),
        }
    }

    pub(crate) fn options(&self) -> StoreOptions {
        StoreOptions::new(self.url(), "test")
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(self.options()).await.unwrap()
    }

    pub(crate) async fn open_crashing(&self) -> (Store, Arc<CrashPlan>) {
        let crash = Arc::<CrashPlan>::default();
        let mut options = self.options();
        options.crash = Some(crash.clone());
        (Store::open(options).await.unwrap(), crash)
    }
}

fn schema(int: &str, bytes: &str, options: &str) -> String {
    SCHEMA
        .replace("{int}", int)
        .replace("{bytes}", bytes)
        .replace("{options}", options)
}

/// Runs a test on each engine.
pub(crate) fn on_both(test: impl for<'p> Fn(&'p Place) -> Pin<Box<dyn Future<Output = ()> + 'p>>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for place in [Some(Place::sqlite()), Place::postgres()]
        .into_iter()
        .flatten()
    {
        runtime.block_on(test(&place));
    }
}

pub(crate) async fn query(store: &Store, sql: &'static str, params: &[Param]) -> Vec<Vec<Value>> {
    let rows = store.read().query("test", sql, params).await.unwrap();
    rows.into_iter().map(|row: Row| row.values).collect()
}

/// A list of values from integers and texts.
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$(myelin_store::Value::from($value)),*] };
}

pub(crate) use row;
