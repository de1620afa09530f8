//! From a server's name to a connection that HTTP is spoken on.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use ruma::OwnedServerName;
use rustls::ClientConfig;
use tokio_rustls::client::TlsStream;
use tower::Service;

use crate::{
    dialer::{DialError, Dialer},
    discovery::{Discovery, bare_host},
    internet::Socket,
};

/// Connects to the server that an address names.
#[derive(Clone)]
pub(super) struct Connector {
    discovery: Arc<Discovery>,
    dialer: Dialer,
    tls: Arc<ClientConfig>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("{0} is not a server name")]
    Name(String),
    #[error("the SRV records of {0} say that it is not to be reached")]
    NoService(OwnedServerName),
    #[error(transparent)]
    Dial(DialError),
}

impl Connector {
    pub(super) fn new(discovery: Arc<Discovery>, dialer: Dialer, mut tls: ClientConfig) -> Self {
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            discovery,
            dialer,
            tls: Arc::new(tls),
        }
    }

    async fn connect(self, uri: Uri) -> Result<Tls, ConnectError> {
        let name = uri.authority().map_or("", |authority| authority.as_str());
        let server =
            OwnedServerName::try_from(name).map_err(|_| ConnectError::Name(name.to_owned()))?;
        let tls_name = bare_host(&server);
        let targets = self.discovery.targets_of(&server).await;
        let mut failed = None;
        for target in targets {
            let dialled = self.dialer.dial_tls(&target, &tls_name, self.tls.clone());
            match dialled.await {
                Ok(stream) => return Ok(Tls(TokioIo::new(stream))),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.map_or(ConnectError::NoService(server), ConnectError::Dial))
    }
}

impl Service<Uri> for Connector {
    type Response = Tls;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Tls, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// A TLS connection as hyper reads and writes it.
pub(super) struct Tls(TokioIo<TlsStream<Box<dyn Socket>>>);

impl Connection for Tls {
    fn connected(&self) -> Connected {
        let (_, session) = self.0.inner().get_ref();
        if session.alpn_protocol() == Some(b"h2") {
            Connected::new().negotiated_h2()
        } else {
            Connected::new()
        }
    }
}

impl Read for Tls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Tls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
