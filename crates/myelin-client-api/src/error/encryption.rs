//! Failures of the use cases of end-to-end encryption.

use http::StatusCode;
use myelin_accounts::{
    CrossSigningError, DehydratedDeviceError, KeyBackupError, SendToDeviceError, UploadKeysError,
};
use myelin_core::encryption_keys::KeyError;
use myelin_http::MatrixError;
use ruma::api::error::ErrorCode;

use super::{Error, accounts::not_approved};

impl From<SendToDeviceError> for Error {
    fn from(error: SendToDeviceError) -> Self {
        Self(match error {
            SendToDeviceError::TooLarge => MatrixError::too_large(format!("{error}.")),
            SendToDeviceError::Store(error) => error.into(),
        })
    }
}

impl From<UploadKeysError> for Error {
    fn from(error: UploadKeysError) -> Self {
        let message = format!("{error}.");
        Self(match error {
            UploadKeysError::Key(name, error) => key_error(&name, &error),
            UploadKeysError::Different(_) | UploadKeysError::TwoFallbackKeys(_) => {
                MatrixError::invalid_param(message)
            }
            UploadKeysError::TooMany => MatrixError::too_large(message),
            UploadKeysError::IdInUse => MatrixError::forbidden(message),
            UploadKeysError::NoDevice => {
                MatrixError::new(StatusCode::UNAUTHORIZED, ErrorCode::UnknownToken, message)
            }
            UploadKeysError::Store(error) => error.into(),
        })
    }
}

impl From<CrossSigningError> for Error {
    fn from(error: CrossSigningError) -> Self {
        let message = format!("{error}.");
        Self(match error {
            CrossSigningError::Key(usage, error) => {
                key_error(&format!("{}_key", usage.name()), &error)
            }
            CrossSigningError::NoMasterKey => MatrixError::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::MissingParam,
                "There is no master key, and `master_key` is missing.",
            ),
            CrossSigningError::NotSigned(_) => MatrixError::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::from("M_INVALID_SIGNATURE"),
                message,
            ),
            CrossSigningError::IdInUse(_) => MatrixError::forbidden(message),
            CrossSigningError::NeedsApproval | CrossSigningError::NotApproved => not_approved(),
            CrossSigningError::Store(error) => error.into(),
        })
    }
}

impl From<KeyBackupError> for Error {
    fn from(error: KeyBackupError) -> Self {
        let message = format!("{error}.");
        Self(match error {
            KeyBackupError::NotFound => MatrixError::not_found(message),
            KeyBackupError::NotCurrent(current) => {
                let kind = ErrorCode::from("M_WRONG_ROOM_KEYS_VERSION");
                MatrixError::new(StatusCode::FORBIDDEN, kind, message)
                    .with("current_version", current.to_string())
            }
            KeyBackupError::OtherAlgorithm
            | KeyBackupError::OtherVersion
            | KeyBackupError::InvalidId => MatrixError::invalid_param(message),
            KeyBackupError::TooLarge => MatrixError::too_large(message),
            KeyBackupError::Store(error) => error.into(),
        })
    }
}

impl From<DehydratedDeviceError> for Error {
    fn from(error: DehydratedDeviceError) -> Self {
        let message = format!("{error}.");
        Self(match error {
            DehydratedDeviceError::NotFound => MatrixError::not_found(message),
            DehydratedDeviceError::OtherDevice | DehydratedDeviceError::IdInUse => {
                MatrixError::forbidden(message)
            }
            DehydratedDeviceError::Invalid => MatrixError::invalid_param(message),
            DehydratedDeviceError::TooLarge => MatrixError::too_large(message),
            DehydratedDeviceError::Keys(error) => return error.into(),
            DehydratedDeviceError::Store(error) => error.into(),
        })
    }
}

fn key_error(name: &str, error: &KeyError) -> MatrixError {
    let message = format!("`{name}`: {error}.");
    match error {
        KeyError::TooLarge => MatrixError::too_large(message),
        KeyError::Malformed(_)
        | KeyError::WrongUser
        | KeyError::WrongDevice
        | KeyError::WrongName
        | KeyError::NotCanonical => MatrixError::invalid_param(message),
    }
}
