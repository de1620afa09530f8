//! Whom the specification keeps from which endpoint: guests, locked and suspended users.
//!
//! The lists name endpoints by the pattern of their path below `/_matrix/client/VERSION`, so that
//! all versions of an endpoint are alike, the one of 2014 among them.

use axum::extract::MatchedPath;
use http::{Method, request::Parts};

const GET: Method = Method::GET;
const PUT: Method = Method::PUT;
const POST: Method = Method::POST;
const DELETE: Method = Method::DELETE;

/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#guest-access), "Client behaviour". Below
/// them is what was a `POST` in 2014, and what a session needs to end.
const OPEN_TO_GUESTS: &[(Method, &str)] = &[
    (GET, "/rooms/{}/state"),
    (GET, "/rooms/{}/context/{}"),
    (GET, "/rooms/{}/event/{}"),
    (GET, "/rooms/{}/state/{}"),
    (GET, "/rooms/{}/state/{}/{}"),
    (GET, "/rooms/{}/messages"),
    (GET, "/rooms/{}/members"),
    (GET, "/rooms/{}/initialSync"),
    (GET, "/sync"),
    (GET, "/events"),
    (GET, "/media/download/{}/{}"),
    (GET, "/media/download/{}/{}/{}"),
    (GET, "/media/thumbnail/{}/{}"),
    (POST, "/rooms/{}/join"),
    (POST, "/rooms/{}/leave"),
    (PUT, "/rooms/{}/send/{}/{}"),
    (PUT, "/rooms/{}/state/{}"),
    (PUT, "/rooms/{}/state/{}/{}"),
    (PUT, "/sendToDevice/{}/{}"),
    (GET, "/devices"),
    (GET, "/devices/{}"),
    (PUT, "/devices/{}"),
    (GET, "/account/whoami"),
    (POST, "/keys/upload"),
    (POST, "/keys/query"),
    (POST, "/keys/claim"),
    (POST, "/join/{}"),
    (POST, "/rooms/{}/send/{}"),
    (PUT, "/rooms/{}/join/{}"),
    (PUT, "/rooms/{}/leave/{}"),
    (POST, "/logout"),
    (POST, "/logout/all"),
    (GET, "/capabilities"),
    // MSC4140, "Guest accounts".
    (PUT, "/rooms/{}/delayed_event/{}/{}"),
    (PUT, "/org.matrix.msc4140/rooms/{}/delayed_event/{}/{}"),
    (GET, "/delayed_events"),
    (GET, "/org.matrix.msc4140/delayed_events"),
    (GET, "/delayed_events/{}"),
    (GET, "/org.matrix.msc4140/delayed_events/{}"),
    (POST, "/delayed_events/{}/send"),
    (POST, "/delayed_events/{}/cancel"),
    (POST, "/delayed_events/{}/restart"),
    (POST, "/org.matrix.msc4140/delayed_events/{}/send"),
    (POST, "/org.matrix.msc4140/delayed_events/{}/cancel"),
    (POST, "/org.matrix.msc4140/delayed_events/{}/restart"),
    (POST, "/org.matrix.msc4140/delayed_events/{}"),
];

/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#account-locking)
const OPEN_TO_LOCKED: &[(Method, &str)] = &[(POST, "/logout"), (POST, "/logout/all")];

/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#account-suspension): what others would
/// notice. Redactions are looked at where they are made, because one's own are allowed.
const CLOSED_TO_SUSPENDED: &[(Method, &str)] = &[
    (POST, "/join/{}"),
    (PUT, "/join/{}/{}"),
    (POST, "/rooms/{}/join"),
    (PUT, "/rooms/{}/join/{}"),
    (POST, "/knock/{}"),
    (POST, "/rooms/{}/invite"),
    (PUT, "/rooms/{}/invite/{}"),
    (POST, "/rooms/{}/kick"),
    (POST, "/rooms/{}/ban"),
    (PUT, "/rooms/{}/ban/{}"),
    (POST, "/rooms/{}/unban"),
    (POST, "/rooms/{}/upgrade"),
    (POST, "/rooms/{}/send/{}"),
    (PUT, "/rooms/{}/send/{}/{}"),
    (PUT, "/rooms/{}/state/{}"),
    (PUT, "/rooms/{}/state/{}/{}"),
    (PUT, "/rooms/{}/delayed_event/{}/{}"),
    (PUT, "/org.matrix.msc4140/rooms/{}/delayed_event/{}/{}"),
    (PUT, "/rooms/{}/typing/{}"),
    (POST, "/createRoom"),
    (PUT, "/createRoom/{}"),
    (PUT, "/profile/{}/{}"),
    (PUT, "/profile/{}/displayname"),
    (PUT, "/profile/{}/avatar_url"),
    (DELETE, "/profile/{}/{}"),
    (PUT, "/presence/{}/status"),
    (PUT, "/directory/room/{}"),
    (DELETE, "/directory/room/{}"),
    (PUT, "/directory/list/room/{}"),
    (POST, "/media/create"),
    (POST, "/media/upload"),
    (POST, "/upload"),
    (POST, "/create"),
    (PUT, "/upload/{}/{}"),
    (POST, "/account/3pid/delete"),
];

/// The endpoint that a request has reached.
pub(crate) struct Endpoint {
    method: Method,
    /// The pattern, without its beginning and without its parameters' names.
    path: String,
    /// The path that was asked for.
    asked: String,
}

impl Endpoint {
    pub(crate) fn of(parts: &Parts) -> Self {
        let matched = parts.extensions.get::<MatchedPath>();
        let pattern = matched.map_or(parts.uri.path(), MatchedPath::as_str);
        Self::new(parts.method.clone(), pattern, parts.uri.path())
    }

    fn new(method: Method, pattern: &str, asked: &str) -> Self {
        let pattern = ["/_matrix/client/api/", "/_matrix/client/", "/_matrix/"]
            .into_iter()
            .find_map(|prefix| pattern.strip_prefix(prefix))
            .unwrap_or_default();
        let mut path = String::with_capacity(pattern.len());
        // The first part is the version; an empty state key leaves a slash at the end.
        for part in pattern.trim_end_matches('/').split('/').skip(1) {
            path.push('/');
            path.push_str(if part.starts_with('{') { "{}" } else { part });
        }
        let asked = asked.to_owned();
        Self {
            method,
            path,
            asked,
        }
    }

    pub(crate) fn is_open_to_guests(&self) -> bool {
        // Of their profile, guests change the display name alone.
        self.is_in(OPEN_TO_GUESTS)
            || (self.is_write_of("/profile/{}/") && self.ends_in("displayname"))
    }

    pub(crate) fn is_open_to_locked(&self) -> bool {
        self.is_in(OPEN_TO_LOCKED)
    }

    pub(crate) fn is_open_to_suspended(&self) -> bool {
        let is_redaction = self.path == "/rooms/{}/send/{}/{}"
            && self.asked.split('/').rev().nth(1) == Some("m.room.redaction");
        is_redaction || !self.is_in(CLOSED_TO_SUSPENDED)
    }

    fn is_write_of(&self, prefix: &str) -> bool {
        (self.method == PUT || self.method == DELETE) && self.path.starts_with(prefix)
    }

    fn ends_in(&self, last: &str) -> bool {
        self.asked.rsplit('/').next() == Some(last)
    }

    fn is_in(&self, list: &[(Method, &str)]) -> bool {
        list.iter()
            .any(|(method, path)| *method == self.method && *path == self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(pattern: &str) -> Endpoint {
        Endpoint::new(GET, pattern, pattern)
    }

    #[test]
    fn every_version_of_an_endpoint_is_in_the_lists() {
        let cases = [
            ("/_matrix/client/v3/rooms/{room_id}/state", true),
            ("/_matrix/client/r0/rooms/{roomId}/state", true),
            ("/_matrix/client/api/v1/rooms/{room}/state", true),
            (
                "/_matrix/client/v3/rooms/{room_id}/state/{event_type}/",
                true,
            ),
            ("/_matrix/client/v3/rooms/{room_id}/aliases", false),
            ("/_matrix/client/v3/sync", true),
            ("/_matrix/client/v3", false),
            ("/sync", false),
            ("", false),
        ];
        for (pattern, is_open) in cases {
            let endpoint = get(pattern);
            assert_eq!(endpoint.is_open_to_guests(), is_open, "{pattern}");
            assert!(!endpoint.is_open_to_locked(), "{pattern}");
            assert!(endpoint.is_open_to_suspended(), "{pattern}");
        }
        let logout = "/_matrix/client/r0/logout";
        assert!(Endpoint::new(POST, logout, logout).is_open_to_locked());
    }

    #[test]
    fn some_lists_look_at_what_is_in_the_path() {
        let send = |event_type: &str| {
            let pattern = "/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{txn_id}";
            let asked = format!("/_matrix/client/v3/rooms/!r/send/{event_type}/1");
            Endpoint::new(PUT, pattern, &asked).is_open_to_suspended()
        };
        assert!(!send("m.room.message"));
        assert!(send("m.room.redaction"));
        let profile = |method: Method, field: &str| {
            let pattern = "/_matrix/client/v3/profile/{user_id}/{field}";
            let asked = format!("/_matrix/client/v3/profile/@g:localhost/{field}");
            Endpoint::new(method, pattern, &asked).is_open_to_guests()
        };
        assert!(profile(PUT, "displayname"));
        assert!(profile(DELETE, "displayname"));
        assert!(!profile(PUT, "avatar_url"));
        assert!(!profile(POST, "displayname"));
    }
}
