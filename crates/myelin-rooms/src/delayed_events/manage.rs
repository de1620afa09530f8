//! What the sender of a delayed event can do about it.

use myelin_store::{
    StoreError, WriteSet,
    delayed_events::{self, DelayId, End, Outcome},
};

use super::SendDelayedError;
use crate::Rooms;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelayedEventAction {
    /// Send it now.
    Send,
    /// Never send it.
    Cancel,
    /// Let it wait for its whole delay again.
    Restart,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum ManageDelayedEventError {
    /// The user has no such delayed event.
    #[error("there is no such delayed event")]
    NotFound,
    /// It has been sent.
    #[error("the delayed event has been sent")]
    Sent,
    /// It has been cancelled, by its sender or because it could not be sent.
    #[error("the delayed event has been cancelled")]
    Cancelled,
    /// It cannot be sent now; it goes on waiting.
    #[error("{0}")]
    Send(SendDelayedError),
    /// The database failed.
    #[error("the delayed event could not be changed")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Sends, cancels or restarts a delayed event. What is as it is wanted already is no error, so
    /// that requests can be repeated.
    pub async fn manage_delayed_event(
        &self,
        sender: i64,
        id: DelayId,
        action: DelayedEventAction,
    ) -> Result<(), ManageDelayedEventError> {
        use DelayedEventAction::{Cancel, Restart, Send};
        let mut attempts = self.store.attempts();
        loop {
            let found = self.own_delayed_event(sender, id).await?;
            let found = found.ok_or(ManageDelayedEventError::NotFound)?;
            let outcome = found.end.as_ref().map(|end| &end.outcome);
            let mut writes = WriteSet::new();
            match (action, outcome) {
                (Send, Some(Outcome::Sent(_)))
                | (Cancel, Some(Outcome::Cancelled | Outcome::Failed(_))) => return Ok(()),
                (Cancel, Some(Outcome::Sent(_))) => return Err(ManageDelayedEventError::Sent),
                (Send | Restart, Some(Outcome::Cancelled | Outcome::Failed(_))) => {
                    return Err(ManageDelayedEventError::Cancelled);
                }
                // The proposal does not say what this is. To clients it has to be the answer that
                // makes them schedule anew: whoever was away for too long comes back with a restart.
                (Restart, Some(Outcome::Sent(_))) => return Err(ManageDelayedEventError::NotFound),
                (Send, None) => match self.send_delayed(&found).await {
                    Ok(()) => return Ok(()),
                    Err(SendDelayedError::Changed) => {
                        attempts.conflict()?;
                        continue;
                    }
                    Err(SendDelayedError::Store(error)) => return Err(error.into()),
                    Err(error) => return Err(ManageDelayedEventError::Send(error)),
                },
                (Restart, None) => delayed_events::restart(&mut writes, &found, self.now_ms()),
                (Cancel, None) => {
                    let (at_ms, outcome) = (self.now_ms(), Outcome::Cancelled);
                    delayed_events::finalise(&mut writes, &found, End { at_ms, outcome });
                }
            }
            if attempts.commit(writes).await?.is_some() {
                return Ok(());
            }
        }
    }
}
