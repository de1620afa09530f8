//! Filters that clients upload, to name them in requests.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use myelin_core::server::Server;
use myelin_store::{Read, Store, StoreError, StoreResult, WriteSet, filters};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

const DEFINITION_BYTES_MAX: usize = 64 * 1024;
/// Clients upload a few. Beyond this the oldest go, and who still names one uploads it again.
const FILTERS_MAX: i64 = 1_000;

/// Why a filter was not stored.
#[derive(Debug, thiserror::Error)]
pub enum CreateFilterError {
    /// It is no JSON object.
    #[error("the filter is not a JSON object: {0}")]
    NotAnObject(serde_json::Error),
    /// It is too large.
    #[error("the filter has more than {DEFINITION_BYTES_MAX} bytes")]
    TooLarge,
    /// The store failed.
    #[error("the filter could not be stored")]
    Store(#[from] StoreError),
}

/// Stores a filter and answers with its id. The same filter has the same id, so uploading it again
/// stores nothing.
pub async fn create_filter(
    server: &Server,
    store: &Store,
    user: i64,
    definition: &[u8],
) -> Result<String, CreateFilterError> {
    if definition.len() > DEFINITION_BYTES_MAX {
        return Err(CreateFilterError::TooLarge);
    }
    let object: Map<String, Value> =
        serde_json::from_slice(definition).map_err(CreateFilterError::NotAnObject)?;
    let definition = Value::Object(object).to_string();
    let hash = Sha256::digest(definition.as_bytes());
    let id = URL_SAFE_NO_PAD.encode(&hash[..12]);
    let mut read = store.read();
    if find_filter(&mut read, user, &id).await?.is_some() {
        return Ok(id);
    }
    let mut writes = WriteSet::new();
    let now_ms = server.now_ms().cast_signed();
    filters::insert(&mut writes, user, (&id, &definition), now_ms);
    for oldest in filters::list_oldest(&mut read, user, FILTERS_MAX - 1).await? {
        filters::delete(&mut writes, user, &oldest);
    }
    store.commit(writes).await?;
    Ok(id)
}

/// The definition of a user's filter, a JSON object.
pub async fn find_filter(read: &mut Read, user: i64, id: &str) -> StoreResult<Option<Bytes>> {
    filters::find(read, user, id).await
}
