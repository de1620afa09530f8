//! Whose invitations a user wants: the account data `m.invite_permission_config` (spec: "Invite
//! permission", MSC4155).

use ruma::UserId;
use serde::Deserialize;

use crate::glob::glob_matches;

/// What becomes of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitePermission {
    /// It is sent and shown.
    Allow,
    /// It is sent, and the user is not told of it.
    Ignore,
    /// It is refused.
    Block,
}

/// A user's wishes. Those who have none want all invitations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct InvitePermissions {
    enabled: Option<bool>,
    allowed_users: Vec<String>,
    ignored_users: Vec<String>,
    blocked_users: Vec<String>,
    allowed_servers: Vec<String>,
    ignored_servers: Vec<String>,
    blocked_servers: Vec<String>,
    default_action: Option<String>,
}

impl InvitePermissions {
    /// Reads the content of the account data. One that is not of the specified form says nothing.
    pub fn parse(content: &[u8]) -> Self {
        serde_json::from_slice(content).unwrap_or_default()
    }

    /// What becomes of this user's invitations.
    pub fn of(&self, sender: &UserId) -> InvitePermission {
        use InvitePermission::{Allow, Block, Ignore};
        if self.enabled == Some(false) {
            return Allow;
        }
        let user = sender.as_str();
        // As with server ACLs, ports are not looked at.
        let server = sender.server_name().host();
        let lists = [
            (&self.allowed_users, user, Allow),
            (&self.ignored_users, user, Ignore),
            (&self.blocked_users, user, Block),
            (&self.allowed_servers, server, Allow),
            (&self.ignored_servers, server, Ignore),
            (&self.blocked_servers, server, Block),
        ];
        for (globs, name, permission) in lists {
            if globs.iter().any(|glob| glob_matches(glob, name)) {
                return permission;
            }
        }
        match self.default_action.as_deref() {
            Some("block") => Block,
            _ => Allow,
        }
    }
}

#[cfg(test)]
mod tests;
