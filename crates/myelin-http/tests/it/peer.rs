//! Requests by other servers: what is believed and what is refused.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use myelin_core::{server::Server, signing_key::SigningKey};
use myelin_http::{
    App, HttpSettings, MatrixError, Peer, RateLimits, Raw, Routes, finish, json_response,
};
use myelin_net::{FederationSettings, Reply, Transport, TransportError, XMatrix};
use ruma::{CanonicalJsonObject, ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::support::{CountingChance, StoppedClock, app_in};

const PATH: &str = "/_matrix/federation/v1/echo/a%2Fb?x=%20y&z";

async fn echo(_: App, call: Peer<Raw>) -> Result<Response, MatrixError> {
    let body = json!({
        "origin": call.origin,
        "path": call.body.path,
        "bytes": call.body.bytes.len(),
    });
    Ok(json_response(StatusCode::OK, &body))
}

/// A network in which servers of these names tell their keys.
struct Keys {
    servers: Vec<Server>,
    asked: AtomicUsize,
}

impl Transport for Keys {
    fn send<'a>(&'a self, destination: &'a ServerName, request: Request<Bytes>) -> Reply<'a> {
        assert_eq!(request.uri().path(), "/_matrix/key/v2/server");
        self.asked.fetch_add(1, Ordering::Relaxed);
        let server = self.servers.iter().find(|one| one.name == *destination);
        let answer = server.map(|server| {
            let keys = json!({
                "server_name": server.name,
                "valid_until_ts": server.now_ms() + 1000,
                "verify_keys": {server.key.key_id(): {"key": server.key.public_key_base64()}},
                "old_verify_keys": {},
            });
            let mut object: CanonicalJsonObject = serde_json::from_value(keys).unwrap();
            server.key.sign_object(&server.name, &mut object).unwrap();
            let body = Full::from(serde_json::to_vec(&object).unwrap());
            http::Response::new(body.map_err(|never| match never {}).boxed_unsync())
        });
        let unreachable = TransportError::Unreachable {
            server: destination.to_string(),
            reason: "nobody is there".to_owned(),
        };
        Box::pin(std::future::ready(answer.ok_or(unreachable)))
    }
}

fn server(name: &str) -> Server {
    let seed = name
        .bytes()
        .fold(3, |seed: u8, byte| seed.wrapping_mul(31) ^ byte);
    Server {
        name: name.try_into().unwrap(),
        key: SigningKey::from_seed("1", [seed; 32]),
        clock: Arc::new(StoppedClock),
        chance: Arc::new(CountingChance(AtomicU64::new(1))),
    }
}

struct World {
    router: Router,
    keys: Arc<Keys>,
    peer: Server,
    _directory: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(FederationSettings::default(), None).await
    }

    async fn with(federation: FederationSettings, limits: Option<RateLimits>) -> Self {
        let directory = TempDir::new().unwrap();
        let names = ["peer.example", "peer.example:8448", "other.example"];
        let keys = Arc::new(Keys {
            servers: names.map(server).into(),
            asked: AtomicUsize::new(0),
        });
        let settings = HttpSettings {
            rate_limits: limits,
            ..HttpSettings::default()
        };
        let app = app_in(&directory, settings, keys.clone(), federation).await;
        let path = "/_matrix/federation/v1/echo/{text}";
        let routes = [Method::GET, Method::PUT]
            .into_iter()
            .fold(Routes::new(), |routes, method| {
                routes.route(&method, path, echo)
            });
        let router = routes.into_router().with_state(app.clone());
        Self {
            router: finish(app, router),
            keys,
            peer: server("peer.example"),
            _directory: directory,
        }
    }

    async fn send(&self, request: Request<String>) -> (u16, Value) {
        let request = request.map(Body::from);
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// The request is refused, and the message contains this.
    async fn assert_unauthorized(&self, request: Request<String>, says: &str) {
        let (status, body) = self.send(request).await;
        assert_eq!((status, &body["errcode"]), (401, &json!("M_UNAUTHORIZED")));
        let error = body["error"].as_str().unwrap();
        assert!(error.contains(says), "{error}");
    }

    async fn status(&self, from: &Server) -> u16 {
        self.send(signed(from, put("{}"))).await.0
    }
}

fn put(body: &str) -> Request<String> {
    Request::put(PATH).body(body.to_owned()).unwrap()
}

/// The request with the credentials of a server, for `example.org`.
fn signed(from: &Server, request: Request<String>) -> Request<String> {
    signed_for("example.org", from, request)
}

fn signed_for(destination: &str, from: &Server, mut request: Request<String>) -> Request<String> {
    let destination = ServerName::parse(destination).unwrap();
    XMatrix::sign(from, &destination, &mut request).unwrap();
    request
}

/// The request with another text in its credentials.
fn with_header(mut request: Request<String>, change: impl Fn(&str) -> String) -> Request<String> {
    let header = request.headers()[header::AUTHORIZATION].to_str().unwrap();
    let changed = change(header).parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, changed);
    request
}

#[tokio::test]
async fn a_signed_request_is_let_in() {
    let world = World::new().await;
    let get = Request::get(PATH).body(String::new()).unwrap();
    for (request, bytes) in [(get, 0), (put("{\"b\": 1, \"a\": [2]}"), 18)] {
        let (status, body) = world.send(signed(&world.peer, request)).await;
        let wanted = json!({"origin": "peer.example", "path": ["a/b"], "bytes": bytes});
        assert_eq!((status, body), (200, wanted));
    }
    assert_eq!(world.keys.asked.load(Ordering::Relaxed), 1);
}

/// As the specification wants them read, and as older servers write them.
#[tokio::test]
async fn credentials_may_be_written_in_many_ways() {
    let world = World::new().await;
    let changes: [fn(&str) -> String; 6] = [
        |header| header.replace("\"ed25519:1\"", "ed25519:1"),
        |header| header.replacen("X-Matrix ", "x-matrix   ", 1),
        |header| header.replace(',', " ,\t "),
        |header| header.replace("origin=", "ORIGIN="),
        |header| header.replace("origin=peer.example", "origin=\"peer\\.example\""),
        |header| format!("{header},extra=\"1\""),
    ];
    for change in changes {
        let request = with_header(signed(&world.peer, put("{}")), change);
        let header = request.headers()[header::AUTHORIZATION].clone();
        let (status, body) = world.send(request).await;
        assert_eq!(status, 200, "{header:?} {body}");
    }
    // The destination was not always there; it is signed all the same.
    let request = with_header(signed(&world.peer, put("{}")), |header| {
        let parameters = header.strip_prefix("X-Matrix ").unwrap().split(',');
        let kept = parameters.filter(|one| !one.starts_with("destination"));
        format!("X-Matrix {}", kept.collect::<Vec<_>>().join(","))
    });
    assert_eq!(world.send(request).await.0, 200);
}

#[tokio::test]
async fn an_unsigned_request_is_refused() {
    let world = World::new().await;
    world.assert_unauthorized(put("{}"), "").await;
    for text in [
        "X-Matrix",
        "Bearer x",
        "X-Matrix origin=peer.example",
        "X-Matrix =,",
    ] {
        let mut request = put("{}");
        let value = text.parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
        world.assert_unauthorized(request, "").await;
    }
    assert_eq!(world.keys.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_request_to_another_server_is_refused() {
    let world = World::new().await;
    for destination in ["other.example", "example.org:8448", "EXAMPLE.org"] {
        let request = signed_for(destination, &world.peer, put("{}"));
        world
            .assert_unauthorized(request, &format!("addressed to {destination}"))
            .await;
    }
    // Not saying it does not help: it is signed.
    let request = signed_for("other.example", &world.peer, put("{}"));
    let request = with_header(request, |header| header.replace("destination", "ignored"));
    world.assert_unauthorized(request, "signature").await;
}

#[tokio::test]
async fn a_request_signed_by_another_server_is_refused() {
    let world = World::new().await;
    let request = with_header(signed(&server("other.example"), put("{}")), |header| {
        header.replace("other.example", "peer.example")
    });
    world.assert_unauthorized(request, "signature").await;
    // A name with another port is another server.
    let request = with_header(signed(&world.peer, put("{}")), |header| {
        header.replace("origin=peer.example", "origin=\"peer.example:8448\"")
    });
    world.assert_unauthorized(request, "signature").await;
}

#[tokio::test]
async fn a_request_that_was_changed_is_refused() {
    let world = World::new().await;
    let sign = || signed(&world.peer, put("{\"a\": 1}"));
    let mut body = sign();
    *body.body_mut() = "{\"a\": 2}".to_owned();
    let mut no_body = sign();
    *no_body.body_mut() = String::new();
    let mut path = sign();
    *path.uri_mut() = PATH.replace("a%2Fb", "a%2fb").parse().unwrap();
    let mut query = sign();
    *query.uri_mut() = PATH.replace("&z", "").parse().unwrap();
    let mut method = signed(&world.peer, Request::get(PATH).body(String::new()).unwrap());
    *method.method_mut() = Method::PUT;
    for request in [body, no_body, path, query, method] {
        world.assert_unauthorized(request, "signature").await;
    }
    let mut nonsense = sign();
    *nonsense.body_mut() = "{\"a\": 1".to_owned();
    let (status, body) = world.send(nonsense).await;
    assert_eq!((status, &body["errcode"]), (400, &json!("M_NOT_JSON")));
}

#[tokio::test]
async fn a_request_of_which_no_key_can_be_had_is_refused() {
    let world = World::new().await;
    let request = signed(&server("gone.example"), put("{}"));
    world.assert_unauthorized(request, "cannot be had").await;
    let request = with_header(signed(&world.peer, put("{}")), |header| {
        header.replace("ed25519:1", "ed25519:2")
    });
    world.assert_unauthorized(request, "cannot be had").await;
}

#[tokio::test]
async fn nobody_else_speaks_for_this_server() {
    let world = World::new().await;
    let mut ourselves = server("example.org");
    ourselves.key = SigningKey::from_seed("test", [1; 32]);
    let request = signed(&ourselves, put("{}"));
    world
        .assert_unauthorized(request, "this server's own")
        .await;
}

#[tokio::test]
async fn only_servers_that_are_allowed_are_let_in() {
    let world = World::with(
        FederationSettings {
            allow: vec!["peer.*".to_owned(), "other.*".to_owned()],
            deny: vec!["OTHER.example".to_owned()],
            ..FederationSettings::default()
        },
        None,
    )
    .await;
    assert_eq!(world.status(&world.peer).await, 200);
    assert_eq!(world.status(&server("peer.example:8448")).await, 200);
    for name in ["other.example", "third.example"] {
        let (status, body) = world.send(signed(&server(name), put("{}"))).await;
        assert_eq!((status, &body["errcode"]), (403, &json!("M_FORBIDDEN")));
    }
}

fn limits() -> RateLimits {
    RateLimits {
        federation: "0.1/3".parse().unwrap(),
        ..RateLimits::default()
    }
}

#[tokio::test]
async fn each_server_is_limited_for_itself() {
    let world = World::with(FederationSettings::default(), Some(limits())).await;
    for _ in 0..3 {
        assert_eq!(world.status(&world.peer).await, 200);
    }
    let (status, body) = world.send(signed(&world.peer, put("{}"))).await;
    assert_eq!(
        (status, &body["errcode"]),
        (429, &json!("M_LIMIT_EXCEEDED"))
    );
    assert_eq!(body["retry_after_ms"], 10_000);
    assert_eq!(world.status(&server("other.example")).await, 200);
}

/// Whoever names another server in vain does not use up its allowance, but their own.
#[tokio::test]
async fn a_false_name_is_held_against_the_address() {
    let world = World::with(FederationSettings::default(), Some(limits())).await;
    let forged = || {
        with_header(signed(&server("other.example"), put("{}")), |header| {
            header.replace("other.example", "peer.example")
        })
    };
    for _ in 0..3 {
        assert_eq!(world.send(forged()).await.0, 401);
    }
    assert_eq!(world.send(forged()).await.0, 429);
    let mut from_elsewhere = signed(&world.peer, put("{}"));
    let address = myelin_http::PeerAddress("192.0.2.1:1".parse().unwrap());
    from_elsewhere.extensions_mut().insert(address);
    assert_eq!(world.send(from_elsewhere).await.0, 200);
}
