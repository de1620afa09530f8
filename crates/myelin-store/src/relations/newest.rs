//! The newest of what is said about events.

use myelin_core::relation::{REPLACE, THREAD};

use super::RELATIONS;
use crate::{Param, Read, StoreResult};

/// What is said about an event, of which the newest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newest {
    /// Edits by the event's own sender and of its own type. What counts is when an edit claims to have
    /// been made (spec: "Server-side aggregation of `m.replace` relationships").
    Edit,
    /// Events of the thread that starts from it.
    InThread,
}

/// What is said about an event `e`, by none of some senders and not above a place in the room.
macro_rules! said {
    ($rest:literal) => {
        concat!(
            "r.room = e.room AND r.parent = e.id AND r.rel_type = $2
             AND r.room_order <= $3 AND NOT (r.sender = ANY($4))",
            $rest
        )
    };
}

macro_rules! edits {
    () => {
        said!(" AND r.sender = e.sender AND r.type = e.type")
    };
}

macro_rules! newest_each {
    ($said:expr, $order:literal) => {
        concat!(
            "SELECT e.event, (SELECT r.event FROM relations r WHERE ",
            $said,
            " ORDER BY ",
            $order,
            " LIMIT 1) FROM events e WHERE e.event = ANY($1)"
        )
    };
}

macro_rules! newest_of_all {
    ($said:expr, $order:literal) => {
        concat!(
            "SELECT e.event, r.event FROM events e JOIN relations r ON ",
            $said,
            " WHERE e.event = ANY($1) ORDER BY ",
            $order,
            " LIMIT $5"
        )
    };
}

/// The newest of what is said about each of these events, by none of these senders and not above a
/// place in the room: the number of the event and that of the newest.
pub async fn list_newest(
    read: &mut Read,
    newest: Newest,
    events: &[i64],
    bounds: (i64, &[i64]),
) -> StoreResult<Vec<(i64, i64)>> {
    let sql = match newest {
        Newest::Edit => newest_each!(edits!(), "r.origin_server_ts DESC, r.id DESC"),
        Newest::InThread => newest_each!(said!(""), "r.room_order DESC"),
    };
    let parameters = newest.parameters(events, bounds);
    list_found(read, sql, &parameters).await
}

/// The same of what is said about all of them together, the newest first: at most `limit`.
pub async fn list_newest_of_all(
    read: &mut Read,
    newest: Newest,
    events: &[i64],
    bounds: (i64, &[i64]),
    limit: i64,
) -> StoreResult<Vec<(i64, i64)>> {
    let sql = match newest {
        Newest::Edit => newest_of_all!(edits!(), "r.origin_server_ts DESC, r.id DESC"),
        Newest::InThread => newest_of_all!(said!(""), "r.room_order DESC"),
    };
    let mut parameters = newest.parameters(events, bounds);
    parameters.push(limit.into());
    list_found(read, sql, &parameters).await
}

impl Newest {
    fn parameters(self, events: &[i64], (last, without): (i64, &[i64])) -> Vec<Param> {
        let rel_type = match self {
            Self::Edit => REPLACE,
            Self::InThread => THREAD,
        };
        vec![
            Param::Ints(events.to_vec()),
            rel_type.into(),
            last.into(),
            Param::Ints(without.to_vec()),
        ]
    }
}

async fn list_found(
    read: &mut Read,
    sql: &'static str,
    parameters: &[Param],
) -> StoreResult<Vec<(i64, i64)>> {
    let rows = read.query(RELATIONS.name, sql, parameters).await?;
    let found = rows.iter().map(|row| Ok((row.int(0)?, row.opt_int(1)?)));
    let found = found.collect::<StoreResult<Vec<_>>>()?.into_iter();
    Ok(found.filter_map(|(of, event)| Some((of, event?))).collect())
}
