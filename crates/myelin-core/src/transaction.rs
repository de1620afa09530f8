//! Transactions between servers, as far as they can be read without knowing any room.
//!
//! What is wrong with one PDU or EDU must not spoil the others, so each stays as it was sent.

use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ids::ID_BYTES_MAX;

/// The most PDUs of a transaction.
pub const PDUS_MAX: usize = 50;
/// The most EDUs of a transaction.
pub const EDUS_MAX: usize = 100;

/// What a transaction holds.
#[derive(Debug, Deserialize)]
pub struct Transaction {
    #[serde(default)]
    pub pdus: Vec<Box<RawValue>>,
    #[serde(default)]
    pub edus: Vec<Box<RawValue>>,
}

#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// It is JSON, but no transaction, or it is no JSON at all.
    #[error("{0}")]
    Form(serde_json::Error),
    #[error("a transaction has at most {PDUS_MAX} PDUs and {EDUS_MAX} EDUs")]
    TooMany,
}

/// Reads the body of a transaction.
pub fn parse(body: &[u8]) -> Result<Transaction, TransactionError> {
    let sent: Transaction = serde_json::from_slice(body).map_err(TransactionError::Form)?;
    if sent.pdus.len() > PDUS_MAX || sent.edus.len() > EDUS_MAX {
        return Err(TransactionError::TooMany);
    }
    Ok(sent)
}

/// The room that a PDU says to be of, which says by which room version it is to be read.
pub fn room_of(pdu: &RawValue) -> Option<OwnedRoomId> {
    #[derive(Deserialize)]
    struct Placed {
        room_id: OwnedRoomId,
    }
    let placed: Placed = serde_json::from_str(pdu.get()).ok()?;
    (placed.room_id.as_bytes().len() <= ID_BYTES_MAX).then_some(placed.room_id)
}

/// The id that a PDU says to have: nothing to rely on, but to answer by.
pub fn claimed_id(pdu: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        event_id: String,
    }
    let named: Named = serde_json::from_str(pdu.get()).ok()?;
    (named.event_id.len() <= ID_BYTES_MAX).then_some(named.event_id)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &Value) -> Result<(usize, usize), String> {
        let sent = parse(body.to_string().as_bytes());
        let sent = sent.map_err(|error| error.to_string())?;
        Ok((sent.pdus.len(), sent.edus.len()))
    }

    #[test]
    fn a_transaction_is_two_lists_of_anything() {
        for (body, wanted) in [
            (json!({}), (0, 0)),
            (json!({"pdus": [1, null, {}], "edus": [[]]}), (3, 1)),
            (
                json!({"pdus": vec![1; PDUS_MAX], "edus": vec![1; EDUS_MAX]}),
                (50, 100),
            ),
        ] {
            assert_eq!(read(&body), Ok(wanted), "{body}");
        }
        for body in [
            json!([1]),
            json!({"pdus": {}}),
            json!({"pdus": vec![1; PDUS_MAX + 1]}),
            json!({"edus": vec![1; EDUS_MAX + 1]}),
        ] {
            assert!(read(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_pdu_names_its_room_and_perhaps_itself() {
        let raw = |value: Value| RawValue::from_string(value.to_string()).unwrap();
        let pdu = raw(json!({"room_id": "!a:b", "event_id": "$c"}));
        assert_eq!(room_of(&pdu).unwrap(), "!a:b");
        assert_eq!(claimed_id(&pdu).as_deref(), Some("$c"));
        let long = "a".repeat(300);
        for pdu in [
            json!(1),
            json!({}),
            json!({"room_id": 1, "event_id": 1}),
            json!({"room_id": "a", "event_id": long}),
            json!({"room_id": format!("!{long}:b")}),
        ] {
            assert_eq!(room_of(&raw(pdu.clone())), None, "{pdu}");
            assert_eq!(claimed_id(&raw(pdu.clone())), None, "{pdu}");
        }
    }
}
