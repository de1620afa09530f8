//! `PUT /_matrix/federation/v1/send/{txnId}`.
//!
//! Read by hand: what is wrong with one PDU or EDU must not spoil the others.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use myelin_core::transaction::{self, TransactionError};
use myelin_http::{MatrixError, Peer, Raw};
use myelin_rooms::{TakeTransactionError, Transaction};
use ruma::api::error::ErrorCode;

use crate::FederationApi;

/// The most bytes of a transaction id.
const TXN_ID_BYTES_MAX: usize = 255;

pub(crate) async fn send_transaction_message(
    api: FederationApi,
    Peer { origin, body }: Peer<Raw>,
) -> Result<Response, MatrixError> {
    let sent = match transaction::parse(&body.bytes) {
        Ok(sent) => sent,
        Err(TransactionError::Form(error)) if error.is_data() => {
            return Err(MatrixError::bad_json(format!("{error}.")));
        }
        Err(TransactionError::Form(error)) => {
            return Err(MatrixError::not_json(format!("{error}.")));
        }
        Err(error @ TransactionError::TooMany) => {
            return Err(MatrixError::bad_json(format!("{error}.")));
        }
    };
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
    let mut response = Response::new(Body::from(taken.map_err(not_taken)?));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

fn not_taken(error: TakeTransactionError) -> MatrixError {
    let message = format!("{error}.");
    match error {
        TakeTransactionError::TooMuch { retry_after_ms } => MatrixError {
            retry_after_ms: Some(retry_after_ms),
            ..MatrixError::new(
                StatusCode::TOO_MANY_REQUESTS,
                ErrorCode::LimitExceeded,
                message,
            )
        },
        TakeTransactionError::Store(error) => error.into(),
    }
}
