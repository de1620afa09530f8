//! What people see who try the API with curl: JSON with line breaks, as the guide prints it.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use myelin_http::MatrixError;
use serde::Serialize;
use serde_json::{
    Value,
    ser::{PrettyFormatter, Serializer},
};

/// Indents the JSON of an answer to curl.
pub(super) async fn indent(request: Request, next: Next) -> Response {
    let is_curl = contains(request.headers(), &header::USER_AGENT, "curl");
    let response = next.run(request).await;
    if !is_curl
        || !contains(
            response.headers(),
            &header::CONTENT_TYPE,
            "application/json",
        )
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // The answer was made in memory, so reading it can neither fail nor be too much.
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            let text = indented(&bytes).unwrap_or_else(|| bytes.to_vec());
            Response::from_parts(parts, Body::from(text))
        }
        Err(error) => MatrixError::internal(error).into_response(),
    }
}

fn indented(json: &[u8]) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let mut text = Vec::with_capacity(json.len() * 2);
    let formatter = PrettyFormatter::with_indent(b"    ");
    value
        .serialize(&mut Serializer::with_formatter(&mut text, formatter))
        .ok()?;
    text.push(b'\n');
    Some(text)
}

fn contains(headers: &HeaderMap, name: &header::HeaderName, part: &str) -> bool {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains(part))
}
