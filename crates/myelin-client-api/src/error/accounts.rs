//! Failures of accounts.

use http::StatusCode;
use myelin_accounts::{
    ChangePasswordError, DeactivateError, DeviceError, LoginError, ModerationError, RefreshError,
    RegisterError, UsernameError, shared_secret::SharedSecretError, uia::ApprovalError,
};
use myelin_http::MatrixError;
use ruma::api::error::ErrorCode;

use super::Error;

impl From<RegisterError> for Error {
    fn from(error: RegisterError) -> Self {
        Self(match error {
            RegisterError::Closed => MatrixError::forbidden("Registration is closed."),
            RegisterError::NoGuests => MatrixError::new(
                StatusCode::FORBIDDEN,
                ErrorCode::GuestAccessForbidden,
                "This server has no guest accounts.",
            ),
            RegisterError::InvalidUsername => bad_request(
                ErrorCode::InvalidUsername,
                "A user name may hold only a-z, 0-9 and ._=-/+, not begin with _, \
                 and a user id may have 255 bytes.",
            ),
            RegisterError::Reserved => {
                bad_request(ErrorCode::Exclusive, "This user name is the server's own.")
            }
            RegisterError::UserInUse => bad_request(ErrorCode::UserInUse, "User ID already taken."),
            RegisterError::PasswordTooLong => MatrixError::invalid_param("`password` is too long."),
            RegisterError::InvalidDevice => invalid_device(),
            RegisterError::NotThatGuest => MatrixError::forbidden(
                "`guest_access_token` does not belong to a guest of this name.",
            ),
            RegisterError::NotApproved => not_approved(),
            RegisterError::NonceUsed => unknown_nonce(),
            RegisterError::Store(error) => error.into(),
        })
    }
}

impl From<UsernameError> for Error {
    fn from(error: UsernameError) -> Self {
        RegisterError::from(error).into()
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
            LoginError::Locked => MatrixError::user_locked(StatusCode::UNAUTHORIZED),
            LoginError::InvalidDevice => invalid_device(),
            LoginError::Store(error) => error.into(),
        })
    }
}

impl From<RefreshError> for Error {
    fn from(error: RefreshError) -> Self {
        let unknown =
            |message| MatrixError::new(StatusCode::UNAUTHORIZED, ErrorCode::UnknownToken, message);
        Self(match error {
            RefreshError::Unknown => unknown("Unrecognised refresh token."),
            // The device is still there, with all that the client keeps for it.
            RefreshError::Spent => {
                unknown("This refresh token was used before.").with("soft_logout", true)
            }
            RefreshError::Locked => MatrixError::user_locked(StatusCode::UNAUTHORIZED),
            RefreshError::Store(error) => error.into(),
        })
    }
}

impl From<ApprovalError> for Error {
    fn from(error: ApprovalError) -> Self {
        Self(match error {
            ApprovalError::Void => not_approved(),
            ApprovalError::Store(error) => error.into(),
        })
    }
}

impl From<ChangePasswordError> for Error {
    fn from(error: ChangePasswordError) -> Self {
        Self(match error {
            ChangePasswordError::Empty => {
                bad_request(ErrorCode::WeakPassword, "`new_password` is empty.")
            }
            ChangePasswordError::TooLong => {
                MatrixError::invalid_param("`new_password` is too long.")
            }
            ChangePasswordError::NotApproved => not_approved(),
            ChangePasswordError::Store(error) => error.into(),
        })
    }
}

impl From<DeactivateError> for Error {
    fn from(error: DeactivateError) -> Self {
        Self(match error {
            DeactivateError::NotApproved => not_approved(),
            DeactivateError::Store(error) => error.into(),
        })
    }
}

impl From<DeviceError> for Error {
    fn from(error: DeviceError) -> Self {
        Self(match error {
            DeviceError::NotFound => MatrixError::not_found("You have no such device."),
            DeviceError::NameTooLong => {
                MatrixError::invalid_param("`display_name` may have 255 bytes.")
            }
            DeviceError::Store(error) => error.into(),
        })
    }
}

impl From<ModerationError> for Error {
    fn from(error: ModerationError) -> Self {
        Self(match error {
            ModerationError::NotAdmin => {
                MatrixError::forbidden("You are not an administrator of this server.")
            }
            ModerationError::NotLocal => {
                MatrixError::invalid_param("The user belongs to another server.")
            }
            ModerationError::NotFound => MatrixError::not_found("No such user here."),
            ModerationError::IsAdmin => {
                MatrixError::forbidden("Administrators can be neither locked nor suspended.")
            }
            ModerationError::Store(error) => error.into(),
        })
    }
}

impl From<SharedSecretError> for Error {
    fn from(error: SharedSecretError) -> Self {
        Self(match error {
            SharedSecretError::Disabled => bad_request(
                ErrorCode::Unknown,
                "Registration by a shared secret is not enabled.",
            ),
            SharedSecretError::UnknownNonce => unknown_nonce(),
            SharedSecretError::WrongSignature => MatrixError::forbidden("The `mac` is wrong."),
        })
    }
}

fn bad_request(kind: ErrorCode, message: &str) -> MatrixError {
    MatrixError::new(StatusCode::BAD_REQUEST, kind, message)
}

fn invalid_device() -> MatrixError {
    MatrixError::invalid_param(
        "`device_id` and `initial_device_display_name` may have 255 bytes, and not none.",
    )
}

fn unknown_nonce() -> MatrixError {
    bad_request(
        ErrorCode::Unknown,
        "The `nonce` is unknown, has expired or was used before.",
    )
}

pub(super) fn not_approved() -> MatrixError {
    MatrixError::new(
        StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden,
        "This authentication does not hold any more; begin again.",
    )
}
