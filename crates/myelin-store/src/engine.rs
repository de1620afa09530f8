//! The two engines behind one type.

use std::sync::Arc;

use crate::{Read, StoreResult, postgres::Postgres, sqlite::Sqlite};

/// The database as readers see it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Engine {
    /// Whether other processes write to this database, too.
    pub(crate) fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(_) => true,
        }
    }

    /// A reader whose statements each see the latest committed rows.
    pub(crate) fn read(&self) -> Read {
        match self {
            Self::Sqlite(sqlite) => Read::sqlite(sqlite.read()),
            Self::Postgres(postgres) => Read::postgres(postgres.read()),
        }
    }

    /// As [`Self::read`], but its statements are not counted: the log is read for all requests of
    /// a node together, and by itself.
    pub(crate) fn read_uncounted(&self) -> Read {
        match self {
            Self::Sqlite(sqlite) => Read::sqlite(sqlite.read()),
            Self::Postgres(postgres) => Read::postgres(postgres.read_uncounted()),
        }
    }

    /// A reader whose statements all see one moment.
    pub(crate) async fn snapshot(&self) -> StoreResult<Read> {
        match self {
            Self::Sqlite(sqlite) => Ok(Read::sqlite(sqlite.snapshot()?)),
            Self::Postgres(postgres) => Ok(Read::postgres(postgres.snapshot().await?)),
        }
    }
}
