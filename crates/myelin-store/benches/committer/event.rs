//! What one event writes: 10 rows in 7 tables, and a row of the log.

use std::fmt;

use bytes::Bytes;

/// The engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// Members of a room whose counts each event raises.
pub(crate) const COUNTED: i64 = 4;

/// An event as its writer builds it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) room: i64,
    /// The number of the event in its room, from 1.
    pub(crate) version: i64,
    /// Unique in the run.
    pub(crate) number: i64,
    pub(crate) id: Bytes,
    pub(crate) txn_id: Bytes,
    pub(crate) json: Bytes,
}

impl Event {
    pub(crate) fn new(room: i64, version: i64) -> Self {
        let number = (room << 32) | version;
        // As long as an event id, and as scattered: the index on it is not appended to.
        let scattered = number.wrapping_mul(0x1E37_79B9_7F4A_7C15);
        Self {
            room,
            version,
            number,
            id: format!("${scattered:016x}-abcdefghijklmnopqrstuvwxyz").into(),
            txn_id: format!("m{version}.{room}").into(),
            json: vec![b'x'; 700].into(),
        }
    }
}

const SCHEMA: &str = "
CREATE TABLE b_rooms (room {int} NOT NULL PRIMARY KEY, version {int} NOT NULL,
    extremities {bytes} NOT NULL, depth {int} NOT NULL){options};
CREATE TABLE b_events (event {id}, room {int} NOT NULL, sender {int} NOT NULL,
    json {bytes} NOT NULL);
CREATE TABLE b_event_ids (id {bytes} NOT NULL PRIMARY KEY, event {int} NOT NULL){options};
CREATE TABLE b_timeline (room {int} NOT NULL, room_order {int} NOT NULL, event {int} NOT NULL,
    PRIMARY KEY (room, room_order)){options};
CREATE TABLE b_edges (event {int} NOT NULL, previous {int} NOT NULL,
    PRIMARY KEY (event, previous)){options};
CREATE TABLE b_transactions (device {int} NOT NULL, txn_id {bytes} NOT NULL,
    event {int} NOT NULL, PRIMARY KEY (device, txn_id)){options};
CREATE TABLE b_counts (member {int} NOT NULL, room {int} NOT NULL, unread {int} NOT NULL,
    PRIMARY KEY (member, room)){options};
CREATE TABLE b_log (pos {id}, kind {int} NOT NULL, subject {int} NOT NULL,
    reference {int} NOT NULL, data {bytes} NOT NULL, latest {int} NOT NULL);
CREATE INDEX b_log_subject ON b_log (subject, pos);
CREATE UNIQUE INDEX b_log_latest ON b_log (subject, reference, kind) WHERE latest = 1;
";

pub(crate) fn schema(engine: Engine) -> String {
    let (int, bytes, options, id) = match engine {
        Engine::Sqlite => (
            "INTEGER",
            "BLOB",
            " WITHOUT ROWID, STRICT",
            "INTEGER PRIMARY KEY",
        ),
        Engine::Postgres => ("BIGINT", "BYTEA", "", "BIGINT PRIMARY KEY"),
    };
    SCHEMA
        .replace("{int}", int)
        .replace("{bytes}", bytes)
        .replace("{options}", options)
        .replace("{id}", id)
}
