//! Which failure of a use case becomes which answer: one exhaustive match for each.

mod accounts;
mod delayed_events;
mod encryption;
mod ephemeral;
mod rooms;
mod user_data;

use myelin_http::MatrixError;
use myelin_store::StoreError;

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
