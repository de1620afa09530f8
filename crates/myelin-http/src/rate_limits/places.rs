//! How many requests of one other server are worked on side by side.
//!
//! A rate does not bound what slow requests hold together, so each server has a few places, in
//! which its requests take turns; those of other servers do not notice.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use ruma::{OwnedServerName, ServerName};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of one server that are worked on side by side.
const WORKING_MAX: usize = 20;
/// Those and the ones that wait for their turn.
const HERE_MAX: usize = 200;

/// The places of all servers that have requests here.
pub(crate) struct Places {
    servers: Mutex<HashMap<OwnedServerName, Weak<Server>>>,
}

struct Server {
    here: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

/// A place, until it is dropped.
pub(crate) struct Place {
    _here: OwnedSemaphorePermit,
    _working: OwnedSemaphorePermit,
    /// Keeps the server in the map.
    _server: Arc<Server>,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            servers: Mutex::default(),
        }
    }

    /// Waits for a place; None if too many wait already.
    pub(crate) async fn take(&self, name: &ServerName) -> Option<Place> {
        let server = self.server(name);
        let here = server.here.clone().try_acquire_owned().ok()?;
        let working = server.working.clone().acquire_owned().await.ok()?;
        Some(Place {
            _here: here,
            _working: working,
            _server: server,
        })
    }

    fn server(&self, name: &ServerName) -> Arc<Server> {
        let mut servers = self.servers.lock();
        if servers.len() > 64 {
            servers.retain(|_, server| server.strong_count() > 0);
        }
        if let Some(server) = servers.get(name).and_then(Weak::upgrade) {
            return server;
        }
        let server = Arc::new(Server {
            here: Arc::new(Semaphore::new(HERE_MAX)),
            working: Arc::new(Semaphore::new(WORKING_MAX)),
        });
        servers.insert(name.to_owned(), Arc::downgrade(&server));
        server
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Place").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use ruma::server_name;

    use super::*;

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_server_s_requests_take_turns() {
        let places = Places::new();
        let (one, other) = (server_name!("one.example"), server_name!("other.example"));
        let take = |name| {
            let taken = poll(std::pin::pin!(places.take(name)));
            matches!(taken, Poll::Ready(Some(_))).then_some(())
        };
        let mut held = Vec::new();
        for _ in 0..WORKING_MAX {
            let Poll::Ready(place) = poll(std::pin::pin!(places.take(one))) else {
                panic!("there are places");
            };
            held.push(place.expect("there are places"));
        }
        let mut waiting: Vec<_> = (WORKING_MAX..HERE_MAX)
            .map(|_| Box::pin(places.take(one)))
            .collect();
        for wait in &mut waiting {
            assert!(poll(wait.as_mut()).is_pending());
        }
        let refused = poll(std::pin::pin!(places.take(one)));
        assert!(matches!(refused, Poll::Ready(None)));
        assert_eq!(take(other), Some(()));
        held.pop();
        let place = poll(waiting[0].as_mut());
        assert!(matches!(place, Poll::Ready(Some(_))));
        assert!(poll(waiting[1].as_mut()).is_pending());
    }
}
