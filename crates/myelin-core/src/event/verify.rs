//! Whether an event is what its server signed.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{
    CanonicalJsonObject, OwnedServerName, RoomVersionId,
    signatures::{VerificationError, required_server_signatures_to_verify_event, verify_event},
};

use super::{Event, EventError, POLICY_KEY_ID, rules_of};

/// Server name to key id to public key.
pub use ruma::signatures::PublicKeyMap as PublicKeys;
/// `All`: signatures and content hash hold. `Signatures`: the content hash does not, so only the redacted
/// event may be used.
pub use ruma::signatures::Verified;

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("the event is not signed as it must be")]
    Signature(#[source] VerificationError),
}

/// Verifies the content hash, and one signature of every server that must have signed this event.
pub fn verify(
    event: &Event,
    version: &RoomVersionId,
    keys: &PublicKeys,
) -> Result<Verified, VerifyError> {
    let rules = rules_of(version)?;
    verify_event(keys, &object_of(event)?, &rules).map_err(VerifyError::Signature)
}

/// The servers whose keys [`verify`] needs.
pub fn required_servers(
    event: &Event,
    version: &RoomVersionId,
) -> Result<BTreeSet<OwnedServerName>, VerifyError> {
    let rules = rules_of(version)?;
    required_server_signatures_to_verify_event(&object_of(event)?, &rules.signatures)
        .map_err(VerifyError::Signature)
}

/// The servers that have signed the event, or claim to, with the ids of the keys they have used. The
/// key of a policy server is not one of them: rooms name it, servers do not tell it.
pub fn signing_keys(event: &Event) -> BTreeMap<String, Vec<String>> {
    let object = object_of(event).unwrap_or_default();
    let signatures = object.get("signatures").and_then(|found| found.as_object());
    let keys_of = |keys: &CanonicalJsonObject| {
        let keys = keys.keys().filter(|key| *key != POLICY_KEY_ID);
        keys.cloned().collect()
    };
    let signed_by = signatures.into_iter().flatten();
    signed_by
        .filter_map(|(server, keys)| Some((server.clone(), keys_of(keys.as_object()?))))
        .collect()
}

fn object_of(event: &Event) -> Result<CanonicalJsonObject, EventError> {
    serde_json::from_str(&event.json).map_err(EventError::Stored)
}
