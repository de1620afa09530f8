//! Events that were delayed: each is sent once, whoever tries at the same time.

use myelin_store::delayed_events::{self, End, Outcome};

use super::{AppendError, Draft};
use crate::open_room::OpenRoom;

impl OpenRoom<'_> {
    /// Refuses to send a delayed event that is no longer what it was when it was taken up.
    pub(crate) async fn check_delayed(&mut self, draft: &Draft<'_>) -> Result<(), AppendError> {
        let Some(taken) = draft.options.delayed else {
            return Ok(());
        };
        let found = delayed_events::find(&mut self.read, taken.id).await?;
        if found.is_some_and(|found| found.version == taken.version) {
            Ok(())
        } else {
            Err(AppendError::DelayedEventChanged)
        }
    }

    /// Ends the delayed event in the set that adds what has become of it.
    pub(crate) fn end_delayed(&mut self, draft: &Draft<'_>, number: i64) {
        if let Some(delayed) = draft.options.delayed {
            let at_ms = self.now_ms();
            let outcome = Outcome::Sent(number);
            delayed_events::finalise(&mut self.writes, delayed, End { at_ms, outcome });
        }
    }
}
