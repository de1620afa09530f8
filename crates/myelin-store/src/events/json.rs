//! How the JSON of an event is stored: one byte of form, then the text, compressed if that is worth it.

use std::io::{Error, ErrorKind};

use crate::{Row, StoreError, StoreResult, Value};

/// JSON shorter than this is stored as it is: compression would gain less than a disk page.
const COMPRESS_FROM: usize = 1024;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// No event is larger than 64 KiB; what claims to be is not ours.
const JSON_MAX: usize = 128 * 1024;

pub(crate) fn encode_json(json: &str) -> Value {
    if json.len() >= COMPRESS_FROM
        && let Ok(compressed) = zstd::bulk::compress(json.as_bytes(), 1)
        && compressed.len() < json.len()
    {
        return [&[ZSTD], compressed.as_slice()].concat().into();
    }
    [&[PLAIN], json.as_bytes()].concat().into()
}

fn decode_json(stored: &[u8]) -> Result<String, Error> {
    let invalid = |reason: &str| Error::new(ErrorKind::InvalidData, reason);
    let bytes = match stored.split_first() {
        Some((&PLAIN, json)) => json.to_vec(),
        Some((&ZSTD, compressed)) => zstd::bulk::decompress(compressed, JSON_MAX)?,
        _ => return Err(invalid("unknown form of event JSON")),
    };
    String::from_utf8(bytes).map_err(|_| invalid("event JSON is not UTF-8"))
}

pub(crate) fn json_at(row: &Row, column: usize) -> StoreResult<String> {
    decode_json(&row.bytes(column)?).map_err(|error| StoreError::Corrupt {
        table: "events",
        column,
        wanted: "event JSON",
        found: error.to_string(),
    })
}
