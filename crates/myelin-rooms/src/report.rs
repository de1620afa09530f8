//! Reports: what users have found inappropriate, for the operators of the server.

use myelin_store::{
    StoreError, WriteSet,
    reports::{self, Report, Reported},
    rooms, users,
};
use ruma::{EventId, RoomId, UserId};

use crate::{Rooms, Standing, VisibleEvent};

const REASON_CHARS_MAX: usize = 1_000;

/// What somebody reports.
#[derive(Clone, Copy, Debug)]
pub enum ReportOf<'a> {
    /// A room, in which the reporter need not be.
    Room(&'a RoomId),
    /// An event of a room, in which the reporter must be, and which they must be able to see.
    Event(&'a RoomId, &'a EventId),
    /// A local user.
    User(&'a UserId),
}

/// A report.
#[derive(Clone, Copy, Debug)]
pub struct MakeReport<'a> {
    /// Who reports.
    pub reporter: &'a UserId,
    /// The interned id of the reporter.
    pub reporter_number: i64,
    /// What.
    pub of: ReportOf<'a>,
    /// Why.
    pub reason: Option<&'a str>,
    /// How bad it is, from -100 to 0.
    pub score: Option<i64>,
}

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is no such room here.
    #[error("the room was not found")]
    UnknownRoom,
    /// There is no such event, or the reporter is not in its room, or cannot see it: which of the
    /// three is not told.
    #[error("the event was not found or you are not joined to the room")]
    UnknownEvent,
    /// Nobody here has this id.
    #[error("the user was not found")]
    UnknownUser,
    /// The reason is too long.
    #[error("a reason has at most {REASON_CHARS_MAX} characters")]
    ReasonTooLong,
    /// The score is out of range.
    #[error("a score lies between -100 and 0")]
    InvalidScore,
    /// The database failed.
    #[error("the report could not be stored")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Takes a report.
    pub async fn report(&self, report: MakeReport<'_>) -> Result<(), ReportError> {
        let reason = report.reason.unwrap_or_default();
        if reason.chars().count() > REASON_CHARS_MAX {
            return Err(ReportError::ReasonTooLong);
        }
        if report
            .score
            .is_some_and(|score| !(-100..=0).contains(&score))
        {
            return Err(ReportError::InvalidScore);
        }
        let about = match report.of {
            ReportOf::Room(room_id) => Reported::Room(self.reported_room(room_id).await?),
            ReportOf::Event(room_id, event_id) => {
                let place = (room_id, event_id);
                self.reported_event(report.reporter, place).await?
            }
            ReportOf::User(user_id) => Reported::User(self.reported_user(user_id).await?),
        };
        let mut attempts = self.store.attempts();
        loop {
            let row = Report {
                report: i64::from_be_bytes(self.server.random()) & i64::MAX,
                received_ms: self.server.now_ms().cast_signed(),
                reporter: report.reporter_number,
                about,
                reason: report.reason.map(str::to_owned),
                score: report.score,
            };
            let mut writes = WriteSet::new();
            reports::insert(&mut writes, &row);
            if attempts.commit(writes).await?.is_some() {
                tracing::info!(reporter = %report.reporter, of = ?report.of, "a report has come");
                return Ok(());
            }
        }
    }

    async fn reported_room(&self, room_id: &RoomId) -> Result<i64, ReportError> {
        let number = self.find_number(room_id).await?;
        let number = number.ok_or(ReportError::UnknownRoom)?;
        let found = rooms::find(&mut self.store.read(), number).await?;
        found.map(|_| number).ok_or(ReportError::UnknownRoom)
    }

    async fn reported_event(
        &self,
        reporter: &UserId,
        (room_id, event_id): (&RoomId, &EventId),
    ) -> Result<Reported, ReportError> {
        let mut read = self.store.read();
        let place = (room_id, event_id);
        let found = self.visible_event_in(&mut read, reporter, place).await?;
        let member = found.filter(|(view, _)| view.standing == Standing::Member);
        let (view, VisibleEvent { event, .. }) = member.ok_or(ReportError::UnknownEvent)?;
        Ok(Reported::Event {
            room: view.room,
            event: event.event,
        })
    }

    async fn reported_user(&self, user_id: &UserId) -> Result<i64, ReportError> {
        let number = self.store.find_interned(user_id.as_bytes()).await?;
        let number = number.ok_or(ReportError::UnknownUser)?;
        let found = users::find(&mut self.store.read(), number).await?;
        found.map(|_| number).ok_or(ReportError::UnknownUser)
    }
}
