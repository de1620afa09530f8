//! The two engines behind one type.

use std::sync::Arc;

use crate::{Read, StoreResult, sqlite::Sqlite};

/// The database as readers see it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    Sqlite(Arc<Sqlite>),
}

impl Engine {
    /// Whether other processes write to this database, too.
    pub(crate) fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
        }
    }

    /// A reader whose statements each see the latest committed rows.
    pub(crate) fn read(&self) -> Read {
        match self {
            Self::Sqlite(sqlite) => Read::sqlite(sqlite.read()),
        }
    }

    /// A reader whose statements all see one moment.
    pub(crate) async fn snapshot(&self) -> StoreResult<Read> {
        match self {
            Self::Sqlite(sqlite) => Ok(Read::sqlite(sqlite.snapshot()?)),
        }
    }
}
