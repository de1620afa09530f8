//! An internet inside the test: names, addresses, and sites that answer over TLS, all in memory, so
//! that paused time passes only when nobody has anything to do.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use myelin_core::environment::{Chance, Clock};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::{Internet, LookupError, Pending, Service, Socket};

/// How a site answers.
pub(crate) type Handler = Arc<dyn Fn(&Request<()>) -> Response<String> + Send + Sync>;

/// What a site was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) address: String,
    pub(crate) host: String,
    pub(crate) path: String,
    /// The name that the TLS connection was opened for.
    pub(crate) sni: Option<String>,
    pub(crate) version: http::Version,
}

#[derive(Default)]
pub(crate) struct TestInternet {
    names: Mutex<HashMap<String, Vec<IpAddr>>>,
    services: Mutex<HashMap<String, Vec<Service>>>,
    sites: Mutex<HashMap<SocketAddr, Site>>,
    /// Names and addresses that never answer.
    silent: Mutex<Vec<String>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    connected: Mutex<Vec<String>>,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Clone)]
struct Site {
    /// None: it speaks HTTP without TLS.
    tls: Option<TlsAcceptor>,
    handler: Handler,
    /// How many requests a connection takes; more are cut off without an answer.
    requests_max: usize,
}

impl TestInternet {
    pub(crate) fn name(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        self.names
            .lock()
            .insert(name.to_owned(), addresses.collect());
    }

    pub(crate) fn service(&self, name: &str, priority: u16, port: u16, host: &str) {
        let service = Service {
            priority,
            weight: 0,
            port,
            host: host.to_owned(),
        };
        let mut services = self.services.lock();
        services.entry(name.to_owned()).or_default().push(service);
    }

    pub(crate) fn silence(&self, name: &str) {
        self.silent.lock().push(name.to_owned());
    }

    pub(crate) fn speak(&self, name: &str) {
        self.silent.lock().retain(|silent| silent != name);
    }

    /// A site at an address, with a certificate for these names.
    pub(crate) fn site(
        &self,
        address: &str,
        authority: &Authority,
        names: &[&str],
        handler: impl Fn(&Request<()>) -> Response<String> + Send + Sync + 'static,
    ) {
        let site = Site {
            tls: Some(authority.acceptor(names, &["http/1.1"])),
            handler: Arc::new(handler),
            requests_max: usize::MAX,
        };
        self.sites.lock().insert(address.parse().unwrap(), site);
    }

    /// A site at an address, without TLS.
    pub(crate) fn plain_site(
        &self,
        address: &str,
        handler: impl Fn(&Request<()>) -> Response<String> + Send + Sync + 'static,
    ) {
        let site = Site {
            tls: None,
            handler: Arc::new(handler),
            requests_max: usize::MAX,
        };
        self.sites.lock().insert(address.parse().unwrap(), site);
    }

    /// From now on the site speaks HTTP/2.
    pub(crate) fn speaks_http2(&self, address: &str, authority: &Authority, names: &[&str]) {
        let mut sites = self.sites.lock();
        let site = sites.get_mut(&address.parse().unwrap()).unwrap();
        site.tls = Some(authority.acceptor(names, &["h2", "http/1.1"]));
    }

    /// From now on the site drops each connection at its `most + 1`st request.
    pub(crate) fn cuts_off_after(&self, address: &str, most: usize) {
        let mut sites = self.sites.lock();
        let site = sites.get_mut(&address.parse().unwrap()).unwrap();
        site.requests_max = most;
    }

    /// What was asked so far, the oldest first.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    /// Where connections were opened to, or tried, the oldest first.
    pub(crate) fn connected(&self) -> Vec<String> {
        self.connected.lock().clone()
    }

    async fn wait_if_silent(&self, name: &str) {
        let is_silent = self.silent.lock().iter().any(|silent| silent == name);
        if is_silent {
            std::future::pending::<()>().await;
        }
    }
}

impl Internet for TestInternet {
    fn addresses<'a>(&'a self, host: &'a str) -> Pending<'a, Result<Vec<IpAddr>, LookupError>> {
        Box::pin(async move {
            self.wait_if_silent(host).await;
            Ok(self.names.lock().get(host).cloned().unwrap_or_default())
        })
    }

    fn services<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Vec<Service>, LookupError>> {
        Box::pin(async move {
            self.wait_if_silent(name).await;
            Ok(self.services.lock().get(name).cloned().unwrap_or_default())
        })
    }

    fn connect(&self, address: SocketAddr) -> Pending<'_, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            self.connected.lock().push(address.to_string());
            self.wait_if_silent(&address.to_string()).await;
            let site = self.sites.lock().get(&address).cloned();
            let site = site.ok_or(io::ErrorKind::ConnectionRefused)?;
            let (client, server) = tokio::io::duplex(64 * 1024);
            let asked = self.asked.clone();
            let serve = serve(site, server, address.to_string(), asked);
            self.tasks.lock().spawn(serve);
            Ok(Box::new(client) as Box<dyn Socket>)
        })
    }
}

async fn serve(
    site: Site,
    stream: tokio::io::DuplexStream,
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
) {
    let (stream, sni): (Box<dyn Socket>, Option<String>) = match &site.tls {
        None => (Box::new(stream), None),
        // A client that does not like the certificate goes away.
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => {
                let sni = stream.get_ref().1.server_name().map(str::to_owned);
                (Box::new(stream), sni)
            }
            Err(_) => return,
        },
    };
    let left = AtomicU64::new(u64::try_from(site.requests_max).unwrap());
    let service = service_fn(|request: Request<Incoming>| {
        let (parts, body) = request.into_parts();
        let host = parts.uri.authority().map(ToString::to_string);
        let headers = |headers: &HeaderMap| headers.get(header::HOST).cloned();
        let host = headers(&parts.headers).map_or(host, |host| Some(host.to_str().unwrap().into()));
        asked.lock().push(Asked {
            address: address.clone(),
            host: host.unwrap_or_default(),
            path: parts.uri.path_and_query().unwrap().to_string(),
            sni: sni.clone(),
            version: parts.version,
        });
        let is_cut_off = left.fetch_sub(1, Ordering::Relaxed) == 0;
        let handler = site.handler.clone();
        async move {
            body.collect().await.unwrap();
            if is_cut_off {
                return Err("the site has had enough");
            }
            let response = handler(&Request::from_parts(parts, ()));
            Ok(response.map(|body| Full::new(Bytes::from(body))))
        }
    });
    // What a client does to the connection is the test's matter.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Who signs the certificates of a test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(parameters, key).unwrap(),
        }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    fn acceptor(&self, names: &[&str], protocols: &[&str]) -> TlsAcceptor {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A clock that the test sets.
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn advance(&self, by: std::time::Duration) {
        let by = u64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(by, Ordering::Relaxed);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicU64::new(1_700_000_000_000))
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Draws zeros.
pub(crate) struct NoChance;

impl Chance for NoChance {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// An answer with a status and a body.
pub(crate) fn answer(status: u16, body: &str) -> Response<String> {
    Response::builder()
        .status(status)
        .body(body.to_owned())
        .unwrap()
}
