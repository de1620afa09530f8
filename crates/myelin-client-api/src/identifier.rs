//! How requests name the user whose password they show.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#identifier-types)

use http::StatusCode;
use myelin_accounts::LoginName;
use myelin_http::MatrixError;
use ruma::api::error::ErrorCode;
use serde::Deserialize;

/// The object `identifier`.
#[derive(Deserialize)]
pub(crate) struct Identifier {
    #[serde(rename = "type")]
    kind: String,
    user: Option<String>,
}

impl Identifier {
    /// The name in an identifier, else in the key `user` of old.
    pub(crate) fn name(
        identifier: Option<Self>,
        user: Option<String>,
    ) -> Result<Option<LoginName>, MatrixError> {
        let Some(identifier) = identifier else {
            return Ok(user.map(LoginName::User));
        };
        match identifier.kind.as_str() {
            "m.id.user" => identifier
                .user
                .map(|user| Some(LoginName::User(user)))
                .ok_or_else(|| MatrixError::missing_param("identifier.user")),
            "m.id.thirdparty" | "m.id.phone" => Ok(Some(LoginName::Address)),
            _ => Err(MatrixError::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::Unknown,
                "Unknown type of `identifier`.",
            )),
        }
    }
}
