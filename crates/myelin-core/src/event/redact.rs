//! Redaction: what remains of an event is what its id and signatures cover.

use ruma::{CanonicalJsonObject, RoomVersionId, canonical_json::redact_in_place};

use super::{EventError, rules_of};
use crate::json::to_canonical;

/// The pruned canonical JSON of a stored event. Its id and its signatures stay valid, its content hash does
/// not.
pub fn redact(json: &str, version: &RoomVersionId) -> Result<String, EventError> {
    let rules = rules_of(version)?;
    let mut object: CanonicalJsonObject = serde_json::from_str(json).map_err(EventError::Stored)?;
    redact_in_place(&mut object, &rules.redaction, None).map_err(|error| EventError::Invalid {
        key: "type",
        reason: error.to_string(),
    })?;
    Ok(to_canonical(&object))
}
