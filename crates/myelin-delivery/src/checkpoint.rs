//! What survives a kill: the cursor of the pass, and a row for each server that it is ahead of.

use myelin_store::{
    StoreResult, WriteSet, destinations,
    followers::{self, Duty},
};

use crate::sender::Sender;

/// Most rows of one set.
const ROWS: usize = 500;
/// The cursor is written when it lags so far behind, even if nothing was sent.
const LAG_MAX: i64 = 1_000;

impl Sender {
    /// Whether there is anything to be written.
    pub(crate) fn is_unsaved(&self) -> bool {
        !self.unsaved.is_empty() || self.pass.read_to - self.lease.cursor() > LAG_MAX
    }

    /// Writes how far each server is. The cursor moves with the last of the rows, so that at no
    /// moment it is ahead of a server without one.
    pub(crate) async fn save(&mut self) -> StoreResult<()> {
        let read_to = self.pass.read_to;
        let servers: Vec<i64> = std::mem::take(&mut self.unsaved).into_iter().collect();
        let mut slices: Vec<&[i64]> = servers.chunks(ROWS).collect();
        let last = slices.pop().unwrap_or_default();
        for slice in slices {
            self.save_slice(slice, self.lease.cursor()).await?;
        }
        self.save_slice(last, read_to).await
    }

    async fn save_slice(&mut self, servers: &[i64], cursor: i64) -> StoreResult<()> {
        let mut writes = WriteSet::new();
        let mut written = Vec::new();
        for server in servers {
            let Some(destination) = self.destinations.get(server) else {
                continue;
            };
            let row = destination.row;
            match destination.wanted_row() {
                Some(wanted) if wanted != row => {
                    written.push(destinations::put(&mut writes, &wanted));
                }
                None if row.version > 0 => {
                    destinations::delete(&mut writes, &row);
                    written.push(destinations::Destination {
                        server: *server,
                        ..destinations::Destination::default()
                    });
                }
                _ => {}
            }
        }
        let (store, now_ms) = (&self.context.store, self.context.now_ms());
        let lease = self.lease.clone().kept(store, now_ms);
        let advanced = followers::advance(&mut writes, &lease, cursor);
        store.commit(writes).await?;
        self.lease = advanced;
        for row in written {
            if let Some(destination) = self.destinations.get_mut(&row.server) {
                destination.row = row;
            }
        }
        Ok(())
    }

    /// Reads who is behind.
    pub(crate) async fn load_rows(&mut self) -> StoreResult<()> {
        for row in destinations::list(&mut self.context.store.read()).await? {
            self.add_behind(row).await?;
        }
        Ok(())
    }
}
