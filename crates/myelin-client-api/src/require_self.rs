//! Endpoints whose path names the user although only that user may use them.

use myelin_http::{Client, MatrixError, Raw};
use ruma::UserId;

/// Refuses whoever names another user than themselves.
pub(crate) fn require_self(caller: &UserId, named: &UserId) -> Result<(), MatrixError> {
    if caller == named {
        Ok(())
    } else {
        Err(MatrixError::forbidden(format!("You are not {named}.")))
    }
}

/// The same for a path whose first parameter is the user.
pub(crate) fn require_self_in_path(client: &Client<Raw>) -> Result<(), MatrixError> {
    let named = client.body.path.first().map_or("", String::as_str);
    let named = <&UserId>::try_from(named)
        .map_err(|_| MatrixError::invalid_param("The path holds no user id."))?;
    require_self(&client.user, named)
}
