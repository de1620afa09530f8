//! Another server, played by the test: it has a name and a key, signs its requests, and answers
//! what it is told to answer.

use std::sync::{Arc, Weak};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use myelin_core::{server::Server, signing_key::SigningKey};
use myelin_net::XMatrix;
use parking_lot::{Mutex, RwLock};
use ruma::{CanonicalJsonObject, OwnedServerName};
use serde_json::{Value, json};

use crate::{
    Answer, Measured, Network, SeededChance, TestClock, TestServer,
    network::{Site, SiteAnswer},
};

type Handler = Arc<dyn Fn(&Request<Bytes>) -> Response<Body> + Send + Sync>;

/// A request that the peer was sent.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// Its body; null if there was none.
    pub body: Value,
    /// The status with which it was answered.
    pub status: u16,
}

/// Where transactions are sent.
const SEND: &str = "/_matrix/federation/v1/send/";

/// A server that the test plays.
pub struct Peer {
    /// Its name, key, clock and chance, to make events with.
    pub server: Arc<Server>,
    /// The last one whose method and beginning of the path fit a request answers it.
    handlers: RwLock<Vec<(Method, String, Handler)>>,
    received: Mutex<Vec<Received>>,
}

impl Peer {
    /// A peer of this name in the network, which tells its key to whoever asks, takes every
    /// transaction and knows nothing else. It is gone when the last handle to it is.
    pub fn start(network: &Arc<Network>, name: &str) -> Arc<Self> {
        let name = OwnedServerName::try_from(name).expect("the name is valid");
        let seed = name
            .as_str()
            .bytes()
            .fold(7, |seed: u8, byte| seed.wrapping_mul(31) ^ byte);
        let peer = Arc::new(Self {
            server: Arc::new(Server {
                key: SigningKey::from_seed("peer", [seed; 32]),
                clock: Arc::new(TestClock::default()),
                chance: Arc::new(SeededChance::new(seed.into())),
                name: name.clone(),
            }),
            handlers: RwLock::default(),
            received: Mutex::default(),
        });
        let keys = peer.keys();
        peer.answer(Method::GET, "/_matrix/key/v2/server", move |_| {
            (200, keys.clone())
        });
        peer.answer(Method::PUT, SEND, |_| (200, json!({"pdus": {}})));
        let site: Weak<dyn Site> = Arc::downgrade(&(peer.clone() as Arc<dyn Site>));
        network.join(name.as_str(), site);
        peer
    }

    /// What the peer tells of its keys, signed.
    pub fn keys(&self) -> Value {
        let key = &self.server.key;
        let valid_until = self.server.now_ms() + 7 * 24 * 60 * 60 * 1000;
        self.sign(json!({
            "server_name": self.server.name,
            "valid_until_ts": valid_until,
            "verify_keys": {key.key_id(): {"key": key.public_key_base64()}},
            "old_verify_keys": {},
        }))
    }

    /// The object with the peer's signature.
    pub fn sign(&self, object: Value) -> Value {
        let mut object: CanonicalJsonObject =
            serde_json::from_value(object).expect("the test gives canonical JSON");
        let signed = self.server.key.sign_object(&self.server.name, &mut object);
        signed.expect("an object can be signed");
        serde_json::to_value(object).expect("JSON is JSON")
    }

    /// From now on the peer answers requests whose path begins so by this.
    pub fn answer(
        &self,
        method: Method,
        path: &str,
        handler: impl Fn(&Request<Bytes>) -> (u16, Value) + Send + Sync + 'static,
    ) {
        self.answer_with(method, path, move |request| {
            let (status, body) = handler(request);
            response(status, Body::from(body.to_string()))
        });
    }

    /// The same with a body that need not be JSON, nor ever end.
    pub fn answer_with(
        &self,
        method: Method,
        path: &str,
        handler: impl Fn(&Request<Bytes>) -> Response<Body> + Send + Sync + 'static,
    ) {
        let handler = (method, path.to_owned(), Arc::new(handler) as Handler);
        self.handlers.write().push(handler);
    }

    /// The requests that came so far, the oldest first, without those for keys and transactions.
    pub fn received(&self) -> Vec<Received> {
        let mut received = self.received.lock().clone();
        received.retain(|request| !request.path.starts_with(SEND));
        received
    }

    /// The transactions that came so far, the oldest first, whatever they were answered.
    pub fn transactions(&self) -> Vec<Received> {
        let mut received = self.received.lock().clone();
        received.retain(|request| request.path.starts_with(SEND));
        received
    }

    /// The events of the transactions that were taken, in the order in which they came.
    pub fn pdus(&self) -> Vec<Value> {
        self.taken("pdus")
    }

    /// The same of EDUs.
    pub fn edus(&self) -> Vec<Value> {
        self.taken("edus")
    }

    fn taken(&self, key: &str) -> Vec<Value> {
        let taken = self.transactions().into_iter();
        taken
            .filter(|request| request.status == 200)
            .flat_map(|request| request.body[key].as_array().cloned().unwrap_or_default())
            .collect()
    }

    /// Sends a signed request to a server and waits for the answer.
    pub async fn call(
        &self,
        server: &TestServer,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(body.map_or_else(String::new, |body| body.to_string()))
            .expect("a test gives a valid path");
        let destination = server.name().try_into().expect("the name is valid");
        XMatrix::sign(&self.server, destination, &mut request).expect("the request can be signed");
        server.call(request).await
    }

    /// As [`Peer::call`], for large answers: they are only measured.
    pub async fn measure(
        &self,
        server: &TestServer,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Measured {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(body.map_or_else(String::new, |body| body.to_string()))
            .expect("a test gives a valid path");
        let destination = server.name().try_into().expect("the name is valid");
        XMatrix::sign(&self.server, destination, &mut request).expect("the request can be signed");
        server.measure(request).await
    }

    /// GET; as [`Peer::call`].
    pub async fn get(&self, server: &TestServer, path: &str) -> Answer {
        self.call(server, Method::GET, path, None).await
    }

    /// POST; as [`Peer::call`].
    pub async fn post(&self, server: &TestServer, path: &str, body: Value) -> Answer {
        self.call(server, Method::POST, path, Some(body)).await
    }

    /// PUT; as [`Peer::call`].
    pub async fn put(&self, server: &TestServer, path: &str, body: Value) -> Answer {
        self.call(server, Method::PUT, path, Some(body)).await
    }

    /// PUT of what need not be JSON: what cannot be signed is sent with the signature of an empty
    /// body.
    pub async fn put_text(&self, server: &TestServer, path: &str, body: String) -> Answer {
        let destination = server.name().try_into().expect("the name is valid");
        let request = |body| Request::put(path).body(body).expect("a valid path");
        let mut signed = request(body.clone());
        if XMatrix::sign(&self.server, destination, &mut signed).is_err() {
            signed = request(String::new());
            let empty = XMatrix::sign(&self.server, destination, &mut signed);
            empty.expect("an empty body can be signed");
            *signed.body_mut() = body;
        }
        server.call(signed).await
    }

    /// `PUT /_matrix/federation/v1/send/{txnId}` with a transaction id of its own.
    pub async fn transaction(
        &self,
        server: &TestServer,
        pdus: Vec<Value>,
        edus: Vec<Value>,
    ) -> Answer {
        let path = format!(
            "/_matrix/federation/v1/send/{}",
            self.server.random_letters(12)
        );
        let body = json!({
            "origin": self.server.name,
            "origin_server_ts": self.server.now_ms(),
            "pdus": pdus,
            "edus": edus,
        });
        self.put(server, &path, body).await
    }

    fn respond(&self, request: &Request<Bytes>) -> Response<Body> {
        let path = request.uri().to_string();
        let handler = {
            let handlers = self.handlers.read();
            let fits = |(method, prefix, _): &&(Method, String, Handler)| {
                method == request.method() && path.starts_with(prefix)
            };
            handlers
                .iter()
                .rev()
                .find(fits)
                .map(|(_, _, handler)| handler.clone())
        };
        let unknown =
            json!({"errcode": "M_UNRECOGNIZED", "error": "The peer knows nothing of it."});
        let unknown = || response(404, Body::from(unknown.to_string()));
        let answer = handler.map_or_else(unknown, |handler| handler(request));
        if !path.starts_with("/_matrix/key/") {
            self.received.lock().push(Received {
                method: request.method().clone(),
                path,
                body: serde_json::from_slice(request.body()).unwrap_or_default(),
                status: answer.status().as_u16(),
            });
        }
        answer
    }
}

/// An answer with this status and body.
fn response(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("a test gives a status");
    response
}

impl Site for Peer {
    fn answer(&self, request: Request<Bytes>) -> SiteAnswer<'_> {
        Box::pin(std::future::ready(Some(self.respond(&request))))
    }
}
