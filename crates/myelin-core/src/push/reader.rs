//! For whom, and of what room and thread, rules are asked.

use super::permission::Permission;

/// Whose rules are asked.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The user's id.
    pub user_id: &'a str,
    /// The user's display name in the room.
    pub display_name: Option<&'a str>,
}

/// What rules ask of a room.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// How many users are joined to it.
    pub joined: u64,
    /// What the sender of the event may notify others of; None: that was not looked up yet.
    pub permission: Option<&'a Permission>,
    /// Of an event in a thread: whether the reader has subscribed to it.
    pub subscribed: Option<bool>,
}
