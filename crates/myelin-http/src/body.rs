//! Bodies: read raw, whatever their Content-Type says.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ruma::api::error::ErrorCode;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{MatrixError, json_error};

/// A body of at most a few megabytes that takes longer is sent to hold the connection open.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// Parses a JSON object; an empty body counts as `{}`.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, MatrixError> {
    let body = or_empty_object(body);
    require_object(body)?;
    serde_json::from_slice(body).map_err(|error| json_error::describe(body, &error))
}

/// The body, or `{}` for none at all, which clients send for "nothing to say".
pub(crate) fn or_empty_object(body: &[u8]) -> &[u8] {
    if body.is_empty() { b"{}" } else { body }
}

/// Refuses what is JSON but no object: serde would take an array for a structure.
pub(crate) fn require_object(body: &[u8]) -> Result<(), MatrixError> {
    if body
        .trim_ascii_start()
        .first()
        .is_none_or(|&byte| byte == b'{')
    {
        return Ok(());
    }
    let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(body);
    Err(match parsed {
        Ok(_) => MatrixError::bad_json("The body must be a JSON object."),
        Err(error) => MatrixError::not_json(format!("The body is not JSON: {error}.")),
    })
}

/// Reads a whole body of at most `bytes_max`.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes, MatrixError> {
    let too_large =
        || MatrixError::too_large(format!("The body is larger than {bytes_max} bytes."));
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    let Ok(read) = timeout(READ_TIMEOUT, Limited::new(body, bytes_max).collect()).await else {
        return Err(MatrixError::new(
            StatusCode::REQUEST_TIMEOUT,
            ErrorCode::Unknown,
            "The body took too long.",
        ));
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        // Nobody reads this answer: the connection broke.
        Err(_) => Err(MatrixError::bad_json("The body ended early.")),
    }
}
