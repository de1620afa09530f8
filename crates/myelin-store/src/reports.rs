//! Table `reports`: what users have found inappropriate.

use crate::{OnConflict, Read, Row, StoreError, StoreResult, Table, WriteSet, bytes, int};

static REPORTS: Table = Table {
    name: "reports",
    key: &[int("report")],
    values: &[
        int("received_ms"),
        int("reporter"),
        int("room"),
        int("event"),
        int("user_number"),
        bytes("reason"),
        int("score"),
    ],
    version: None,
    on_conflict: OnConflict::Replace,
};

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// A room, by its interned id.
    Room(i64),
    /// An event.
    Event {
        /// The interned room id.
        room: i64,
        /// The number of the event.
        event: i64,
    },
    /// A user, by the interned user id.
    User(i64),
}

/// One report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// A random number, not negative, that names it.
    pub report: i64,
    /// When it came.
    pub received_ms: i64,
    /// The interned id of the user who has reported.
    pub reporter: i64,
    /// What it is about.
    pub about: Reported,
    /// Why, in the reporter's words.
    pub reason: Option<String>,
    /// How bad it is, from -100 to 0, as clients could say before version 1.18.
    pub score: Option<i64>,
}

/// Reports in the order in which they came, after the one that came at `after.0` with the number
/// `after.1`: at most `limit`.
pub async fn list(read: &mut Read, after: (i64, i64), limit: i64) -> StoreResult<Vec<Report>> {
    let sql = "SELECT report, received_ms, reporter, room, event, user_number, reason, score
               FROM reports
               WHERE received_ms > $1 OR (received_ms = $1 AND report > $2)
               ORDER BY received_ms, report LIMIT $3";
    let parameters = [after.0.into(), after.1.into(), limit.into()];
    let rows = read.query(REPORTS.name, sql, &parameters).await?;
    rows.iter().map(from_row).collect()
}

/// Writes a report; the set falls if its number is taken.
pub fn insert(writes: &mut WriteSet, report: &Report) {
    let (room, event, user) = match report.about {
        Reported::Room(room) => (Some(room), None, None),
        Reported::Event { room, event } => (Some(room), Some(event), None),
        Reported::User(user) => (None, None, Some(user)),
    };
    let values = vec![
        report.received_ms.into(),
        report.reporter.into(),
        room.into(),
        event.into(),
        user.into(),
        report.reason.as_deref().into(),
        report.score.into(),
    ];
    writes.insert(&REPORTS, vec![report.report.into()], values);
}

fn from_row(row: &Row) -> StoreResult<Report> {
    let about = match (row.opt_int(3)?, row.opt_int(4)?, row.opt_int(5)?) {
        (Some(room), None, None) => Reported::Room(room),
        (Some(room), Some(event), None) => Reported::Event { room, event },
        (None, None, Some(user)) => Reported::User(user),
        found => {
            return Err(StoreError::Corrupt {
                table: REPORTS.name,
                column: 3,
                wanted: "a room, an event or a user",
                found: format!("{found:?}"),
            });
        }
    };
    let reason = match row.opt_bytes(6)? {
        Some(_) => Some(row.text(6)?),
        None => None,
    };
    Ok(Report {
        report: row.int(0)?,
        received_ms: row.int(1)?,
        reporter: row.int(2)?,
        about,
        reason,
        score: row.opt_int(7)?,
    })
}

#[cfg(test)]
mod tests;
