//! What users see of other servers.

pub(crate) mod backfill;
mod canonical_alias;
mod get_alias;
mod get_event_by_timestamp;
mod get_hierarchy;
mod get_profile;
mod get_summary;
mod public_rooms;
