//! Connections: from a name and a port to a TLS stream, through the egress guard.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, pki_types::ServerName as TlsName};
use tokio::{task::JoinSet, time};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    egress::{Denied, EgressGuard},
    internet::{Internet, LookupError, Socket},
};

/// How long the addresses of a name may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may take, once the address is known.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an address has a head start before the next one is tried as well.
const HEAD_START: Duration = Duration::from_millis(250);
/// Most addresses of a name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// A name or an address, the latter without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error("{0} has no address")]
    NoAddress(String),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("{target} cannot be connected to: {error}")]
    Connect { target: String, error: io::Error },
    #[error("{0} does not answer")]
    TimedOut(String),
    #[error("{0:?} is not a name that a certificate can be for")]
    TlsName(String),
    #[error("no TLS with {target}: {error}")]
    Tls { target: String, error: io::Error },
}

/// Connects, if the guard lets it.
#[derive(Clone)]
pub(crate) struct Dialer {
    internet: Arc<dyn Internet>,
    guard: EgressGuard,
}

impl Dialer {
    pub(crate) fn new(internet: Arc<dyn Internet>, guard: EgressGuard) -> Self {
        Self { internet, guard }
    }

    /// A connection to the target without TLS.
    pub(crate) async fn dial(&self, target: &Target) -> Result<Box<dyn Socket>, DialError> {
        let addresses = self.addresses(&target.host).await?;
        time::timeout(CONNECT_TIMEOUT, self.connect(target, &addresses))
            .await
            .map_err(|_| DialError::TimedOut(target.to_string()))?
    }

    /// A TLS connection to the target, whose certificate must be for `name`: a host name, or an
    /// address without brackets.
    pub(crate) async fn dial_tls(
        &self,
        target: &Target,
        name: &str,
        config: Arc<ClientConfig>,
    ) -> Result<TlsStream<Box<dyn Socket>>, DialError> {
        let tls_name =
            TlsName::try_from(name.to_owned()).map_err(|_| DialError::TlsName(name.to_owned()))?;
        let addresses = self.addresses(&target.host).await?;
        let connected = async {
            let socket = self.connect(target, &addresses).await?;
            let handshake = TlsConnector::from(config).connect(tls_name, socket).await;
            handshake.map_err(|error| DialError::Tls {
                target: target.to_string(),
                error,
            })
        };
        time::timeout(CONNECT_TIMEOUT, connected)
            .await
            .map_err(|_| DialError::TimedOut(target.to_string()))?
    }

    /// The addresses of a host that may be connected to, IPv6 and IPv4 in turns.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DialError> {
        let found = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => time::timeout(LOOKUP_TIMEOUT, self.internet.addresses(host))
                .await
                .map_err(|_| DialError::TimedOut(format!("the name server for {host}")))??,
        };
        let (mut allowed, mut denied) = (Vec::new(), None);
        for address in in_turns(found) {
            match self.guard.check(address) {
                Ok(()) => allowed.push(address),
                Err(error) => denied = Some(error),
            }
        }
        match denied {
            Some(error) if allowed.is_empty() => Err(error.into()),
            None if allowed.is_empty() => Err(DialError::NoAddress(host.to_owned())),
            _ => {
                allowed.truncate(ADDRESSES_MAX);
                Ok(allowed)
            }
        }
    }

    /// The first of the addresses that answers. Each gets a head start before the next one (RFC
    /// 8305), so that a family of addresses that leads nowhere costs little.
    async fn connect(
        &self,
        target: &Target,
        addresses: &[IpAddr],
    ) -> Result<Box<dyn Socket>, DialError> {
        let mut attempts = JoinSet::new();
        let mut waiting = addresses.iter();
        let mut failed = None;
        loop {
            if let Some(address) = waiting.next() {
                let address = SocketAddr::new(*address, target.port);
                attempts.spawn(connect(self.internet.clone(), address));
            }
            let next = attempts.join_next();
            let ended = if waiting.len() == 0 {
                next.await
            } else {
                match time::timeout(HEAD_START, next).await {
                    Ok(ended) => ended,
                    Err(_) => continue,
                }
            };
            match ended {
                Some(Ok(Ok(socket))) => return Ok(socket),
                Some(Ok(Err(error))) => failed = Some(error),
                Some(Err(error)) => failed = Some(io::Error::other(error)),
                None if waiting.len() == 0 => break,
                None => {}
            }
        }
        Err(match failed {
            Some(error) => DialError::Connect {
                target: target.to_string(),
                error,
            },
            None => DialError::NoAddress(target.host.clone()),
        })
    }
}

async fn connect(internet: Arc<dyn Internet>, address: SocketAddr) -> io::Result<Box<dyn Socket>> {
    internet.connect(address).await
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

fn in_turns(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut all = Vec::new();
    loop {
        match (six.next(), four.next()) {
            (None, None) => return all,
            (six, four) => all.extend(six.into_iter().chain(four)),
        }
    }
}
