//! The client-server API through the door: one module per endpoint, each test in three modes.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod account_data;
mod accounts;
mod ban_user;
mod counts;
mod coverage;
mod create_room;
mod discovery;
mod every_endpoint;
mod filter;
mod forget_room;
mod get_message_events;
mod get_supported_versions;
mod history_visibility;
mod invite_user;
mod jobs;
mod join_room;
mod kick_user;
mod knock_room;
mod leave_room;
mod login;
mod logout;
mod membership;
mod pages;
mod profile;
mod push_rules;
mod redact_event;
mod register;
mod request_openid_token;
mod restricted_rooms;
mod send_message_event;
mod state;
mod sync_events;
mod tag;
mod thirdparty;
mod v1;
