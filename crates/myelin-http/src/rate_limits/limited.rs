//! Which request counts as what.

use axum::extract::MatchedPath;
use http::{Method, request::Parts};

use super::Kind;

const GET: Method = Method::GET;
const PUT: Method = Method::PUT;
const POST: Method = Method::POST;

/// What a request counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limited {
    /// What it is counted with.
    pub(crate) kind: Kind,
    /// Whether its failure, an answer 403, is counted as a failed login.
    pub(crate) is_login: bool,
}

/// Endpoints by the pattern of their path behind the version, in all versions of the API.
const LIMITED: &[(Kind, Method, &str)] = &[
    (Kind::Login, POST, "/login"),
    (Kind::Registration, POST, "/register"),
    (
        Kind::Registration,
        GET,
        "/register/m.login.registration_token/validity",
    ),
    (Kind::Other, GET, "/register/available"),
    (Kind::Messages, PUT, "/rooms/{}/send/{}/{}"),
    (Kind::Messages, POST, "/rooms/{}/send/{}"),
    (Kind::Messages, PUT, "/rooms/{}/state/{}"),
    (Kind::Messages, PUT, "/rooms/{}/state/{}/"),
    (Kind::Messages, PUT, "/rooms/{}/state/{}/{}"),
    (Kind::Messages, PUT, "/rooms/{}/redact/{}/{}"),
    (Kind::Messages, POST, "/rooms/{}/redact/{}"),
    (Kind::Messages, PUT, "/rooms/{}/delayed_event/{}/{}"),
    (
        Kind::Messages,
        PUT,
        "/org.matrix.msc4140/rooms/{}/delayed_event/{}/{}",
    ),
    (Kind::Messages, POST, "/delayed_events/{}/send"),
    (
        Kind::Messages,
        POST,
        "/org.matrix.msc4140/delayed_events/{}/send",
    ),
    (Kind::Other, GET, "/delayed_events"),
    (Kind::Other, GET, "/delayed_events/{}"),
    (Kind::Other, GET, "/org.matrix.msc4140/delayed_events"),
    (Kind::Other, GET, "/org.matrix.msc4140/delayed_events/{}"),
    (Kind::Joins, POST, "/join/{}"),
    (Kind::Joins, PUT, "/join/{}/{}"),
    (Kind::Joins, POST, "/rooms/{}/join"),
    (Kind::Joins, PUT, "/rooms/{}/join/{}"),
    (Kind::Joins, POST, "/knock/{}"),
    (Kind::Invites, POST, "/rooms/{}/invite"),
    (Kind::Invites, PUT, "/rooms/{}/invite/{}"),
    (Kind::RoomCreation, POST, "/createRoom"),
    (Kind::RoomCreation, PUT, "/createRoom/{}"),
    (Kind::RoomCreation, POST, "/rooms/{}/upgrade"),
    (Kind::Reports, POST, "/rooms/{}/report"),
    (Kind::Reports, POST, "/rooms/{}/report/{}"),
    (Kind::Reports, POST, "/users/{}/report"),
];

/// What a request of the client-server API counts as; None: it is not limited. What changes
/// nothing is not, for it is bounded by what a client can take in, unless a specification says so.
pub(crate) fn limited(parts: &Parts) -> Option<Limited> {
    let matched = parts.extensions.get::<MatchedPath>();
    let pattern = matched.map_or(parts.uri.path(), MatchedPath::as_str);
    kind_of(&parts.method, pattern)
}

fn kind_of(method: &Method, pattern: &str) -> Option<Limited> {
    let path = without_version(pattern)?;
    let listed = LIMITED
        .iter()
        .find(|(_, listed, pattern)| listed == method && *pattern == path);
    let kind = match listed {
        Some((kind, ..)) => *kind,
        None if *method == GET || *method == Method::OPTIONS => return None,
        None => Kind::Other,
    };
    Some(Limited {
        kind,
        is_login: kind == Kind::Login,
    })
}

/// What comes behind the version, with parameters without names; None: not of this API.
fn without_version(pattern: &str) -> Option<String> {
    let rest = pattern.strip_prefix("/_matrix/client/")?;
    let rest = rest.strip_prefix("api/").unwrap_or(rest);
    let (_version, rest) = rest.split_once('/')?;
    let parts = rest
        .split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part });
    Some(format!("/{}", parts.collect::<Vec<_>>().join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_of_an_endpoint_counts_alike() {
        for (method, pattern, wanted) in [
            (POST, "/_matrix/client/v3/login", Some(Kind::Login)),
            (POST, "/_matrix/client/r0/login", Some(Kind::Login)),
            (POST, "/_matrix/client/api/v1/login", Some(Kind::Login)),
            (GET, "/_matrix/client/v3/login", None),
            (
                PUT,
                "/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{txn_id}",
                Some(Kind::Messages),
            ),
            (
                PUT,
                "/_matrix/client/v3/rooms/{room_id}/typing/{user_id}",
                Some(Kind::Other),
            ),
            (GET, "/_matrix/client/v3/rooms/{room_id}/messages", None),
            (
                GET,
                "/_matrix/client/v3/register/available",
                Some(Kind::Other),
            ),
            (POST, "/_matrix/media/v3/upload", None),
            (GET, "/health", None),
            (POST, "/_matrix/client/v3", None),
        ] {
            let found = kind_of(&method, pattern).map(|limited| limited.kind);
            assert_eq!(found, wanted, "{method} {pattern}");
        }
    }
}
