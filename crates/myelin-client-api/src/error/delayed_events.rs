//! Failures of the use cases about delayed events.

use http::StatusCode;
use myelin_core::event::EventError;
use myelin_http::MatrixError;
use myelin_rooms::{ManageDelayedEventError, ScheduleError, SendDelayedError};
use ruma::api::error::ErrorCode;

use super::Error;

impl From<ScheduleError> for Error {
    fn from(error: ScheduleError) -> Self {
        let message = format!("{error}.");
        Self(match error {
            ScheduleError::NotInRoom { .. } | ScheduleError::DelayTooLong => {
                MatrixError::forbidden(message)
            }
            ScheduleError::NoDelay => MatrixError::invalid_param(message),
            ScheduleError::TooMany { retry_after_ms } => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                MatrixError {
                    retry_after_ms: Some(retry_after_ms),
                    ..MatrixError::new(status, ErrorCode::LimitExceeded, message)
                }
            }
            ScheduleError::Invalid(EventError::TooLarge { .. }) => MatrixError::too_large(message),
            ScheduleError::Invalid(_) => MatrixError::bad_json(message),
            ScheduleError::Store(error) => error.into(),
        })
    }
}

impl From<SendDelayedError> for Error {
    fn from(error: SendDelayedError) -> Self {
        let message = format!("{error}.");
        let refused = |kind| MatrixError::new(StatusCode::FORBIDDEN, kind, message.clone());
        Self(match error {
            SendDelayedError::Deactivated => refused(ErrorCode::UserDeactivated),
            SendDelayedError::Locked => refused(ErrorCode::UserLocked),
            SendDelayedError::Suspended => refused(ErrorCode::UserSuspended),
            SendDelayedError::Changed => conflict(message),
            SendDelayedError::Send(error) => return error.into(),
            SendDelayedError::Store(error) => error.into(),
        })
    }
}

impl From<ManageDelayedEventError> for Error {
    fn from(error: ManageDelayedEventError) -> Self {
        let message = format!("{error}.");
        Self(match error {
            ManageDelayedEventError::NotFound => MatrixError::not_found(message),
            ManageDelayedEventError::Sent | ManageDelayedEventError::Cancelled => conflict(message),
            ManageDelayedEventError::Send(error) => return error.into(),
            ManageDelayedEventError::Store(error) => error.into(),
        })
    }
}

fn conflict(message: String) -> MatrixError {
    MatrixError::new(StatusCode::CONFLICT, ErrorCode::Unknown, message)
}
