//! The transport of the real world: finds out where a server is, connects, and keeps connections.

mod connector;

use std::{error::Error, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error as ClientError},
    rt::{TokioExecutor, TokioTimer},
};
use myelin_core::environment::{Chance, Clock};
use ruma::ServerName;

use self::connector::Connector;
use crate::{
    Body, Reply, Transport, TransportError,
    dialer::Dialer,
    discovery::Discovery,
    egress::EgressGuard,
    fetch::{Fetcher, USER_AGENT},
    internet::Internet,
    trust::{Trust, TrustError, client_config},
};

/// How long a connection is kept without a request. Proxies usually wait a little longer.
const IDLE: Duration = Duration::from_secs(50);
/// Most connections to one server that are kept without a request.
const IDLE_MAX: usize = 4;
/// How often an HTTP/2 connection is asked whether it is still there, while it is in use.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// The most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Carries requests over the internet.
pub struct InternetTransport {
    discovery: Arc<Discovery>,
    client: Client<Connector, Full<Bytes>>,
}

impl InternetTransport {
    /// A transport that connects to what the guard lets through and believes whom it is told to.
    pub fn new(
        internet: Arc<dyn Internet>,
        guard: EgressGuard,
        trust: &Trust,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
    ) -> Result<Self, TrustError> {
        let tls = client_config(trust)?;
        let dialer = Dialer::new(internet.clone(), guard);
        let fetcher = Fetcher::new(dialer.clone(), tls.clone());
        let discovery = Arc::new(Discovery::new(internet, fetcher, clock, chance));
        let connector = Connector::new(discovery.clone(), dialer, tls);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .http2_keep_alive_interval(PING_INTERVAL)
            .build(connector);
        Ok(Self { discovery, client })
    }

    async fn send(
        &self,
        destination: &ServerName,
        mut request: Request<Bytes>,
    ) -> Result<Response<Body>, TransportError> {
        let delegate = self.discovery.delegate_of(destination).await;
        // The delegate's name is the address of the request: by it connections are shared, and the
        // connector finds the way.
        let address = address(delegate.as_str(), request.uri());
        *request.uri_mut() = address.map_err(|error| unreachable(destination, &error))?;
        let host = HeaderValue::from_str(delegate.as_str());
        let host = host.map_err(|error| unreachable(destination, &error))?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, host);
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        let response = self.exchange(request.map(Full::new)).await;
        let response = response.map_err(|error| {
            if error.is_connect() {
                unreachable(destination, &error)
            } else {
                TransportError::BrokenOff(reason(&error))
            }
        })?;
        Ok(response.map(|body| {
            body.map_err(|error| TransportError::BrokenOff(reason(&error)))
                .boxed_unsync()
        }))
    }

    /// A connection that was kept may end just when it is used again. What may be sent twice is
    /// then sent once more.
    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClientError> {
        let again = matches!(*request.method(), Method::GET | Method::PUT).then(|| request.clone());
        match (self.client.request(request).await, again) {
            (Err(error), Some(again)) if !error.is_connect() && is_cut_short(&error) => {
                self.client.request(again).await
            }
            (result, _) => result,
        }
    }
}

impl Transport for InternetTransport {
    fn send<'a>(&'a self, destination: &'a ServerName, request: Request<Bytes>) -> Reply<'a> {
        Box::pin(self.send(destination, request))
    }
}

fn address(authority: &str, path: &Uri) -> Result<Uri, http::Error> {
    let path = path.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder()
        .scheme(Scheme::HTTPS)
        .authority(authority)
        .path_and_query(path)
        .build()
}

/// Whether the connection ended before the answer began.
fn is_cut_short(error: &ClientError) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        let hyper_error: Option<&hyper::Error> = error.downcast_ref();
        let io_error: Option<&io::Error> = error.downcast_ref();
        let is_end = |error: &io::Error| {
            use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
            matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
        };
        if hyper_error.is_some_and(hyper::Error::is_incomplete_message)
            || io_error.is_some_and(is_end)
        {
            return true;
        }
        source = error.source();
    }
    false
}

fn unreachable(server: &ServerName, error: &dyn Error) -> TransportError {
    TransportError::Unreachable {
        server: server.to_string(),
        reason: reason(error),
    }
}

/// What went wrong at the bottom of it: what stands above only says that something did.
fn reason(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests;
