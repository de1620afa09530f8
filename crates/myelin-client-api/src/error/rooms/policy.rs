//! What policy servers say.

use http::StatusCode;
use myelin_http::MatrixError;
use myelin_rooms::PolicyError;
use ruma::api::error::ErrorCode;

/// What a policy server says of an event that it refuses is told as it is (spec: "Validating Policy
/// Server signatures"). Of error codes only those that such a refusal can have: others would let a
/// room's policy server log out whoever speaks there.
pub(super) fn policy(error: PolicyError) -> MatrixError {
    let whole = format!("{error}.");
    match error {
        PolicyError::Refused {
            status,
            errcode,
            message,
            retry_after_ms,
            ..
        } => {
            let message = if message.is_empty() { whole } else { message };
            let kind = match (status, &*errcode) {
                (400, "M_FORBIDDEN" | "M_BAD_JSON" | "M_NOT_JSON")
                | (403, "M_FORBIDDEN")
                | (404, "M_NOT_FOUND" | "M_UNRECOGNIZED")
                | (429, "M_LIMIT_EXCEEDED") => ErrorCode::from(errcode),
                _ => return MatrixError::forbidden(message),
            };
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
            MatrixError {
                retry_after_ms: retry_after_ms.filter(|_| status == StatusCode::TOO_MANY_REQUESTS),
                ..MatrixError::new(status, kind, message)
            }
        }
        PolicyError::Unusable { .. } | PolicyError::Silent { .. } => {
            MatrixError::new(StatusCode::BAD_GATEWAY, ErrorCode::Unknown, whole)
        }
    }
}
