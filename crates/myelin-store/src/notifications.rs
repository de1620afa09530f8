//! What users are to be notified of, as a follower of the log has found it.
//!
//! An event is one row of `notifying_events`, however many members the room has: it says what those
//! are notified of who go by the predefined rules and whom the event does not name. Each row has the
//! sums of its thread up to there, so a count is the difference of two rows. Users for whom
//! something else holds have a row in `notification_exceptions`; who is seldom notified of anything
//! in a room counts by exceptions alone (`notification_modes`).
//!
//! What was noted longer than [`KEPT_MS`] ago is listed no more, and what of it nobody has to read
//! any more is deleted: always the oldest of a thread, so the difference of two sums stays what it
//! was wherever somebody has read up to.

mod events;
mod exceptions;
mod members;
mod purge;
mod standing;

pub use events::{
    Before, NotifyingEvent, Sums, find_event, list_events, list_newest, put_event, redact_event,
    sums_between, sums_up_to,
};
pub use exceptions::{
    Exception, delete_exception, list_exceptions, list_exceptions_of_event, put_exception,
};
pub use members::{
    CountedRoom, Member, Mode, delete_of_member, find_join, list_counted_rooms, list_members,
    list_modes, list_pending_rooms, put_mode, raise_mark,
};
pub use purge::{
    ModePlace, OldException, OldestOfThread, delete_event, delete_mode, delete_thread,
    list_of_thread, list_old_exceptions, list_oldest_of_threads, list_replaced_modes, read_by_all,
};
pub use standing::{ReadUpTo, Standing, Unread, UnreadRow, find_standing, list_unread};

use bytes::Bytes;

use crate::{LogKind, LogWrite, OnConflict, Read, StoreResult, Table, WriteSet, int};

/// How long notifications are listed, and kept once they are read: 30 days.
pub const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// What stands for the main timeline where a thread is named.
pub const MAIN: &str = "main";

static EVALUATED: Table = Table {
    name: "evaluated_rooms",
    key: &[int("room")],
    values: &[int("room_order")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// The place in a room up to which the rules have been asked about its events; 0: about none.
pub async fn find_evaluated(read: &mut Read, room: i64) -> StoreResult<i64> {
    let sql = "SELECT room_order FROM evaluated_rooms WHERE room = $1";
    let row = read.query_one(EVALUATED.name, sql, &[room.into()]).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// Says that the rules have been asked about the events of a room up to this place.
pub fn put_evaluated(writes: &mut WriteSet, room: i64, room_order: i64) {
    writes.put(&EVALUATED, vec![room.into()], vec![room_order.into()]);
}

/// Tells the members of a room that notifications were counted later than their clients were told
/// of the events.
pub fn log_late(writes: &mut WriteSet, room: i64) {
    writes.log(LogWrite {
        kind: LogKind::Counts,
        subject: room,
        reference: room,
        data: Bytes::new(),
    });
}

#[cfg(test)]
mod tests;
