//! A fixed address in front of servers that come and go.

use std::{
    collections::BTreeMap,
    io, mem,
    net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Passes connections on to a server, and after [`Relay::point_to`] to another, to several in turn
/// after [`Relay::share_among`], or to none after [`Relay::cut`]: for those who shall not notice a
/// restart, or a change of node, by another address, and for networks that break. It serves until
/// the process ends.
#[derive(Debug)]
pub struct Relay {
    /// Where clients connect to.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    targets: Vec<SocketAddr>,
    /// The clients' ends of the connections that are passed on to the targets.
    open: BTreeMap<usize, TcpStream>,
    /// The number of the next connection.
    next: usize,
}

impl Relay {
    /// Listens on a port that the system chose.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let relay = Self::without_target(IpAddr::V4(Ipv4Addr::LOCALHOST))?;
        relay.point_to(target);
        Ok(relay)
    }

    /// Listens at this address, on a port that the system chose, and closes what is opened until
    /// there is a server to point to.
    pub fn without_target(address: IpAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State {
            targets: Vec::new(),
            open: BTreeMap::new(),
            next: 0,
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
        self.share_among(&[target]);
    }

    /// Cuts all connections, and passes each new one on to the next of these servers.
    pub fn share_among(&self, targets: &[SocketAddr]) {
        lock(&self.state).turn_to(targets);
    }

    /// Cuts all connections, and closes new ones at once.
    pub fn cut(&self) {
        lock(&self.state).turn_to(&[]);
    }
}

impl State {
    fn turn_to(&mut self, targets: &[SocketAddr]) {
        self.targets = targets.to_vec();
        for client in mem::take(&mut self.open).into_values() {
            // It may be closed already.
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

fn pass_on(client: TcpStream, shared: &Arc<Mutex<State>>) -> io::Result<()> {
    let mut state = lock(shared);
    let number = state.next;
    let turn = number.checked_rem(state.targets.len());
    let target = turn.ok_or(io::ErrorKind::ConnectionRefused)?;
    let server = TcpStream::connect(state.targets[target])?;
    state.next += 1;
    state.open.insert(number, client.try_clone()?);
    pump(client.try_clone()?, server.try_clone()?, || ());
    let shared = shared.clone();
    pump(server, client, move || {
        lock(&shared).open.remove(&number);
    });
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream, at_end: impl FnOnce() + Send + 'static) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
        at_end();
    });
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
