use std::collections::BTreeMap;

use ruma::{
    CanonicalJsonObject, OwnedEventId, RoomVersionId, event_id,
    serde::Base64,
    server_name,
    signatures::{hash_and_sign_event, reference_hash},
};
use serde_json::{Value, json};

use super::{
    Event, EventError, NewEvent, PublicKeys, Verified, add_signature, create, from_stored, parse,
    redact, required_servers, verify,
};
use crate::{
    json::{JsonError, parse_object, to_canonical},
    server::Server,
    test_support::{TestRoom, all_versions, creator, object, test_server, versions},
};

mod creating;
mod parsing;
mod properties;
mod redacting;
mod verifying;

fn keys(server: &Server) -> PublicKeys {
    let key = Base64::new(server.key.public_key().to_vec());
    BTreeMap::from([(
        server.name.to_string(),
        BTreeMap::from([(server.key.key_id().to_owned(), key)]),
    )])
}

fn references(version: &RoomVersionId) -> Vec<OwnedEventId> {
    let has_server = version.rules().unwrap().event_format.require_event_id;
    if has_server {
        vec![
            event_id!("$one:x.org").to_owned(),
            event_id!("$two:y.org").to_owned(),
        ]
    } else {
        let id = event_id!("$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk");
        vec![
            id.to_owned(),
            event_id!("$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg").to_owned(),
        ]
    }
}

fn message(version: &RoomVersionId, content: Value) -> Event {
    let room = TestRoom::new(version);
    let refs = references(version);
    let new = NewEvent {
        room_id: Some(&room.room_id),
        sender: creator(),
        event_type: "m.room.message",
        state_key: None,
        content: object(content),
        redacts: None,
        sticky_ms: None,
        prev_events: &refs,
        auth_events: &refs[..1],
        depth: 12,
        origin_server_ts: 1_700_000_000_123,
    };
    create(new, version, &room.server).unwrap()
}

fn pdu(version: &RoomVersionId) -> CanonicalJsonObject {
    parse_object(message(version, json!({ "body": "hi" })).json.as_bytes()).unwrap()
}

fn parse_value(object: &CanonicalJsonObject, version: &RoomVersionId) -> Result<Event, EventError> {
    parse(to_canonical(object).as_bytes(), version)
}
