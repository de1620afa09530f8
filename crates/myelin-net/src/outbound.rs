//! Requests to others than servers: identity servers, push gateways, application services.
//!
//! Where they go is written by users and by other servers, so they pass the same guard as all
//! other connections.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use url::Url;

use crate::{
    Limits, NoNetwork, Trust, TrustError,
    dialer::Dialer,
    egress::EgressGuard,
    fetch::{Errand, FetchError, Fetcher, Patience},
    internet::{Internet, Pending},
    trust::client_config,
};

/// How many redirects are followed.
const REDIRECTS_MAX: usize = 5;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// It is no address of a web page, or has a user's name and password in it.
    #[error("{0} is not an address of the web")]
    Address(String),
    /// It could not be reached, or broke off.
    #[error("{host} cannot be asked: {reason}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// The answer took too long.
    #[error("{0} did not answer in time")]
    TimedOut(String),
    /// The answer was longer than what we take.
    #[error("the answer of {0} is too long")]
    TooLong(String),
    /// It refused.
    #[error("{host} answered {status}")]
    Refused {
        /// Who was asked.
        host: String,
        /// The status of its answer.
        status: StatusCode,
    },
    /// It answered with something else than was asked for.
    #[error("the answer of {host} cannot be read: {reason}")]
    Malformed {
        /// Who was asked.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// How requests get to where their addresses lead.
pub trait Web: Send + Sync {
    /// Sends a request, whose address is absolute, and reads the whole answer, whatever its status.
    fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Pending<'_, Result<Response<Bytes>, OutboundError>>;
}

/// The way to others than servers. One value, and its clones, serve a node.
#[derive(Clone)]
pub struct Outbound {
    web: Arc<dyn Web>,
}

impl Outbound {
    /// The way through this web.
    pub fn new(web: Arc<dyn Web>) -> Self {
        Self { web }
    }

    /// Sends a request, whose address is absolute, and reads the whole answer, whatever its status.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, OutboundError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let sent = timeout(limits.time, self.web.send(request, limits)).await;
        let answer = sent.map_err(|_| OutboundError::TimedOut(host.clone()))??;
        if answer.body().len() > limits.bytes {
            return Err(OutboundError::TooLong(host));
        }
        Ok(answer)
    }

    /// The JSON at an address.
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        address: &Url,
        limits: Limits,
    ) -> Result<T, OutboundError> {
        let host = address.host_str().unwrap_or_default().to_owned();
        let request = Request::get(address.as_str()).body(Bytes::new());
        let request = request.map_err(|_| OutboundError::Address(host.clone()))?;
        let answer = self.send(request, limits).await?;
        let status = answer.status();
        if !status.is_success() {
            return Err(OutboundError::Refused { host, status });
        }
        serde_json::from_slice(answer.body()).map_err(|error| OutboundError::Malformed {
            host,
            reason: error.to_string(),
        })
    }
}

impl Web for NoNetwork {
    fn send(
        &self,
        request: Request<Bytes>,
        _: Limits,
    ) -> Pending<'_, Result<Response<Bytes>, OutboundError>> {
        let error = OutboundError::Unreachable {
            host: request.uri().host().unwrap_or_default().to_owned(),
            reason: "there is no network".to_owned(),
        };
        Box::pin(std::future::ready(Err(error)))
    }
}

/// The web of the real world.
pub struct InternetWeb {
    fetcher: Fetcher,
}

impl InternetWeb {
    /// A web whose sites are those that the guard lets through, believed as it is said.
    pub fn new(
        internet: Arc<dyn Internet>,
        guard: EgressGuard,
        trust: &Trust,
    ) -> Result<Self, TrustError> {
        let dialer = Dialer::new(internet, guard);
        let fetcher = Fetcher::new(dialer, client_config(trust)?).with_plain_http();
        Ok(Self { fetcher })
    }
}

impl Web for InternetWeb {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Pending<'_, Result<Response<Bytes>, OutboundError>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let url = web_address(&parts.uri.to_string())?;
            let host = url.host_str().unwrap_or_default().to_owned();
            let errand = Errand {
                method: parts.method,
                headers: parts.headers,
                body,
            };
            let patience = Patience {
                hop: limits.time,
                whole: limits.time,
                redirects: REDIRECTS_MAX,
                bytes: limits.bytes,
            };
            let page = self.fetcher.send(url, &errand, patience).await;
            let page = page.map_err(|error| match error {
                FetchError::TimedOut(host) => OutboundError::TimedOut(host),
                FetchError::Body(host) => OutboundError::TooLong(host),
                error => OutboundError::Unreachable {
                    host,
                    reason: error.to_string(),
                },
            })?;
            let mut answer = Response::new(page.body);
            *answer.status_mut() = page.status;
            *answer.headers_mut() = page.headers;
            Ok(answer)
        })
    }
}

/// What may be asked at all: names and passwords in addresses end up in logs.
fn web_address(text: &str) -> Result<Url, OutboundError> {
    let url = Url::parse(text).map_err(|_| OutboundError::Address("what was given".to_owned()))?;
    let is_open = url.username().is_empty() && url.password().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && is_open {
        Ok(url)
    } else {
        let host = url.host_str().unwrap_or_default();
        Err(OutboundError::Address(format!("{}://{host}", url.scheme())))
    }
}

#[cfg(test)]
mod tests;
