//! The federation API through its door, by peers that tests play and by servers of the test kit.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod catching_up;
mod counts;
mod coverage;
mod discover_homeserver;
mod forked_rooms;
mod former_servers;
mod get_backfill;
mod get_custom_information;
mod get_devices;
mod get_event;
mod get_event_authorization;
mod get_event_by_timestamp;
mod get_hierarchy;
mod get_missing_events;
mod get_openid_userinfo;
mod get_profile_information;
mod get_public_rooms;
mod get_remote_server_keys;
mod get_remote_server_keys_batch;
mod get_room_information;
mod get_room_state;
mod get_server_keys;
mod get_server_version;
mod hostile;
mod hostile_answers;
mod joining_elsewhere;
mod joins_cut_off;
mod membership;
mod policy_server;
mod received_events;
mod send_transaction_message;
mod serving;
mod states_without_keys;
mod sticky_events;
mod thirdparty;
