//! What users see of other servers.

mod get_alias;
mod get_profile;
mod public_rooms;
