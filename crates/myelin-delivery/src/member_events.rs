//! What member events make of their users.

use myelin_core::{membership::Membership, trie::TYPE_MEMBER};
use myelin_store::events::StoredEvent;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The user whom an event takes out of the room, or whose invitation it takes back.
pub(crate) fn takes_away(event: &StoredEvent) -> Option<i64> {
    let user = event
        .state_key
        .filter(|_| event.event_type == TYPE_MEMBER)?;
    let membership = membership_of(&event.json)?;
    matches!(membership, Membership::Leave | Membership::Ban).then_some(user)
}

/// The membership that a member event gives.
pub(crate) fn membership_of(json: &str) -> Option<Membership> {
    #[derive(Deserialize)]
    struct Member<'a> {
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let member: Member<'_> = serde_json::from_str(json).ok()?;
    Membership::of_content(member.content)
}
