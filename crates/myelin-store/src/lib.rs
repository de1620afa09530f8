//! The database: SQL, commits, the log and what wakes those who wait for it. Only this crate knows
//! a driver.
//!
//! Reads are SQL in one module per table family; writes are rows in a [`WriteSet`], committed in
//! batches. Start reading at [`WriteSet`], then the committer.

mod counters;
mod crash;
mod engine;
mod error;
mod live;
mod migrate;
mod options;
mod queue;
mod read;
mod sqlite;
mod statements;
mod store;
mod submission;
mod table;
mod value;
mod write_set;

pub use counters::Counts;
pub use crash::{CrashPlan, CrashPoint};
pub use error::{StoreError, StoreResult};
pub use live::{Live, LogEntry};
pub use options::{DatabaseUrl, OpenError, StoreOptions};
pub use read::Read;
pub use store::Store;
pub use submission::{Attempts, Committed, Submission};
pub use table::{Column, Kind, OnConflict, Table, bytes, int};
pub use value::{Param, Row, Value};
pub use write_set::{
    BYTES_MAX, Change, Expectation, Key, LogKind, LogWrite, Operation, ROWS_MAX, RangeDeletion,
    Take, WriteSet,
};
