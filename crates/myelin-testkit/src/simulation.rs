//! A server on one thread, whose time, chance and commits are all ours: one seed gives one log.

use std::time::Duration;

use crate::{TestServer, nodes::driven};

/// Runs the test on a simulated server and gives back what it found.
pub fn simulate<T>(seed: u64, test: impl AsyncFnOnce(&TestServer) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime without threads");
    runtime.block_on(async {
        let server = TestServer::start_simulated(seed).await;
        let stores = server.stores();
        let found = driven(&stores[0], test(&server)).await;
        drop(stores);
        server.stop().await;
        found
    })
}

/// Lets simulated time pass, which takes no real time.
pub async fn let_pass(time: Duration) {
    tokio::time::sleep(time).await;
}
