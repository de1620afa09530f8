//! The database: SQL, commits, the log and what wakes those who wait for it. Only this crate knows
//! a driver.
//!
//! Reads are SQL in one module per table family; writes are rows in a [`WriteSet`], committed in
//! batches. Start reading at [`WriteSet`], then the committer.

mod error;
mod table;
mod value;
mod write_set;

pub use error::{StoreError, StoreResult};
pub use table::{Column, Kind, OnConflict, Table, bytes, int};
pub use value::{Param, Row, Value};
pub use write_set::{
    BYTES_MAX, Change, Expectation, Key, LogKind, LogWrite, Operation, ROWS_MAX, RangeDeletion,
    Take, WriteSet,
};
