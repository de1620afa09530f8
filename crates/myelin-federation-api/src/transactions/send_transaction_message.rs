//! `PUT /_matrix/federation/v1/send/{txnId}`.
//!
//! Read by hand: what is wrong with one PDU or EDU must not spoil the others.

use axum::{body::Body, response::Response};
use http::{HeaderValue, header};
use myelin_http::{MatrixError, Peer, Raw};
use myelin_rooms::Transaction;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::FederationApi;

/// The most PDUs of a transaction.
const PDUS_MAX: usize = 50;
/// The most EDUs of a transaction.
const EDUS_MAX: usize = 100;
/// The most bytes of a transaction id.
const TXN_ID_BYTES_MAX: usize = 255;

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    pdus: Vec<Box<RawValue>>,
    #[serde(default)]
    edus: Vec<Box<RawValue>>,
}

pub(crate) async fn send_transaction_message(
    api: FederationApi,
    Peer { origin, body }: Peer<Raw>,
) -> Result<Response, MatrixError> {
    let sent: Sent = body.json()?;
    if sent.pdus.len() > PDUS_MAX || sent.edus.len() > EDUS_MAX {
        return Err(MatrixError::bad_json(format!(
            "A transaction has at most {PDUS_MAX} PDUs and {EDUS_MAX} EDUs."
        )));
    }
    let txn_id = body.path.first().map(String::as_str).unwrap_or_default();
    if txn_id.len() > TXN_ID_BYTES_MAX {
        return Err(MatrixError::invalid_param(
            "The transaction id is too long.",
        ));
    }
    let transaction = Transaction {
        origin: &origin,
        txn_id,
        pdus: &sent.pdus,
        edus: &sent.edus,
    };
    let taken = api.rooms.take_transaction(transaction).await;
    let mut response = Response::new(Body::from(taken.map_err(MatrixError::internal)?));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}
