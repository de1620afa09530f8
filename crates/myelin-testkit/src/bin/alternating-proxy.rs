//! `alternating-proxy LISTEN BACKEND...`: sends one request to each backend in turn.

use std::net::SocketAddr;

use anyhow::{Context, ensure};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut addresses = Vec::new();
    for argument in std::env::args().skip(1) {
        let address: SocketAddr = argument
            .parse()
            .with_context(|| format!("{argument} is not an address like 127.0.0.1:8008"))?;
        addresses.push(address);
    }
    ensure!(
        addresses.len() >= 2,
        "usage: alternating-proxy LISTEN BACKEND..."
    );
    let backends = addresses.split_off(1);
    let listener = tokio::net::TcpListener::bind(addresses[0]).await?;
    myelin_testkit::proxy::serve(listener, &backends).await?;
    Ok(())
}
