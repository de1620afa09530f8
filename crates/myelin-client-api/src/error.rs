//! Which failure of a use case becomes which answer: one exhaustive match for each.

mod ephemeral;
mod rooms;
mod user_data;

use http::StatusCode;
use myelin_accounts::{LoginError, RegisterError};
use myelin_http::MatrixError;
use myelin_store::StoreError;
use ruma::api::error::ErrorCode;

pub(crate) use rooms::json;

/// What a handler answers when it cannot do what was asked. A type of this crate, because the
/// conversions below may only be written for one.
#[derive(Debug)]
pub(crate) struct Error(MatrixError);

impl From<Error> for MatrixError {
    fn from(error: Error) -> Self {
        error.0
    }
}

impl From<MatrixError> for Error {
    fn from(error: MatrixError) -> Self {
        Self(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

impl From<RegisterError> for Error {
    fn from(error: RegisterError) -> Self {
        let bad_request = |kind, message| MatrixError::new(StatusCode::BAD_REQUEST, kind, message);
        Self(match error {
            RegisterError::Closed => MatrixError::forbidden("Registration is closed."),
            RegisterError::InvalidUsername => bad_request(
                ErrorCode::InvalidUsername,
                "A user name may hold only a-z, 0-9 and ._=-/+, and a user id 255 bytes.",
            ),
            RegisterError::UserInUse => bad_request(ErrorCode::UserInUse, "User ID already taken."),
            RegisterError::PasswordTooLong => MatrixError::invalid_param("`password` is too long."),
            RegisterError::InvalidDevice => invalid_device(),
            RegisterError::Store(error) => error.into(),
        })
    }
}

impl From<LoginError> for Error {
    fn from(error: LoginError) -> Self {
        Self(match error {
            LoginError::Refused => MatrixError::forbidden("Wrong user name or password."),
            LoginError::Deactivated => MatrixError::new(
                StatusCode::FORBIDDEN,
                ErrorCode::UserDeactivated,
                "This account has been deactivated.",
            ),
            LoginError::InvalidDevice => invalid_device(),
            LoginError::Store(error) => error.into(),
        })
    }
}

fn invalid_device() -> MatrixError {
    MatrixError::invalid_param(
        "`device_id` and `initial_device_display_name` may have 255 bytes, and not none.",
    )
}
