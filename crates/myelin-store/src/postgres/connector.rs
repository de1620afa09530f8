//! Connections to PostgreSQL: how they are made, and what each of them needs.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;
use tokio_postgres::{Client, Config, Connection, Socket, config::SslMode, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors::{describe, failed};
use crate::{OpenError, StoreResult};

/// A connection that its owner drives.
pub(crate) type RawConnection =
    Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// Makes connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connector {
    config: Arc<Config>,
    tls: MakeRustlsConnect,
    runtime: Handle,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The configuration holds a password.
        formatter.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Connector {
    /// Reads the URL; connections are driven by the runtime that this is called on.
    pub(crate) fn new(url: &str) -> Result<Self, OpenError> {
        let connect = |reason: String| OpenError::Connect(reason);
        let mut config: Config = url.parse().map_err(|error| connect(describe(&error)))?;
        let tls = if config.get_ssl_mode() == SslMode::Require {
            let loaded = MakeRustlsConnect::with_native_certs();
            loaded
                .map_err(|_| {
                    connect("TLS is asked for, but no root certificates are installed".to_owned())
                })?
                .0
        } else {
            // The default would be to try TLS: then a certificate that nobody asked for could
            // break the connection.
            config.ssl_mode(SslMode::Disable);
            without_roots().map_err(|error| connect(error.to_string()))?
        };
        if config.get_application_name().is_none() {
            config.application_name("myelin");
        }
        Ok(Self {
            config: Arc::new(config),
            tls,
            runtime: Handle::current(),
        })
    }

    /// A connection for the caller to drive, who also receives its messages.
    pub(crate) async fn connect(&self) -> StoreResult<(Client, RawConnection)> {
        self.config.connect(self.tls.clone()).await.map_err(failed)
    }

    /// A connection that drives itself until its client is dropped.
    pub(super) async fn connect_driven(&self) -> StoreResult<Client> {
        let (client, connection) = self.connect().await?;
        self.runtime.spawn(async move {
            // Whoever uses the client meets the same error.
            let _ = connection.await;
        });
        Ok(client)
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

/// Does some work on a connection that nobody else drives. A connection that has ended is dropped,
/// for that is how the work's statements learn of it.
pub(super) async fn driven<F: Future>(raw: &mut Option<RawConnection>, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|context| {
        if let Poll::Ready(output) = work.as_mut().poll(context) {
            return Poll::Ready(output);
        }
        let ended = raw
            .as_mut()
            .map(|raw| Pin::new(raw).poll(context).is_ready());
        if ended == Some(true) {
            *raw = None;
        }
        Poll::Pending
    })
    .await
}

fn without_roots() -> Result<MakeRustlsConnect, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
