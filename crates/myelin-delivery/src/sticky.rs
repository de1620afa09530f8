//! Sticky events reach servers that have come after them.

use myelin_core::server::Server;
use myelin_store::{Store, StoreResult, WriteSet, deliveries, sticky_events};

/// Most events that one commit leaves to be sent.
const SLICE: usize = 500;
/// Most events that a server is sent when it comes into a room: more cannot be of use to anybody.
const EVENTS_MAX: i64 = 5_000;

/// Leaves what users of this server have said in a room, and what is sticky still, to be sent to a
/// server that has come into it. Whoever passes the log here again leaves it again, and the server
/// knows the events by their ids.
pub(crate) async fn send_to_newcomer(
    store: &Store,
    server: &Server,
    (room, newcomer): (i64, i64),
) -> StoreResult<()> {
    let now_ms = server.now_ms().cast_signed();
    let own = sticky_events::list_own(&mut store.read(), room, now_ms, EVENTS_MAX).await?;
    for slice in own.chunks(SLICE) {
        let mut writes = WriteSet::new();
        for sticky in slice {
            deliveries::insert_for(&mut writes, (room, sticky.event), newcomer);
        }
        store.commit(writes).await?;
    }
    Ok(())
}
