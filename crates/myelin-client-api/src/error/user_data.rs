//! Failures of the use cases about what users keep and tell.

use http::StatusCode;
use myelin_accounts::AccountDataError;
use myelin_http::MatrixError;
use ruma::api::error::ErrorCode;

use super::Error;

impl From<AccountDataError> for Error {
    fn from(error: AccountDataError) -> Self {
        let message = format!("{error}.");
        Self(match error {
            AccountDataError::OfTheServer(_) => {
                MatrixError::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadJson, message)
            }
            AccountDataError::InvalidPlace => MatrixError::invalid_param(message),
            AccountDataError::NotAnObject(_) => MatrixError::bad_json(message),
            AccountDataError::TooLarge => MatrixError::too_large(message),
            AccountDataError::Store(error) => error.into(),
        })
    }
}
