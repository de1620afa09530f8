//! Requests to other servers.

mod pieces;

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use myelin_core::server::Server;
use myelin_store::Store;
use ruma::{
    ServerName,
    api::{IncomingResponseExt, OutgoingBody, OutgoingRequest, path_builder::PathBuilder},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

pub use self::pieces::Pieces;
use crate::{Body, FederationSettings, RemoteKeys, Transport, TransportError, XMatrix};

/// How long an answer may take, and how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the request to the end of the answer.
    pub time: Duration,
    /// The most bytes of its body.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            bytes: 1024 * 1024,
        }
    }
}

/// Why another server did not answer as it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum FederationError {
    /// The operator does not want to speak with it.
    #[error("this server does not speak with {0}")]
    NotAllowed(String),
    /// The request could not be made: a fault of this program.
    #[error("the request cannot be written: {0}")]
    Request(String),
    /// It could not be reached, or broke off.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The answer took too long.
    #[error("{0} did not answer in time")]
    TimedOut(String),
    /// The answer was longer than what we take.
    #[error("the answer of {0} is too long")]
    TooLong(String),
    /// It refused.
    #[error("{server} answered {status}: {message}")]
    Refused {
        /// Who was asked.
        server: String,
        /// The status of its answer.
        status: StatusCode,
        /// Its `errcode`; empty if it gave none.
        errcode: String,
        /// Its `error`.
        message: String,
        /// The whole body, as far as it is a JSON object; else null.
        body: Value,
    },
    /// It answered with something else than what the specification says.
    #[error("the answer of {server} cannot be read: {reason}")]
    Malformed {
        /// Who was asked.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl FederationError {
    /// Whether the server says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }
}

/// The way to other servers. One value, and its clones, serve a node.
#[derive(Clone)]
pub struct Federation {
    server: Arc<Server>,
    transport: Arc<dyn Transport>,
    settings: Arc<FederationSettings>,
    keys: RemoteKeys,
}

impl Federation {
    /// The way through this network.
    pub fn new(
        server: Arc<Server>,
        store: Store,
        transport: Arc<dyn Transport>,
        settings: FederationSettings,
    ) -> Self {
        let settings = Arc::new(settings);
        let keys = RemoteKeys::new(server.clone(), store, transport.clone(), settings.clone());
        Self {
            server,
            transport,
            settings,
            keys,
        }
    }

    /// The keys of other servers.
    pub fn keys(&self) -> &RemoteKeys {
        &self.keys
    }

    /// Ends what goes on without anybody who waits for it.
    pub fn end(&self) {
        self.keys.end();
    }

    /// Whether the operator lets us speak with that server, in either direction.
    pub fn allows(&self, server: &ServerName) -> bool {
        self.settings.allows(server)
    }

    /// Asks another server, within the usual limits.
    pub async fn ask<R>(
        &self,
        destination: &ServerName,
        request: R,
    ) -> Result<R::IncomingResponse, FederationError>
    where
        R: OutgoingRequest,
        R::PathBuilder: for<'a> PathBuilder<Input<'a> = ()>,
    {
        self.ask_within(destination, request, Limits::default())
            .await
    }

    /// As [`Federation::ask`], within these limits.
    pub async fn ask_within<R>(
        &self,
        destination: &ServerName,
        request: R,
        limits: Limits,
    ) -> Result<R::IncomingResponse, FederationError>
    where
        R: OutgoingRequest,
        R::PathBuilder: for<'a> PathBuilder<Input<'a> = ()>,
    {
        let request = to_http(request)?;
        let response = self.request(destination, request, limits).await?;
        let response = response.map(|bytes| bytes.to_vec());
        let (parts, bytes) = response.into_parts();
        R::IncomingResponse::try_from_http_response(Response::from_parts(parts, &bytes[..]))
            .map_err(|error| malformed(destination, &error))
    }

    /// As [`Federation::ask_within`], for answers that ruma reads too strictly or too widely: the
    /// body is read as a `T`.
    pub async fn ask_for<T, R>(
        &self,
        destination: &ServerName,
        request: R,
        limits: Limits,
    ) -> Result<T, FederationError>
    where
        T: DeserializeOwned,
        R: OutgoingRequest,
        R::PathBuilder: for<'a> PathBuilder<Input<'a> = ()>,
    {
        let request = to_http(request)?;
        let response = self.request(destination, request, limits).await?;
        serde_json::from_slice(response.body()).map_err(|error| malformed(destination, &error))
    }

    /// As [`Federation::ask_within`], for an answer that is read while it comes in. A refusal is
    /// read to its end.
    pub async fn ask_for_pieces<R>(
        &self,
        destination: &ServerName,
        request: R,
        limits: Limits,
    ) -> Result<Pieces, FederationError>
    where
        R: OutgoingRequest,
        R::PathBuilder: for<'a> PathBuilder<Input<'a> = ()>,
    {
        let request = to_http(request)?;
        let begun = Instant::now();
        let timed_out = |_| FederationError::TimedOut(destination.to_string());
        let opened = tokio::time::timeout(limits.time, self.open(destination, request)).await;
        let (parts, body) = opened.map_err(timed_out)??.into_parts();
        if parts.status.is_success() {
            return Ok(Pieces::new(destination.to_owned(), body, limits, begun));
        }
        let usual = Limits::default();
        let bytes = read_within(destination, body, usual.bytes);
        let bytes = tokio::time::timeout(usual.time, bytes).await;
        let refusal = Response::from_parts(parts, bytes.map_err(timed_out)??);
        match check_status(destination, refusal) {
            Err(error) => Err(error),
            Ok(_) => Err(FederationError::Request(
                "the status is no refusal".to_owned(),
            )),
        }
    }

    /// Sends a request whose address is a path, and reads the whole answer.
    pub async fn request(
        &self,
        destination: &ServerName,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, FederationError> {
        let whole = async {
            let (parts, body) = self.open(destination, request).await?.into_parts();
            let bytes = read_within(destination, body, limits.bytes).await?;
            check_status(destination, Response::from_parts(parts, bytes))
        };
        tokio::time::timeout(limits.time, whole)
            .await
            .map_err(|_| FederationError::TimedOut(destination.to_string()))?
    }

    /// Sends a request whose address is a path, and gives the answer while it comes in, whatever
    /// its status. Who reads it limits its size and time.
    pub async fn open(
        &self,
        destination: &ServerName,
        mut request: Request<Bytes>,
    ) -> Result<Response<Body>, FederationError> {
        if !self.allows(destination) {
            return Err(FederationError::NotAllowed(destination.to_string()));
        }
        XMatrix::sign(&self.server, destination, &mut request)
            .map_err(|error| FederationError::Request(error.to_string()))?;
        Ok(self.transport.send(destination, request).await?)
    }
}

/// A ruma request as HTTP, without credentials, addressed by its path alone.
fn to_http<R>(request: R) -> Result<Request<Bytes>, FederationError>
where
    R: OutgoingRequest,
    R::PathBuilder: for<'a> PathBuilder<Input<'a> = ()>,
{
    let wrong = |reason: String| FederationError::Request(reason);
    let (mut parts, body) = request
        .try_into_http_request_inner("", ())
        .map_err(|error| wrong(error.to_string()))?
        .into_parts();
    if let Some(content_type) = body.content_type() {
        parts
            .headers
            .entry(header::CONTENT_TYPE)
            .or_insert(content_type);
    }
    let bytes: BytesMut = body
        .try_into_buf()
        .map_err(|error| wrong(error.into().to_string()))?;
    Ok(Request::from_parts(parts, bytes.freeze()))
}

fn malformed(server: &ServerName, error: &dyn std::error::Error) -> FederationError {
    FederationError::Malformed {
        server: server.to_string(),
        reason: error.to_string(),
    }
}

/// The body, if it has at most this many bytes.
async fn read_within(
    server: &ServerName,
    mut body: Body,
    bytes_max: usize,
) -> Result<Bytes, FederationError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > bytes_max {
            return Err(FederationError::TooLong(server.to_string()));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn check_status(
    server: &ServerName,
    response: Response<Bytes>,
) -> Result<Response<Bytes>, FederationError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    Err(FederationError::Refused {
        server: server.to_string(),
        status: response.status(),
        errcode: text("errcode"),
        message: text("error"),
        body,
    })
}
