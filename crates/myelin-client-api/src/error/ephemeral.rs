//! Failures of the use cases about what is not part of a room's history.

use http::StatusCode;
use myelin_http::MatrixError;
use myelin_rooms::{ReceiptError, ThreadSubscriptionError, TypingError};
use myelin_sync::PresenceError;
use ruma::api::error::ErrorCode;

use super::Error;

impl From<ReceiptError> for Error {
    fn from(error: ReceiptError) -> Self {
        Self(match error {
            ReceiptError::NotInRoom { .. } => MatrixError::forbidden(format!("{error}.")),
            ReceiptError::UnknownEvent(_) => MatrixError::not_found(format!("{error}.")),
            ReceiptError::NotInThread { .. } => MatrixError::invalid_param(format!("{error}.")),
            ReceiptError::Store(error) => error.into(),
        })
    }
}

impl From<TypingError> for Error {
    fn from(error: TypingError) -> Self {
        Self(match error {
            TypingError::NotInRoom { .. } => MatrixError::forbidden(format!("{error}.")),
            TypingError::Store(error) => error.into(),
        })
    }
}

impl From<PresenceError> for Error {
    fn from(error: PresenceError) -> Self {
        Self(match error {
            PresenceError::UnknownUser(_) => MatrixError::not_found(format!("{error}.")),
            PresenceError::NotShared(_) => MatrixError::forbidden(format!("{error}.")),
            PresenceError::Store(error) => error.into(),
        })
    }
}

impl From<ThreadSubscriptionError> for Error {
    fn from(error: ThreadSubscriptionError) -> Self {
        let message = format!("{error}.");
        let unstable = |status, errcode: &str| {
            let errcode = format!("IO.ELEMENT.MSC4306.{errcode}");
            MatrixError::new(status, ErrorCode::from(errcode), message.clone())
        };
        Self(match error {
            ThreadSubscriptionError::NoThread(_) => MatrixError::not_found(message),
            ThreadSubscriptionError::NotInThread(_) => {
                unstable(StatusCode::BAD_REQUEST, "M_NOT_IN_THREAD")
            }
            ThreadSubscriptionError::Unsubscribed(_) => {
                unstable(StatusCode::CONFLICT, "M_CONFLICTING_UNSUBSCRIPTION")
            }
            ThreadSubscriptionError::Store(error) => error.into(),
        })
    }
}
