//! Which failure of a use case becomes which answer to another server: one exhaustive match for
//! each.

use myelin_http::MatrixError;
use myelin_rooms::{AliasError, DirectoryError};
use myelin_store::StoreError;

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

impl From<AliasError> for Error {
    fn from(error: AliasError) -> Self {
        Self(match error {
            AliasError::Unknown(_) | AliasError::OtherServer(_) => {
                MatrixError::not_found(format!("{error}."))
            }
            AliasError::Federation(error) => error.into(),
            AliasError::Store(error) => error.into(),
            // Other servers neither give nor take names.
            AliasError::Invalid(_)
            | AliasError::Taken(_)
            | AliasError::NotInRoom { .. }
            | AliasError::NotYours(_)
            | AliasError::Append(_) => MatrixError::forbidden(format!("{error}.")),
        })
    }
}

impl From<DirectoryError> for Error {
    fn from(error: DirectoryError) -> Self {
        Self(match error {
            DirectoryError::UnknownToken | DirectoryError::Contradiction => {
                MatrixError::invalid_param(format!("{error}."))
            }
            DirectoryError::Federation(error) => error.into(),
            DirectoryError::Store(error) => error.into(),
        })
    }
}
