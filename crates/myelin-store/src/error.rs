//! What can go wrong in the store.

use std::{error::Error, sync::Arc};

/// The result of everything that touches the database.
pub type StoreResult<T> = Result<T, StoreError>;

/// Why a read or a write failed. Cheap to clone: one failed batch is reported to each of its sets.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A row that the set expected was changed by another: run the use case again.
    #[error("a row was changed by somebody else")]
    Conflict,
    /// Eight attempts in a row met a conflict.
    #[error("too many writers want the same rows")]
    Contended,
    /// The database cannot be reached, or goes away; nothing was written.
    #[error("the database is not available")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// The disk or a quota is full; nothing was written.
    #[error("there is no room left for the database")]
    Full(#[source] Arc<dyn Error + Send + Sync>),
    /// A write set is larger than one commit may be.
    #[error("a write set of {rows} rows and {bytes} bytes is too large for one commit")]
    TooLarge {
        /// Rows in the set.
        rows: usize,
        /// Bytes in the set.
        bytes: usize,
    },
    /// A row holds what this program never writes.
    #[error("corrupt row in {table}, column {column}: {wanted} wanted, found {found}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column's index in the query.
        column: usize,
        /// What should be there.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// A row that must exist is missing.
    #[error("missing row in {table}")]
    Missing {
        /// The table.
        table: &'static str,
    },
    /// A write set contradicts itself or its table's declaration: a fault of the program.
    #[error("a write set for {table} is malformed: {reason}")]
    Malformed {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// Any other failure of the driver.
    #[error("the database refused a statement")]
    Driver(#[source] Arc<dyn Error + Send + Sync>),
}
