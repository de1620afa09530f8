//! Pages for people with a browser: what is running here (`GET /`), and the guide
//! (`GET /_myelin/guide`), which makes the requests that it explains.
//!
//! They are files in the binary. The policy that comes with them lets a page load nothing but our
//! own files, and no script or style that stands in the page itself.

mod file;

use std::borrow::Cow;

use axum::response::Response;
use http::Method;
use myelin_http::{Public, Raw, Routes};

pub(crate) use self::file::answer;
use crate::{ClientApi, Error};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What pages load: path, content type, text.
const FILES: [(&str, &str, &str); 6] = [
    (
        "/_myelin/application.js",
        SCRIPT,
        include_str!("pages/application.js"),
    ),
    ("/_myelin/calls.js", SCRIPT, include_str!("pages/calls.js")),
    ("/_myelin/guide.js", SCRIPT, include_str!("pages/guide.js")),
    (
        "/_myelin/icon.svg",
        "image/svg+xml",
        include_str!("pages/icon.svg"),
    ),
    ("/_myelin/show.js", SCRIPT, include_str!("pages/show.js")),
    (
        "/_myelin/style.css",
        "text/css; charset=utf-8",
        include_str!("pages/style.css"),
    ),
];

/// The pages and what they load.
pub(crate) fn routes() -> Routes<ClientApi> {
    let get = &Method::GET;
    let pages = Routes::new()
        .route(get, "/", front)
        .route(get, "/_myelin/guide", guide);
    FILES.into_iter().fold(pages, |routes, (path, kind, text)| {
        let handler = async move |_: ClientApi, call: Public<Raw>| {
            Ok::<_, Error>(answer(&call.body, kind, text.into()))
        };
        routes.route(get, path, handler)
    })
}

async fn front(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    Ok(page(&api, &call.body, include_str!("pages/front.html")))
}

async fn guide(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    Ok(page(&api, &call.body, include_str!("pages/guide.html")))
}

/// A page with the facts of this server in it.
fn page(api: &ClientApi, raw: &Raw, text: &str) -> Response {
    let facts = [
        ("{{server_name}}", api.app.server.name.as_str()),
        ("{{base_url}}", &api.app.settings.base_url),
        ("{{version}}", env!("CARGO_PKG_VERSION")),
    ];
    let text = facts.iter().fold(text.to_owned(), |text, (name, fact)| {
        text.replace(name, &escaped(fact))
    });
    answer(raw, HTML, Cow::Owned(text))
}

/// Text that may stand in HTML, also in a quoted attribute.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_cannot_become_markup() {
        assert_eq!(
            escaped("<a b=\"c\">&amp;"),
            "&lt;a b=&quot;c&quot;&gt;&amp;amp;"
        );
    }

    #[test]
    fn pages_have_no_script_or_style_of_their_own() {
        for page in [
            include_str!("pages/front.html"),
            include_str!("pages/guide.html"),
        ] {
            for (index, _) in page.match_indices("<script") {
                let tag = page[index..].split('>').next().unwrap_or_default();
                assert!(tag.contains("src=\"/_myelin/"), "{tag}");
            }
            for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
                assert!(!page.contains(inline), "{inline}");
            }
        }
    }
}
