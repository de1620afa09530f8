//! A network inside the test's process: requests between servers are handed from one to the other.

mod weather;

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::{Arc, Weak},
};

use axum::body::Body as AxumBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use myelin_net::{Body, Limits, OutboundError, Pending, Reply, Transport, TransportError, Web};
use parking_lot::RwLock;
use ruma::{OwnedServerName, ServerName};

pub use weather::Weather;

/// Who is in the network, and who cannot be reached.
#[derive(Default)]
pub struct Network {
    sites: RwLock<HashMap<String, Weak<dyn Site>>>,
    /// Nothing comes from them or to them.
    cut_off: RwLock<HashSet<String>>,
    /// None: everything arrives at once.
    weather: RwLock<Option<Weather>>,
}

/// The answer of a site; None: nobody is there.
pub(crate) type SiteAnswer<'a> =
    Pin<Box<dyn Future<Output = Option<Response<AxumBody>>> + Send + 'a>>;

/// Who answers under a name.
pub(crate) trait Site: Send + Sync {
    fn answer(&self, request: Request<Bytes>) -> SiteAnswer<'_>;
}

impl Network {
    pub(crate) fn join(&self, name: &str, site: Weak<dyn Site>) {
        self.sites.write().insert(name.to_owned(), site);
    }

    /// Cuts a server off from all others, or takes it back.
    pub fn set_cut_off(&self, name: &str, is_cut_off: bool) {
        let mut cut_off = self.cut_off.write();
        if is_cut_off {
            cut_off.insert(name.to_owned());
        } else {
            cut_off.remove(name);
        }
    }

    /// From now on the network delays, loses and divides.
    pub fn set_weather(&self, weather: Weather) {
        *self.weather.write() = Some(weather);
    }

    pub(crate) fn transport(self: &Arc<Self>, from: &ServerName) -> NetworkTransport {
        NetworkTransport {
            from: from.to_owned(),
            network: self.clone(),
        }
    }

    fn find(&self, from: &str, to: &str) -> Option<Arc<dyn Site>> {
        let weather = self.weather.read();
        if weather
            .as_ref()
            .is_some_and(|weather| weather.divides(from, to))
        {
            return None;
        }
        let cut_off = self.cut_off.read();
        if cut_off.contains(from) || cut_off.contains(to) {
            return None;
        }
        self.sites.read().get(to)?.upgrade()
    }
}

/// One server's way into the network.
pub(crate) struct NetworkTransport {
    from: OwnedServerName,
    network: Arc<Network>,
}

impl Transport for NetworkTransport {
    fn send<'a>(&'a self, destination: &'a ServerName, request: Request<Bytes>) -> Reply<'a> {
        Box::pin(async move {
            let unreachable = || TransportError::Unreachable {
                server: destination.to_string(),
                reason: "nobody answers there".to_owned(),
            };
            let weather = self.network.weather.read().clone();
            if let Some(weather) = &weather
                && !weather.carry().await
            {
                return Err(unreachable());
            }
            let site = self.network.find(self.from.as_str(), destination.as_str());
            let answer = site.ok_or_else(unreachable)?.answer(request).await;
            let answer = answer.ok_or_else(unreachable)?;
            if let Some(weather) = &weather
                && !weather.carry().await
            {
                return Err(TransportError::BrokenOff("the answer was lost".to_owned()));
            }
            Ok(answer.map(to_body))
        })
    }
}

/// Everybody in the network is a web site, too.
impl Web for NetworkTransport {
    fn send(
        &self,
        mut request: Request<Bytes>,
        _: Limits,
    ) -> Pending<'_, Result<Response<Bytes>, OutboundError>> {
        Box::pin(async move {
            let host = request.uri().host().unwrap_or_default().to_owned();
            let unreachable = |reason: String| OutboundError::Unreachable {
                host: host.clone(),
                reason,
            };
            let nobody = || unreachable("nobody answers there".to_owned());
            let path = request
                .uri()
                .path_and_query()
                .map_or("/", |path| path.as_str());
            *request.uri_mut() = path.parse().expect("part of an address is one");
            let site = self.network.find(self.from.as_str(), &host);
            let answer = site.ok_or_else(nobody)?.answer(request).await;
            let (parts, body) = answer.ok_or_else(nobody)?.into_parts();
            let body = body.collect().await;
            let body = body.map_err(|error| unreachable(error.to_string()))?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        })
    }
}

fn to_body(body: AxumBody) -> Body {
    body.map_err(|error| TransportError::BrokenOff(error.to_string()))
        .boxed_unsync()
}
