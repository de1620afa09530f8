//! `GET /_matrix/client/api/v1/login/fallback`, and the same page at `/_matrix/static/client/login/`

use axum::response::Response;
use http::Method;
use myelin_http::{Public, Raw, Routes};

use super::path;
use crate::{ClientApi, Error, pages::answer};

const SCRIPT_PATH: &str = "/_matrix/static/client/login/login.js";
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

async fn login_fallback_page(_: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    let page = include_str!("login_fallback/page.html");
    Ok(answer(&call.body, "text/html; charset=utf-8", page.into()))
}

async fn login_fallback_script(_: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    let script = include_str!("login_fallback/login.js");
    let content_type = "text/javascript; charset=utf-8";
    Ok(answer(&call.body, content_type, script.into()))
}
