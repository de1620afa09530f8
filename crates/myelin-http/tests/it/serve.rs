//! The accept loop over real sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{Method, StatusCode};
use myelin_http::{App, MatrixError, Public, Raw, Routes, finish, json_response, serve};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::timeout,
};

use crate::support::app;

/// No wait of these tests comes near it unless something hangs.
const LONG: Duration = Duration::from_mins(1);

/// Serves a long poll that says when it waits, and that only the end of the process wakes.
async fn start(app: &App, tasks: &mut JoinSet<()>, waiting: Arc<Notify>) -> SocketAddr {
    let poll = move |app: App, _: Public<Raw>| {
        let waiting = waiting.clone();
        async move {
            waiting.notify_one();
            app.shutdown.begun().await;
            Ok::<_, MatrixError>(json_response(StatusCode::OK, &json!({"woken": true})))
        }
    };
    let routes = Routes::<App>::new().route(&Method::GET, "/poll", poll);
    let served = finish(app.clone(), routes.into_router().with_state(app.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(serve(
        listener,
        None,
        served,
        Arc::default(),
        app.shutdown.clone(),
    ));
    address
}

async fn request(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: example.org\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Reads until `end` has come.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 1024];
    while !String::from_utf8_lossy(&read).contains(end) {
        let bytes = timeout(LONG, stream.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert_ne!(bytes, 0, "{}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&buffer[..bytes]);
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn a_connection_is_kept_and_a_broken_one_harms_nobody() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let mut tasks = JoinSet::new();
    let address = start(&app, &mut tasks, Arc::default()).await;

    let mut broken = TcpStream::connect(address).await.unwrap();
    broken
        .write_all(b"\x16\x03\x01 nonsense\r\n\r\n")
        .await
        .unwrap();
    drop(broken);

    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        request(&mut stream, "/health").await;
        let answer = read_until(&mut stream, r#"{"status":"ok"}"#).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
}

#[tokio::test]
async fn the_end_wakes_long_polls_and_lets_them_answer() {
    let directory = TempDir::new().unwrap();
    let app = app(&directory).await;
    let mut tasks = JoinSet::new();
    let waiting = Arc::<Notify>::default();
    let address = start(&app, &mut tasks, waiting.clone()).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    request(&mut idle, "/health").await;
    read_until(&mut idle, r#"{"status":"ok"}"#).await;
    let mut polling = TcpStream::connect(address).await.unwrap();
    request(&mut polling, "/poll").await;
    timeout(LONG, waiting.notified()).await.unwrap();

    app.shutdown.begin();
    let answer = read_until(&mut polling, "}").await;
    assert!(answer.contains(r#"{"woken":true}"#), "{answer}");
    let ended = timeout(LONG, tasks.join_next()).await;
    assert!(matches!(ended, Ok(Some(Ok(())))), "{ended:?}");
    assert!(TcpStream::connect(address).await.is_err());
}
