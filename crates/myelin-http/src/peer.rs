//! Requests by other servers: whose they are is shown by a signature over the whole request.

use axum::extract::{OriginalUri, Request};
use http::{StatusCode, Uri};
use myelin_net::{KeyNeed, XMatrix, XMatrixError};
use ruma::{OwnedServerName, api::error::ErrorCode};

use crate::{
    App, MatrixError,
    endpoint::{FromCall, Parse, Raw},
};

/// The largest body that another server may send. A transaction of 50 events and 100 ephemeral ones
/// has to fit.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A request by another server.
#[derive(Debug)]
pub struct Peer<R> {
    /// Which server it is.
    pub origin: OwnedServerName,
    /// What is asked.
    pub body: R,
}

impl<R: Parse + Send> FromCall for Peer<R> {
    type Body = R;

    async fn from_call(app: &App, request: Request) -> Result<Self, MatrixError> {
        let (parts, body) = request.into_parts();
        // What is not signed at all is refused before its body is read.
        let credentials = XMatrix::of(&parts.headers, &app.server.name).map_err(refusal)?;
        let origin = credentials.origin().to_owned();
        if !app.federation.allows(&origin) {
            return Err(MatrixError::forbidden(format!(
                "This server does not speak with {origin}."
            )));
        }
        let raw = Raw::read_within(parts, body, BODY_BYTES_MAX).await?;
        verify(app, &credentials, &raw).await?;
        Ok(Self {
            origin,
            body: R::parse(raw)?,
        })
    }
}

async fn verify(app: &App, credentials: &XMatrix, raw: &Raw) -> Result<(), MatrixError> {
    let need = KeyNeed {
        server: credentials.origin().to_owned(),
        key_id: credentials.key_id().to_owned(),
        at_ms: Some(app.server.now_ms()),
    };
    let keys = app.federation.keys().find(&[need]).await;
    if keys.is_empty() {
        return Err(unauthorized(format!(
            "The key {} of {} cannot be had.",
            credentials.key_id(),
            credentials.origin(),
        )));
    }
    let mut signed = http::Request::new(&raw.bytes);
    *signed.method_mut() = raw.parts.method.clone();
    *signed.uri_mut() = asked_uri(raw);
    let checked = credentials.verify(&signed, &app.server.name, &keys);
    checked.map_err(refusal)
}

/// The address as it was asked for, before a router took anything off it.
fn asked_uri(raw: &Raw) -> Uri {
    let original = raw.parts.extensions.get::<OriginalUri>();
    original.map_or_else(|| raw.parts.uri.clone(), |original| original.0.clone())
}

fn refusal(error: XMatrixError) -> MatrixError {
    match error {
        XMatrixError::Header(_) | XMatrixError::Destination(_) | XMatrixError::Signature => {
            unauthorized(format!("{error}."))
        }
        XMatrixError::Body(error) => MatrixError::not_json(format!("{error}.")),
    }
}

fn unauthorized(message: String) -> MatrixError {
    MatrixError::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
}
