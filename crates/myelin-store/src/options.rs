//! What is said when a store is opened, and why opening may be refused.

use std::{error::Error, path::PathBuf, sync::Arc};

use crate::{CrashPlan, StoreError};

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded engine; its directory exists.
    Sqlite(PathBuf),
    /// A `postgres://` URL.
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads `sqlite://PATH` or `postgres://...`; None for anything else.
    pub fn parse(url: &str) -> Option<Self> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return (!path.is_empty()).then(|| Self::Sqlite(path.into()));
        }
        let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        postgres.then(|| Self::Postgres(url.to_owned()))
    }
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where the database is.
    pub url: DatabaseUrl,
    /// The server's name. It is stored at the first start and compared ever after.
    pub server_name: String,
    /// Commits happen only in [`crate::Store::drive`], on the caller's thread (embedded engine only).
    pub driven: bool,
    /// Several nodes use this store through clones of it, each with its own caches: a simulation's
    /// form of several processes over one database.
    pub several_nodes: bool,
    /// Where the committer shall fail, for tests.
    pub crash: Option<Arc<CrashPlan>>,
}

impl StoreOptions {
    /// The usual options.
    pub fn new(url: DatabaseUrl, server_name: &str) -> Self {
        Self {
            url,
            server_name: server_name.to_owned(),
            driven: false,
            several_nodes: false,
            crash: None,
        }
    }
}

/// Why a store was not opened. Each is one clear line for the administrator.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program has migrated this database.
    #[error(
        "the database has version {found}, which is newer than this program's {known}: install the newer release"
    )]
    NewerVersion {
        /// The database's version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The database belongs to another server.
    #[error("the database belongs to the server {found:?}, not to {wanted:?}")]
    OtherServer {
        /// The name in the database.
        found: String,
        /// The name asked for.
        wanted: String,
    },
    /// Another process has the file open.
    #[error("the database file {0} is in use by another process")]
    InUse(PathBuf),
    /// The file or its directory cannot be opened.
    #[error("cannot open the database file {path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The database server does not answer, or refuses us.
    #[error("cannot connect to the database: {0}")]
    Connect(String),
    /// Commits on demand were asked of an engine that has none.
    #[error("only the embedded database can be driven by its caller")]
    NotDriven,
    /// The engine did not take a setting that durability rests on.
    #[error("the database does not keep its promise: {setting} is {found}, {wanted} is needed")]
    Unsafe {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// The value needed.
        wanted: &'static str,
    },
    /// A migration failed; the database is as it was before it.
    #[error("migration {number} failed")]
    Migration {
        /// Its number.
        number: i64,
        /// What the engine said.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// Anything else that the first reads and writes met.
    #[error("cannot use the database")]
    Store(#[from] StoreError),
}
