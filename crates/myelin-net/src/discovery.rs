//! Where a server is to be found (spec: "Server discovery").
//!
//! First the well-known file of a name says which server speaks for it: [`Discovery::delegate_of`].
//! That server's name is what goes into the `Host` header and what the certificate must be for; it
//! also says where to connect to: [`Discovery::targets_of`].

mod known;
mod services;

use std::{sync::Arc, time::Duration};

use myelin_core::environment::{Chance, Clock};
use ruma::{OwnedServerName, ServerName};
use tokio::time;
use url::Url;

use self::known::Known;
use crate::{
    dialer::Target,
    fetch::{FetchError, Fetcher, Patience},
    internet::{Internet, Service},
    turns::Turns,
    well_known::WellKnown,
};

/// The port of the federation where nothing says otherwise.
const PORT: u16 = 8448;
/// A well-known file is waited for as long as its absence may delay a request.
const WELL_KNOWN: Patience = Patience {
    hop: Duration::from_secs(2),
    whole: Duration::from_secs(5),
    redirects: 5,
    bytes: 50 * 1024,
};
/// How long SRV records are waited for.
const SERVICES_TIMEOUT: Duration = Duration::from_secs(2);
/// Most servers of an SRV record that are tried.
const SERVICES_MAX: usize = 4;

/// Finds servers, and remembers where they are.
pub(crate) struct Discovery {
    internet: Arc<dyn Internet>,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    known: Known,
    turns: Turns<String>,
}

impl Discovery {
    pub(crate) fn new(
        internet: Arc<dyn Internet>,
        fetcher: Fetcher,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
    ) -> Self {
        Self {
            internet,
            fetcher,
            clock,
            chance,
            known: Known::default(),
            turns: Turns::new(),
        }
    }

    /// Which server speaks for this one: usually a look into the cache.
    pub(crate) async fn delegate_of(&self, server: &ServerName) -> OwnedServerName {
        if server.is_ip_literal() || server.port().is_some() {
            return server.to_owned();
        }
        if let Some(known) = self.known.delegate_of(server, self.clock.now_ms()) {
            return known;
        }
        let _turn = self.turns.take(server.host().to_owned()).await;
        // Who had the turn before has perhaps found it.
        if let Some(known) = self.known.delegate_of(server, self.clock.now_ms()) {
            return known;
        }
        let found = self.ask_well_known(server.host()).await;
        self.known.note(server, found, self.clock.now_ms())
    }

    /// Where to connect to for a server that speaks for itself or for another one, in the order in
    /// which they are to be tried; none if it says that it is not to be reached.
    pub(crate) async fn targets_of(&self, delegate: &ServerName) -> Vec<Target> {
        let host = bare_host(delegate);
        if delegate.is_ip_literal() || delegate.port().is_some() {
            let port = delegate.port().unwrap_or(PORT);
            return vec![Target { host, port }];
        }
        let services = self.services_of(&host).await;
        if services.is_empty() {
            return vec![Target { host, port: PORT }];
        }
        services::in_order(services, &*self.chance)
            .into_iter()
            .filter(|service| !service.host.is_empty())
            .take(SERVICES_MAX)
            .map(|service| Target {
                host: service.host,
                port: service.port,
            })
            .collect()
    }

    async fn ask_well_known(&self, host: &str) -> Result<Option<WellKnown>, FetchError> {
        let Ok(url) = Url::parse(&format!("https://{host}/.well-known/matrix/server")) else {
            return Ok(None);
        };
        let page = self.fetcher.get(url, WELL_KNOWN).await?;
        if page.status.as_u16() != 200 {
            tracing::debug!(host, status = %page.status, "no well-known file");
            return Ok(None);
        }
        Ok(WellKnown::read(
            &page.headers,
            &page.body,
            self.clock.now_ms(),
        ))
    }

    /// The SRV records under today's name, else those under the old one. That they cannot be had is
    /// remembered for a while, else a silent name server would delay each connection.
    async fn services_of(&self, host: &str) -> Vec<Service> {
        if self.known.has_silent_name_server(host, self.clock.now_ms()) {
            return Vec::new();
        }
        let (today, old) = (
            format!("_matrix-fed._tcp.{host}"),
            format!("_matrix._tcp.{host}"),
        );
        let both = async {
            let (today, old) =
                tokio::join!(self.internet.services(&today), self.internet.services(&old));
            match today {
                Ok(services) if !services.is_empty() => Ok(services),
                Ok(_) => old,
                Err(error) => old.and_then(|services| {
                    let is_found = !services.is_empty();
                    is_found.then_some(services).ok_or(error)
                }),
            }
        };
        let error = match time::timeout(SERVICES_TIMEOUT, both).await {
            Ok(Ok(services)) => return services,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the name server does not answer".to_owned(),
        };
        tracing::debug!(host, error, "no SRV records");
        self.known.note_silence(host, self.clock.now_ms());
        Vec::new()
    }
}

/// A host name, or an address without brackets.
pub(crate) fn bare_host(server: &ServerName) -> String {
    let host = server.host();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}
