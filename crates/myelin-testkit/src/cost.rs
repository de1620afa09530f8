//! What a request costs, while a server also does what nobody has asked for.

use myelin_store::Counts;

use crate::TestServer;

/// How often a request is made. What a server does by itself takes a moment once a second or so,
/// and does not meet them all.
const TIMES: usize = 5;

/// What a request costs the first node, once a first one has filled the caches, with the count of
/// notifications that follows from it: of each count the least of several times, for what else goes
/// on in the background only ever adds to it.
pub async fn least_cost(server: &TestServer, mut request: impl AsyncFnMut()) -> Counts {
    request().await;
    server.counted().await;
    let store = server.stores().remove(0);
    let mut least: Option<Counts> = None;
    for _ in 0..TIMES {
        let before = store.counts();
        request().await;
        server.counted().await;
        let cost = difference(store.counts(), before);
        least = Some(least.map_or(cost, |least| lesser(least, cost)));
    }
    least.expect("it was made several times")
}

fn difference(after: Counts, before: Counts) -> Counts {
    combine(after, before, |after, before| after - before)
}

fn lesser(one: Counts, other: Counts) -> Counts {
    combine(one, other, u64::min)
}

fn combine(one: Counts, other: Counts, with: impl Fn(u64, u64) -> u64) -> Counts {
    Counts {
        statements: with(one.statements, other.statements),
        rows_read: with(one.rows_read, other.rows_read),
        rows_written: with(one.rows_written, other.rows_written),
        batches: with(one.batches, other.batches),
        trie_nodes_read: with(one.trie_nodes_read, other.trie_nodes_read),
    }
}
