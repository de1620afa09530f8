//! `GET /_matrix/client/versions`

use http::Request;
use myelin_testkit::{Answer, TestServer, three_modes};

use crate::covers;

three_modes!(
    tells_anybody,
    names_versions_as_far_as_their_endpoints_are_there,
    names_features_that_are_there,
);

covers! {
    "GET /_matrix/client/versions":
        works = tells_anybody;
}

/// What each version has brought of what every server has to have. A server may do without OAuth
/// 2.0, single sign-on, search, pushers and application services; none of these came with a version
/// below.
const BROUGHT: [(&str, &[(&str, &str)]); 14] = [
    (
        "v1.6",
        &[("GET", "/_matrix/client/v1/rooms/!a:b/timestamp_to_event")],
    ),
    (
        "v1.7",
        &[
            ("POST", "/_matrix/client/v1/login/get_token"),
            ("POST", "/_matrix/media/v1/create"),
            ("PUT", "/_matrix/media/v3/upload/a/b"),
        ],
    ),
    ("v1.8", &[]),
    ("v1.9", &[]),
    ("v1.10", &[("GET", "/.well-known/matrix/support")]),
    (
        "v1.11",
        &[
            ("GET", "/_matrix/client/v1/media/config"),
            ("GET", "/_matrix/client/v1/media/download/a/b"),
            ("GET", "/_matrix/client/v1/media/download/a/b/c"),
            ("GET", "/_matrix/client/v1/media/preview_url"),
            ("GET", "/_matrix/client/v1/media/thumbnail/a/b"),
        ],
    ),
    ("v1.12", &[]),
    ("v1.13", &[("POST", "/_matrix/client/v3/rooms/!a:b/report")]),
    ("v1.14", &[("POST", "/_matrix/client/v3/users/@a:b/report")]),
    ("v1.15", &[("GET", "/_matrix/client/v1/room_summary/!a:b")]),
    ("v1.16", &[]),
    ("v1.17", &[]),
    (
        "v1.18",
        &[
            ("GET", "/_matrix/client/v1/admin/suspend/@a:b"),
            ("PUT", "/_matrix/client/v1/admin/suspend/@a:b"),
            ("GET", "/_matrix/client/v1/admin/lock/@a:b"),
            ("PUT", "/_matrix/client/v1/admin/lock/@a:b"),
        ],
    ),
    ("v1.19", &[("GET", "/_matrix/client/v1/mutual_rooms")]),
];

async fn call(server: &TestServer, (method, path): (&str, &str)) -> Answer {
    let request = Request::builder().method(method).uri(path);
    server.call(request.body(String::new()).unwrap()).await
}

async fn is_there(server: &TestServer, endpoint: (&str, &str)) -> bool {
    call(server, endpoint).await.code().1 != "M_UNRECOGNIZED"
}

async fn tells_anybody(server: &TestServer) {
    let answer = server.get("/_matrix/client/versions").await.ok();
    let named = answer["versions"].as_array().unwrap();
    for version in ["r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5"] {
        assert!(named.iter().any(|named| named == version), "{answer}");
    }
    // Whoever is logged in is told the same (v1.10).
    let alice = server.user("alice").await;
    let request = Request::builder()
        .uri("/_matrix/client/versions")
        .header("authorization", format!("Bearer {}", alice.token));
    let told = server.call(request.body(String::new()).unwrap()).await;
    assert_eq!(told.ok(), answer);
}

async fn names_versions_as_far_as_their_endpoints_are_there(server: &TestServer) {
    let answer = server.get("/_matrix/client/versions").await.ok();
    let named = answer["versions"].as_array().unwrap();
    let mut is_whole = true;
    for (version, endpoints) in BROUGHT {
        for endpoint in endpoints {
            is_whole = is_whole && is_there(server, *endpoint).await;
        }
        let is_named = named.iter().any(|named| named == version);
        assert_eq!(is_named, is_whole, "{version}: {named:?}");
    }
}

async fn names_features_that_are_there(server: &TestServer) {
    let answer = server.get("/_matrix/client/versions").await.ok();
    let features = &answer["unstable_features"];
    let unstable = "/_matrix/client/unstable";
    for (feature, method, path) in [
        (
            "org.matrix.msc2432",
            "GET",
            "org.matrix.msc2432/rooms/!a:b/aliases",
        ),
        (
            "org.matrix.msc3391",
            "DELETE",
            "org.matrix.msc3391/user/@a:b/account_data/x",
        ),
        (
            "org.matrix.msc3814",
            "GET",
            "org.matrix.msc3814.v1/dehydrated_device",
        ),
        (
            "org.matrix.msc3882",
            "POST",
            "org.matrix.msc3882/login/get_token",
        ),
        (
            "org.matrix.msc4151",
            "POST",
            "org.matrix.msc4151/rooms/!a:b/report",
        ),
        (
            "org.matrix.msc4260",
            "POST",
            "org.matrix.msc4260/users/@a:b/report",
        ),
        ("uk.tcpip.msc4133", "PUT", "uk.tcpip.msc4133/profile/@a:b/x"),
        (
            "uk.timedout.msc4323",
            "GET",
            "uk.timedout.msc4323/admin/lock/@a:b",
        ),
    ] {
        assert_eq!(features[feature], true, "{feature}");
        let path = format!("{unstable}/{path}");
        assert!(is_there(server, (method, &path)).await, "{path}");
    }
    for feature in [
        "com.beeper.msc4169",
        "org.matrix.msc3874",
        "org.matrix.msc3952_intentional_mentions",
        "org.matrix.msc3981",
        "org.matrix.msc4155",
        "org.matrix.msc4222.stable",
        "org.matrix.msc4380.stable",
        "uk.half-shot.msc2666.query_mutual_rooms.stable",
    ] {
        assert_eq!(features[feature], true, "{feature}");
    }
    // Sliding sync is not there, and media neither.
    for feature in ["org.matrix.simplified_msc3575", "org.matrix.msc3916.stable"] {
        assert!(features.get(feature).is_none(), "{feature}");
    }
}
