//! The alternating proxy, in front of backends that say who they are.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::net::SocketAddr;

use axum::{Router, body::Bytes, http::Uri};
use myelin_testkit::proxy;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Starts `names` as backends, and the proxy in front of them and of one address that refuses.
async fn start(tasks: &mut JoinSet<()>, names: [&'static str; 2]) -> SocketAddr {
    let mut backends = Vec::new();
    for name in names {
        let (listener, address) = bind().await;
        let answer = move |uri: Uri, body: Bytes| async move {
            format!("{name} {uri} {}", String::from_utf8_lossy(&body))
        };
        let router = Router::new().fallback(answer);
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        backends.push(address);
    }
    let (closed, refusing) = bind().await;
    drop(closed);
    backends.push(refusing);
    let (listener, address) = bind().await;
    tasks.spawn(async move { proxy::serve(listener, &backends).await.unwrap() });
    address
}

async fn request(address: SocketAddr, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.rsplit("\r\n").next().unwrap().to_owned()
}

#[tokio::test]
async fn backends_take_turns_and_one_that_refuses_is_skipped() {
    let mut tasks = JoinSet::new();
    let address = start(&mut tasks, ["left", "right"]).await;
    let mut answers = Vec::new();
    for number in 0..4 {
        answers.push(request(address, &number.to_string()).await);
    }
    assert_eq!(
        answers,
        [
            "left /a?b=c 0",
            "right /a?b=c 1",
            "left /a?b=c 2",
            "left /a?b=c 3"
        ]
    );
}

#[tokio::test]
async fn large_bodies_pass() {
    let mut tasks = JoinSet::new();
    let address = start(&mut tasks, ["left", "right"]).await;
    let body = "x".repeat(300_000);
    assert_eq!(request(address, &body).await, format!("left /a?b=c {body}"));
}
