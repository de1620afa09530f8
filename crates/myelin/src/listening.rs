//! Addresses: claimed early, so that a taken one stops the start before anything is touched, and
//! listened on late, so that nobody reaches a server that is not ready.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
};

use tokio::net::{TcpListener, TcpSocket};

use crate::{
    config::ListenerSettings,
    tls::{Certificate, TlsError},
};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A listener that does not listen yet.
#[derive(Debug)]
pub(crate) struct Bound {
    socket: TcpSocket,
    address: SocketAddr,
    pub(crate) certificate: Option<Arc<Certificate>>,
}

/// Why a listener of the configuration cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("cannot listen on {0}: another process does already")]
    Taken(SocketAddr),
    #[error("cannot listen on {0}")]
    Refused(SocketAddr, #[source] io::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Bound {
    /// Claims the address and reads the certificate.
    pub(crate) fn new(settings: &ListenerSettings) -> Result<Self, ListenError> {
        let certificate = settings
            .has_tls()
            .then(|| Certificate::load(&settings.tls_cert, &settings.tls_key))
            .transpose()?;
        let address = SocketAddr::new(settings.bind, settings.port);
        let socket = bind(address).map_err(|error| refused(address, error))?;
        Ok(Self {
            socket,
            address,
            certificate,
        })
    }

    /// From now on connections are taken.
    pub(crate) fn listen(self) -> Result<TcpListener, ListenError> {
        let address = self.address;
        self.socket
            .listen(BACKLOG)
            .map_err(|error| refused(address, error))
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a server that just ended must not keep its successor from the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn refused(address: SocketAddr, error: io::Error) -> ListenError {
    match error.kind() {
        ErrorKind::AddrInUse => ListenError::Taken(address),
        _ => ListenError::Refused(address, error),
    }
}
