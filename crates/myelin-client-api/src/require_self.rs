//! Endpoints whose path names the user although only that user may use them.

use myelin_http::MatrixError;
use ruma::UserId;

/// Refuses whoever names another user than themselves.
pub(crate) fn require_self(caller: &UserId, named: &UserId) -> Result<(), MatrixError> {
    if caller == named {
        Ok(())
    } else {
        Err(MatrixError::forbidden(format!("You are not {named}.")))
    }
}
