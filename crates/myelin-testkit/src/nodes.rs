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
use myelin_delivery::Notifications;
use myelin_http::App;
use myelin_rooms::Rooms;
use myelin_store::Store;
use parking_lot::RwLock;
use tokio::{
    sync::{Mutex, Notify},
    task::{AbortHandle, JoinSet},
};
use tower::ServiceExt;

use crate::{
    Answer, Measured,
    network::{Site, SiteAnswer},
};

/// Simulated time between two commits. It passes only when nobody has anything to do, so what a
/// commit contains depends on who asked for what, never on how fast this machine is.
const COMMIT_INTERVAL: Duration = Duration::from_millis(1);

/// One process's worth of a server.
pub(crate) struct Node {
    pub(crate) app: App,
    pub(crate) rooms: Rooms,
    pub(crate) notifications: Notifications,
    /// Who counts notifications, in the background.
    pub(crate) counting: AbortHandle,
    pub(crate) router: Router,
    /// What goes on without requests, until the shutdown begins.
    pub(crate) background: Mutex<JoinSet<()>>,
    /// What commits, in a simulation.
    pub(crate) driver: Mutex<JoinSet<()>>,
    /// Ends the requests that the node is answering.
    pub(crate) killed: Arc<Notify>,
}

impl Node {
    /// Ends the node as `SIGKILL` would: what is queued is lost, who waits for an answer gets none.
    pub(crate) async fn kill(&self) {
        // First of all, so that nobody is told that the node ends.
        self.killed.notify_waiters();
        self.rooms.end();
        self.background.lock().await.shutdown().await;
        self.driver.lock().await.shutdown().await;
    }

    /// Waits for what goes on in the background, once the shutdown has begun.
    pub(crate) async fn background_ended(&self) {
        let mut background = self.background.lock().await;
        while let Some(ended) = background.join_next().await {
            // A test may have ended something itself.
            let has_panicked = ended.is_err_and(|error| error.is_panic());
            assert!(!has_panicked, "nothing in the background panics");
        }
    }
}

/// One node, or several over one database, which take turns.
#[derive(Default)]
pub(crate) struct Nodes {
    /// Replaced when the server restarts.
    all: RwLock<Arc<Vec<Arc<Node>>>>,
    next: AtomicUsize,
}

impl Nodes {
    pub(crate) fn all(&self) -> Arc<Vec<Arc<Node>>> {
        self.all.read().clone()
    }

    /// Returns those that were there before.
    pub(crate) fn replace(&self, nodes: Vec<Arc<Node>>) -> Arc<Vec<Arc<Node>>> {
        std::mem::replace(&mut *self.all.write(), Arc::new(nodes))
    }

    /// Takes one out, so that no more requests come to it.
    pub(crate) fn take(&self, index: usize) -> Arc<Node> {
        let mut nodes = self.all().to_vec();
        let taken = nodes.remove(index);
        self.replace(nodes);
        taken
    }

    /// Hands the request to the next node's router, as its listener would.
    pub(crate) async fn call(&self, request: Request<String>) -> Answer {
        let answer = self.try_call(request).await;
        answer.expect("the server is running and goes on to run")
    }

    /// As [`Nodes::call`]; None if the server is not running, or is killed meanwhile.
    pub(crate) async fn try_call(&self, request: Request<String>) -> Option<Answer> {
        let (router, killed) = self.next()?;
        let answered = async {
            let (parts, body) = respond(router, request.map(Body::from)).await.into_parts();
            let bytes = body.collect().await;
            let bytes = bytes.expect("bodies are made in memory").to_bytes();
            Answer::new(parts.status, parts.headers, &bytes)
        };
        tokio::select! {
            biased;
            () = killed => None,
            answer = answered => Some(answer),
        }
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

    /// The sizes of an answer, of which nothing is kept.
    pub(crate) async fn measure(&self, request: Request<String>) -> Measured {
        let answer = self.respond(request.map(Body::from)).await;
        let status = answer.status().as_u16();
        let (mut bytes, mut largest) = (0, 0);
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.expect("the answer is not broken off");
            let piece = frame.into_data().map_or(0, |data| data.len());
            bytes += piece;
            largest = largest.max(piece);
        }
        Measured {
            status,
            bytes,
            largest,
        }
    }

    async fn respond(&self, request: Request<Body>) -> Response {
        let (router, _) = self.next().expect("the server is running");
        respond(router, request).await
    }

    /// The router of the node whose turn it is, and its end.
    fn next(&self) -> Option<(Router, OwnedNotified)> {
        let nodes = self.all();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let node = nodes.get(turn.checked_rem(nodes.len())?)?;
        let mut killed = Box::pin(node.killed.clone().notified_owned());
        killed.as_mut().enable();
        Some((node.router.clone(), killed))
    }
}

type OwnedNotified = std::pin::Pin<Box<tokio::sync::futures::OwnedNotified>>;

async fn respond(router: Router, request: Request<Body>) -> Response {
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

impl Site for Nodes {
    fn answer(&self, request: Request<Bytes>) -> SiteAnswer<'_> {
        Box::pin(async move {
            let (router, killed) = self.next()?;
            tokio::select! {
                biased;
                () = killed => None,
                answer = respond(router, request.map(Body::from)) => Some(answer),
            }
        })
    }
}

/// Commits what is queued in a driven store, in simulated time, for ever.
pub(crate) async fn drive(store: Store) {
    loop {
        store.queued().await;
        tokio::time::sleep(COMMIT_INTERVAL).await;
        store.drive();
    }
}
