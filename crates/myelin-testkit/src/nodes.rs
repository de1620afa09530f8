//! The nodes of one server, who answers which request, and who commits where nobody does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use myelin_http::App;
use myelin_rooms::Rooms;
use myelin_store::Store;
use parking_lot::RwLock;
use tokio::{sync::Mutex, task::JoinSet};
use tower::ServiceExt;

use crate::{
    Answer,
    network::{Site, SiteAnswer},
};

/// Simulated time between two commits. It passes only when nobody has anything to do, so what a
/// commit contains depends on who asked for what, never on how fast this machine is.
const COMMIT_INTERVAL: Duration = Duration::from_millis(1);

/// One process's worth of a server.
pub(crate) struct Node {
    pub(crate) app: App,
    pub(crate) rooms: Rooms,
    pub(crate) router: Router,
    /// What goes on without requests, until the shutdown begins.
    pub(crate) background: Mutex<JoinSet<()>>,
}

impl Node {
    /// Waits for what goes on in the background, once the shutdown has begun.
    pub(crate) async fn background_ended(&self) {
        let mut background = self.background.lock().await;
        while let Some(ended) = background.join_next().await {
            ended.expect("nothing in the background panics");
        }
    }
}

/// One node, or several over one database, which take turns.
#[derive(Default)]
pub(crate) struct Nodes {
    /// Replaced when the server restarts.
    all: RwLock<Arc<Vec<Node>>>,
    next: AtomicUsize,
}

impl Nodes {
    pub(crate) fn all(&self) -> Arc<Vec<Node>> {
        self.all.read().clone()
    }

    /// Returns those that were there before.
    pub(crate) fn replace(&self, nodes: Vec<Node>) -> Arc<Vec<Node>> {
        std::mem::replace(&mut *self.all.write(), Arc::new(nodes))
    }

    /// Hands the request to the next node's router, as its listener would.
    pub(crate) async fn call(&self, request: Request<String>) -> Answer {
        let (parts, body) = self.respond(request.map(Body::from)).await.into_parts();
        let bytes = body
            .collect()
            .await
            .expect("bodies are made in memory")
            .to_bytes();
        Answer::new(parts.status, parts.headers, &bytes)
    }

    /// The pieces in which the body of an answer is written.
    pub(crate) async fn pieces(&self, request: Request<String>) -> Vec<String> {
        let mut body = self.respond(request.map(Body::from)).await.into_body();
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.expect("the answer is not broken off");
            let piece = frame.into_data().expect("no answer has trailers");
            pieces.push(String::from_utf8(piece.to_vec()).expect("answers are UTF-8"));
        }
        pieces
    }

    async fn respond(&self, request: Request<Body>) -> Response {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let router = {
            let nodes = self.all();
            assert!(!nodes.is_empty(), "the server is not running");
            nodes[turn % nodes.len()].router.clone()
        };
        match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl Site for Nodes {
    fn answer(&self, request: Request<Bytes>) -> SiteAnswer<'_> {
        Box::pin(async move {
            if self.all().is_empty() {
                return None;
            }
            Some(self.respond(request.map(Body::from)).await)
        })
    }
}

/// Waits for the future while the store, if it was opened as driven, commits in simulated time.
pub(crate) async fn driven<T>(store: &Store, future: impl Future<Output = T>) -> T {
    let driver = async {
        loop {
            tokio::time::sleep(COMMIT_INTERVAL).await;
            store.drive();
        }
    };
    tokio::select! {
        biased;
        found = future => found,
        () = driver => unreachable!("the driver goes on for ever"),
    }
}
