//! `GET /_matrix/client/api/v1/login/fallback`, and the same page at `/_matrix/static/client/login/`

use axum::{body::Body, response::Response};
use http::{HeaderValue, Method, header};
use myelin_http::{Public, Raw, Routes};

use super::path;
use crate::{ClientApi, Error};

const SCRIPT_PATH: &str = "/_matrix/static/client/login/login.js";
/// Scripts from our own files only, and no other page around this one.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Adds the page and its script.
pub(super) fn add(routes: Routes<ClientApi>) -> Routes<ClientApi> {
    routes
        .route(&Method::GET, &path("/login/fallback"), login_fallback_page)
        .route(
            &Method::GET,
            "/_matrix/static/client/login/",
            login_fallback_page,
        )
        .route(&Method::GET, SCRIPT_PATH, login_fallback_script)
}

async fn login_fallback_page(_: ClientApi, _: Public<Raw>) -> Result<Response, Error> {
    Ok(file(
        "text/html; charset=utf-8",
        include_str!("login_fallback/page.html"),
    ))
}

async fn login_fallback_script(_: ClientApi, _: Public<Raw>) -> Result<Response, Error> {
    Ok(file(
        "text/javascript; charset=utf-8",
        include_str!("login_fallback/login.js"),
    ))
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}
