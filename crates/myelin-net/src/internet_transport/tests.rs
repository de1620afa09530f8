use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body_util::BodyExt;
use ruma::ServerName;

use super::InternetTransport;
use crate::{
    EgressGuard, TransportError, Trust,
    test_internet::{Asked, Authority, NoChance, TestClock, TestInternet, answer},
};

mod connections;
mod discovery;
mod well_known;

const WELL_KNOWN: &str = "/.well-known/matrix/server";

/// An internet, and a transport into it that believes one authority.
struct World {
    internet: Arc<TestInternet>,
    authority: Authority,
    clock: Arc<TestClock>,
    transport: InternetTransport,
}

impl World {
    fn new() -> Self {
        Self::with_guard(EgressGuard::new(false))
    }

    fn with_guard(guard: EgressGuard) -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, authority.pem()).unwrap();
        let internet = Arc::new(TestInternet::default());
        let clock = Arc::new(TestClock::default());
        let transport = InternetTransport::new(
            internet.clone(),
            guard,
            &Trust::Authorities(Some(file)),
            clock.clone(),
            Arc::new(NoChance),
        );
        Self {
            internet,
            authority,
            clock,
            transport: transport.unwrap(),
        }
    }

    /// A homeserver at an address, for these names.
    fn homeserver(&self, address: &str, names: &[&str]) {
        let here = address.to_owned();
        self.internet
            .site(address, &self.authority, names, move |_| answer(200, &here));
    }

    /// A web site, at port 443 of an address, whose well-known file says this.
    fn well_known(&self, address: &str, name: &str, says: Response<String>) {
        let (parts, body) = says.into_parts();
        let says = move || Response::from_parts(parts.clone(), body.clone());
        let address = format!("{address}:443");
        self.internet
            .site(&address, &self.authority, &[name], move |_| says());
    }

    /// Who answers a request to a server.
    async fn ask(&self, server: &str) -> Result<String, TransportError> {
        let request = Request::get("/_matrix/key/v2/server?x=%2F")
            .body(Bytes::new())
            .unwrap();
        let server = ServerName::parse(server).unwrap();
        let response = self.transport.send(&server, request).await?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }

    /// Why a server cannot be reached.
    async fn refusal(&self, server: &str) -> String {
        match self.ask(server).await {
            Err(TransportError::Unreachable { reason, .. }) => reason,
            other => panic!("{server}: {other:?}"),
        }
    }

    fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.internet.asked();
        asked
            .into_iter()
            .filter(|one| one.path.starts_with(path))
            .collect()
    }

    fn well_knowns_asked(&self) -> usize {
        self.asked(WELL_KNOWN).len()
    }
}

fn delegates_to(server: &str) -> Response<String> {
    answer(200, &format!(r#"{{"m.server": "{server}"}}"#))
}
