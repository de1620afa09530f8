//! Whose invitations users want.

use myelin_core::invite_permission::{InvitePermission, InvitePermissions};
use myelin_store::{
    Read, Store, StoreResult,
    account_data::{self, Key},
};
use ruma::UserId;

/// The account data that says it, and what it was called before it was specified.
const TYPES: [&str; 3] = [
    "m.invite_permission_config",
    "org.matrix.msc4155.invite_permission_config",
    "org.matrix.msc4380.invite_permission_config",
];

/// All that a user says about invitations.
#[derive(Clone, Debug, Default)]
pub struct InviteWishes {
    of_type: Vec<InvitePermissions>,
}

impl InviteWishes {
    /// What becomes of this user's invitations.
    pub fn of(&self, sender: &UserId) -> InvitePermission {
        let mut permissions = self.of_type.iter().map(|wishes| wishes.of(sender));
        permissions
            .find(|permission| *permission != InvitePermission::Allow)
            .unwrap_or(InvitePermission::Allow)
    }
}

/// Reads what a user says about invitations. Whom the user ignores altogether stands elsewhere:
/// [`crate::ignored_users`].
pub async fn invite_wishes(store: &Store, read: &mut Read, user: i64) -> StoreResult<InviteWishes> {
    let mut keys = Vec::with_capacity(TYPES.len());
    for event_type in TYPES {
        keys.extend(Key::find(store, None, event_type).await?);
    }
    if keys.is_empty() {
        return Ok(InviteWishes::default());
    }
    let found = account_data::list(read, user, &keys).await?;
    let of_type = found
        .iter()
        .map(|data| InvitePermissions::parse(&data.content));
    Ok(InviteWishes {
        of_type: of_type.collect(),
    })
}
