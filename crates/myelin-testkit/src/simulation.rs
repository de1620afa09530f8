//! A server on one thread, whose time, chance and commits are all ours: one seed gives one log.

mod agreement;
mod holdings;
mod people;
mod world;

use std::{sync::Arc, time::Duration};

use crate::{SERVER_NAME, TestServer};

pub use world::{Course, simulate_federation};

/// Runs the test on a simulated server and gives back what it found.
pub fn simulate<T>(seed: u64, test: impl AsyncFnOnce(&TestServer) -> T) -> T {
    simulate_nodes((1, seed), test)
}

/// The same with so many nodes over one store.
pub fn simulate_nodes<T>(
    (nodes, seed): (usize, u64),
    test: impl AsyncFnOnce(&TestServer) -> T,
) -> T {
    in_simulated_time(async {
        let network = Arc::default();
        let nodes = (nodes, seed);
        let server = TestServer::start_simulated(&network, SERVER_NAME, nodes, Vec::new()).await;
        let found = test(&server).await;
        server.stop().await;
        found
    })
}

/// Runs on this thread alone, by a clock that goes on when nobody has anything to do.
fn in_simulated_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime without threads");
    runtime.block_on(future)
}

/// Lets simulated time pass, which takes no real time.
pub async fn let_pass(time: Duration) {
    tokio::time::sleep(time).await;
}
