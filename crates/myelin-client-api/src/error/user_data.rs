//! Failures of the use cases about what users keep and tell.

use http::StatusCode;
use myelin_accounts::{
    AccountDataError, ChangePushRulesError, CreateFilterError, ProfileError, TagError,
};
use myelin_core::push::PushRuleError;
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

impl From<CreateFilterError> for Error {
    fn from(error: CreateFilterError) -> Self {
        let message = format!("{error}.");
        Self(match error {
            CreateFilterError::NotAnObject(_) => MatrixError::bad_json(message),
            CreateFilterError::TooLarge => MatrixError::too_large(message),
            CreateFilterError::Store(error) => error.into(),
        })
    }
}

impl From<TagError> for Error {
    fn from(error: TagError) -> Self {
        let message = format!("{error}.");
        Self(match error {
            TagError::InvalidTag | TagError::InvalidOrder => MatrixError::invalid_param(message),
            TagError::TooMuch => MatrixError::too_large(message),
            TagError::Place(error) => return error.into(),
            TagError::Store(error) => error.into(),
        })
    }
}

impl From<ChangePushRulesError> for Error {
    fn from(error: ChangePushRulesError) -> Self {
        let error = match error {
            ChangePushRulesError::Rule(error) => error,
            ChangePushRulesError::Store(error) => return error.into(),
        };
        let message = format!("{error}.");
        let bad_request = |kind| MatrixError::new(StatusCode::BAD_REQUEST, kind, message.clone());
        Self(match error {
            PushRuleError::NotFound => MatrixError::not_found(message),
            PushRuleError::NoSuchNeighbour(_) => bad_request(ErrorCode::Unknown),
            PushRuleError::NoPattern => bad_request(ErrorCode::MissingParam),
            PushRuleError::Predefined(_)
            | PushRuleError::NoOwnRules(_)
            | PushRuleError::InvalidId
            | PushRuleError::InvalidAction
            | PushRuleError::InvalidCondition
            | PushRuleError::LongPattern => MatrixError::invalid_param(message),
            PushRuleError::TooMuch => MatrixError::too_large(message),
        })
    }
}

impl From<ProfileError> for Error {
    fn from(error: ProfileError) -> Self {
        let message = format!("{error}.");
        let bad_request = |kind| MatrixError::new(StatusCode::BAD_REQUEST, kind, message.clone());
        Self(match error {
            ProfileError::InvalidKey(_) | ProfileError::InvalidValue { .. } => {
                MatrixError::invalid_param(message)
            }
            ProfileError::KeyTooLarge => bad_request(ErrorCode::KeyTooLarge),
            ProfileError::TooLarge => bad_request(ErrorCode::ProfileTooLarge),
            ProfileError::Store(error) => error.into(),
        })
    }
}
