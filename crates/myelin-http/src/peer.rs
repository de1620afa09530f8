//! Requests by other servers: whose they are is shown by a signature over the whole request.

use axum::extract::{OriginalUri, Request};
use http::{StatusCode, Uri};
use myelin_core::event::PublicKeys;
use myelin_net::{KeyNeed, XMatrix, XMatrixError};
use ruma::{OwnedServerName, api::error::ErrorCode};

use crate::{
    App, MatrixError,
    endpoint::{FromCall, Held, Parse, Raw},
    enforce_limits::{check_peer, limit_peer, note_false_peer},
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

    async fn from_call(app: &App, request: Request) -> Result<(Self, Held), MatrixError> {
        let (parts, body) = request.into_parts();
        // What is not signed at all is refused before its body is read, as is what is signed with a
        // key that there is not.
        let credentials = XMatrix::of(&parts.headers, &app.server.name).map_err(refusal)?;
        let origin = credentials.origin().to_owned();
        if origin == app.server.name {
            return Err(unauthorized(
                "The request says that it is this server's own.".to_owned(),
            ));
        }
        if !app.federation.allows(&origin) {
            return Err(MatrixError::forbidden(format!(
                "This server does not speak with {origin}."
            )));
        }
        check_peer(app, &parts, &origin)?;
        let Some(keys) = keys_of(app, &credentials).await else {
            note_false_peer(app, &parts);
            return Err(unauthorized(format!(
                "The key {} of {origin} cannot be had.",
                credentials.key_id(),
            )));
        };
        let raw = Raw::read_within(parts, body, BODY_BYTES_MAX).await?;
        if let Err(error) = verify(app, &credentials, &raw, &keys) {
            note_false_peer(app, &raw.parts);
            return Err(refusal(error));
        }
        app.note_heard(&origin).await?;
        let place = limit_peer(app, &origin).await?;
        let call = Self {
            origin,
            body: R::parse(raw)?,
        };
        Ok((call, Held::place(place)))
    }
}

async fn keys_of(app: &App, credentials: &XMatrix) -> Option<PublicKeys> {
    let need = KeyNeed {
        server: credentials.origin().to_owned(),
        key_id: credentials.key_id().to_owned(),
        at_ms: Some(app.server.now_ms()),
    };
    let keys = app.federation.keys().find(&[need]).await;
    (!keys.is_empty()).then_some(keys)
}

fn verify(
    app: &App,
    credentials: &XMatrix,
    raw: &Raw,
    keys: &PublicKeys,
) -> Result<(), XMatrixError> {
    let mut signed = http::Request::new(&raw.bytes);
    *signed.method_mut() = raw.parts.method.clone();
    *signed.uri_mut() = asked_uri(raw);
    credentials.verify(&signed, &app.server.name, keys)
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
