//! A fixed address in front of servers that come and go.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Passes connections on to a server, and after [`Relay::point_to`] to another: for clients that
/// shall not notice a restart, or a change of node, by another address. It serves until the process
/// ends.
#[derive(Debug)]
pub struct Relay {
    /// Where clients connect to.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    target: SocketAddr,
    /// The clients' ends of all connections that were passed on to the target.
    open: Vec<TcpStream>,
}

impl Relay {
    /// Listens on a port that the system chose.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State {
            target,
            open: Vec::new(),
        }));
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is not there is seen by the client as a connection that closes.
                let _ = pass_on(client, &shared);
            }
        });
        Ok(Self { address, state })
    }

    /// Cuts all connections, and passes new ones on to this server.
    pub fn point_to(&self, target: SocketAddr) {
        let mut state = lock(&self.state);
        state.target = target;
        for client in state.open.drain(..) {
            // It may be closed already.
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

fn pass_on(client: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut state = lock(state);
    let server = TcpStream::connect(state.target)?;
    state.open.push(client.try_clone()?);
    pump(client.try_clone()?, server.try_clone()?);
    pump(server, client);
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
