//! The database: SQL, commits, the log and what wakes those who wait for it. Only this crate knows
//! a driver.
//!
//! Reads are SQL in one module per table family; writes are rows in a [`WriteSet`], committed in
//! batches. Start reading at [`WriteSet`], then the committer.

pub mod account_data;
pub mod aliases;
pub mod auth_graph;
mod counters;
mod crash;
pub mod cross_signing;
pub mod dehydrated_devices;
pub mod delayed_events;
pub mod deliveries;
pub mod departures;
pub mod destinations;
pub mod device_keys;
pub mod device_lists;
pub mod directory;
pub mod early_receipts;
pub mod early_redactions;
mod engine;
mod error;
pub mod events;
pub mod filters;
pub mod followers;
pub mod forgotten_rooms;
pub mod gaps;
mod generations;
pub mod inbox;
mod interned_cache;
mod interning;
pub mod jobs;
pub mod joining_rooms;
pub mod key_backups;
mod live;
pub mod log;
mod log_entry;
mod log_kind;
pub mod login_tokens;
pub mod memberships;
mod migrate;
pub mod notifications;
mod number_blocks;
pub mod one_time_keys;
pub mod open_rooms;
pub mod openid_tokens;
mod options;
pub mod outside_memberships;
mod postgres;
pub mod profiles;
pub mod push_rules;
mod queue;
pub mod rate_limit_exemptions;
mod read;
pub mod receipts;
pub mod received_transactions;
pub mod redacted_originals;
pub mod registration_tokens;
pub mod relation_redactions;
pub mod relations;
pub mod remote_device_lists;
pub mod remote_keys;
pub mod reports;
pub mod room_facts;
pub mod room_servers;
pub mod rooms;
mod sequences;
pub mod server_notice_rooms;
pub mod sessions;
pub mod shared_rooms;
pub mod signing_keys;
mod sqlite;
pub mod state_nodes;
mod statements;
pub mod sticky_events;
mod store;
mod submission;
mod table;
#[cfg(test)]
mod test_stores;
pub mod thread_subscriptions;
pub mod threads;
pub mod to_device;
pub mod transactions;
pub mod uia_sessions;
pub mod used_nonces;
pub mod user_directory;
pub mod users;
mod value;
mod write_set;

pub use counters::Counts;
pub use crash::{CrashPlan, CrashPoint};
pub use error::{StoreError, StoreResult};
pub use generations::Generations;
pub use interning::EMPTY_STRING;
pub use live::{
    Live, NewPresence, Presence, PresenceNews, PresencePoll, PresenceState, RemotePresence,
    TypingNews, Watch,
};
pub use log_entry::LogEntry;
pub use log_kind::LogKind;
pub use options::{DatabaseUrl, OpenError, StoreOptions};
pub use read::Read;
pub use sequences::Sequence;
pub use store::{Attempts, Store};
pub use submission::{Committed, Submission};
pub use table::{Column, Kind, OnConflict, Table, bytes, int};
pub use value::{Param, Row, Value};
pub use write_set::{
    BYTES_MAX, Change, Expectation, Key, LogWrite, Operation, ROWS_MAX, RangeDeletion, Take,
    WriteSet,
};
