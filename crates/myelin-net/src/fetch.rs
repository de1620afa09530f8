//! Pages of the web, fetched once: short answers, redirects followed, each hop through the guard.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::time;
use url::{Host, Url};

use crate::{
    dialer::{DialError, Dialer, Target},
    internet::Socket,
};

/// The name that this program gives itself in requests.
pub(crate) const USER_AGENT: &str = concat!("Myelin/", env!("CARGO_PKG_VERSION"));

/// The most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How much patience a page gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For each hop, from its name to the end of its answer.
    pub(crate) hop: Duration,
    /// For all of them.
    pub(crate) whole: Duration,
    /// How many redirects are followed.
    pub(crate) redirects: usize,
    /// The most bytes of the body.
    pub(crate) bytes: usize,
}

/// What is asked, wherever it leads.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What came at the end of the redirects.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{0} does not answer in time")]
    TimedOut(String),
    #[error("{host} does not answer as HTTP wants it: {error}")]
    Http { host: String, error: hyper::Error },
    #[error("the answer of {0} breaks off or is too long")]
    Body(String),
    #[error("{0} leads to an address that is not https")]
    NotHttps(String),
    #[error("{0} leads in circles")]
    Redirects(String),
}

/// Fetches pages.
#[derive(Clone)]
pub(crate) struct Fetcher {
    dialer: Dialer,
    tls: Arc<ClientConfig>,
    /// Whether addresses may be `http`, too.
    lets_plain: bool,
}

impl Fetcher {
    pub(crate) fn new(dialer: Dialer, mut tls: ClientConfig) -> Self {
        // A connection for one short answer gains nothing from HTTP/2.
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            dialer,
            tls: Arc::new(tls),
            lets_plain: false,
        }
    }

    /// The same, for addresses that are `http` as well.
    pub(crate) fn with_plain_http(self) -> Self {
        Self {
            lets_plain: true,
            ..self
        }
    }

    /// The page at an address, or where that leads.
    pub(crate) async fn get(&self, url: Url, patience: Patience) -> Result<Page, FetchError> {
        let json = HeaderValue::from_static("application/json");
        let errand = Errand {
            method: Method::GET,
            headers: HeaderMap::from_iter([(header::ACCEPT, json)]),
            body: Bytes::new(),
        };
        self.send(url, &errand, patience).await
    }

    /// The answer to an errand. Only what changes nothing is done again where a redirect leads, and
    /// no other site is told who asks.
    pub(crate) async fn send(
        &self,
        url: Url,
        errand: &Errand,
        patience: Patience,
    ) -> Result<Page, FetchError> {
        let host = host_of(&url);
        let followed = time::timeout(patience.whole, self.follow(url, errand, &patience)).await;
        followed.map_err(|_| FetchError::TimedOut(host))?
    }

    async fn follow(
        &self,
        mut url: Url,
        errand: &Errand,
        patience: &Patience,
    ) -> Result<Page, FetchError> {
        let (host, first) = (host_of(&url), url.origin());
        for _ in 0..=patience.redirects {
            let request = request(&url, errand, url.origin() == first);
            let hop = self.hop(&url, request, patience.bytes);
            let page = time::timeout(patience.hop, hop)
                .await
                .map_err(|_| FetchError::TimedOut(host_of(&url)))??;
            let next = next_hop(&url, &page).filter(|_| errand.method == Method::GET);
            let Some(next) = next else {
                return Ok(page);
            };
            check_hop(&url, &next)?;
            url = next;
        }
        Err(FetchError::Redirects(host))
    }

    async fn hop(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<Page, FetchError> {
        let stream = self.connect(url).await?;
        let failed = |error| FetchError::Http {
            host: host_of(url),
            error,
        };
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(failed)?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, bytes_max).collect().await;
            Ok(Page {
                status: parts.status,
                headers: parts.headers,
                body: body.map_err(|_| FetchError::Body(host_of(url)))?.to_bytes(),
            })
        };
        tokio::pin!(exchange);
        tokio::select! {
            page = &mut exchange => page,
            // It may end as soon as the whole answer is there, or break off before that.
            _ = connection => exchange.await,
        }
    }

    async fn connect(&self, url: &Url) -> Result<Box<dyn Socket>, FetchError> {
        let is_plain = self.lets_plain && url.scheme() == "http";
        let name = match url.host() {
            _ if url.scheme() != "https" && !is_plain => None,
            Some(Host::Domain(name)) => Some(name.to_owned()),
            Some(Host::Ipv4(address)) => Some(address.to_string()),
            Some(Host::Ipv6(address)) => Some(address.to_string()),
            None => None,
        };
        let name = name.ok_or_else(|| FetchError::NotHttps(host_of(url)))?;
        let target = Target {
            host: name.clone(),
            port: url.port().unwrap_or(if is_plain { 80 } else { 443 }),
        };
        if is_plain {
            return Ok(self.dialer.dial(&target).await?);
        }
        let dialled = self.dialer.dial_tls(&target, &name, self.tls.clone());
        Ok(Box::new(dialled.await?))
    }
}

fn request(url: &Url, errand: &Errand, is_first: bool) -> Request<Full<Bytes>> {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut request = Request::builder()
        .method(errand.method.clone())
        .uri(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .body(Full::new(errand.body.clone()))
        .expect("a parsed address has no characters that HTTP forbids");
    for (name, value) in &errand.headers {
        if is_first || *name == header::ACCEPT {
            request.headers_mut().insert(name, value.clone());
        }
    }
    request
}

/// What began with TLS goes on with it.
fn check_hop(url: &Url, next: &Url) -> Result<(), FetchError> {
    if url.scheme() == "https" && next.scheme() != "https" {
        return Err(FetchError::NotHttps(host_of(url)));
    }
    Ok(())
}

fn next_hop(url: &Url, page: &Page) -> Option<Url> {
    let leads_on = matches!(page.status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = page.headers.get(header::LOCATION)?.to_str().ok()?;
    leads_on.then(|| url.join(location).ok()).flatten()
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}
