//! A reverse proxy that sends one request to each backend in turn: what a test of several nodes
//! stands behind when it comes through a socket.
//!
//! For tests alone: bodies are collected in memory, and there is no limit on anything.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
struct Backends {
    addresses: Arc<[SocketAddr]>,
    next: Arc<AtomicUsize>,
}

/// Serves until it is dropped. A backend that refuses the connection is skipped.
pub async fn serve(listener: TcpListener, backends: &[SocketAddr]) -> std::io::Result<()> {
    let backends = Backends {
        addresses: backends.into(),
        next: Arc::new(AtomicUsize::new(0)),
    };
    let router = Router::new().fallback(forward).with_state(backends);
    axum::serve(listener, router).await
}

async fn forward(State(backends): State<Backends>, request: Request) -> Response {
    match exchange(&backends, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn exchange(backends: &Backends, request: Request) -> anyhow::Result<Response> {
    let (mut parts, body) = request.into_parts();
    let body = Full::new(body.collect().await?.to_bytes());
    // Each request has a connection of its own, closed behind it.
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts
        .headers
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    let stream = connect(backends).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let request = http::Request::from_parts(parts, body);
        let (mut parts, body) = sender.send_request(request).await?.into_parts();
        let body: Bytes = body.collect().await?.to_bytes();
        parts.headers.remove(header::CONNECTION);
        parts.headers.remove(header::TRANSFER_ENCODING);
        Ok(Response::from_parts(parts, Body::from(body)))
    };
    let driven = async {
        let ended = connection.await;
        // What has arrived is still being read; the answer itself tells of a failure.
        tracing::trace!(?ended, "the backend's connection ended");
        std::future::pending().await
    };
    tokio::select! {
        answer = answer => answer,
        never = driven => never,
    }
}

async fn connect(backends: &Backends) -> std::io::Result<TcpStream> {
    let count = backends.addresses.len();
    let first = backends.next.fetch_add(1, Ordering::Relaxed);
    let mut refused = std::io::ErrorKind::NotConnected.into();
    for step in 0..count {
        match TcpStream::connect(backends.addresses[(first + step) % count]).await {
            Ok(stream) => return Ok(stream),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}
