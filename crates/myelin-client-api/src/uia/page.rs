//! How pages with a form are answered: kept by nobody, and sent back to nowhere but here.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};

/// Our own files only, forms to our own addresses only, no other page around this one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page.
pub(super) fn html(status: StatusCode, text: String) -> Response {
    file("text/html; charset=utf-8", status, text)
}

/// A script.
pub(super) fn script(text: &'static str) -> Response {
    file("text/javascript; charset=utf-8", StatusCode::OK, text)
}

fn file(content_type: &'static str, status: StatusCode, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
