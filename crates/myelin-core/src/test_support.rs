//! A server with a fixed key and a room whose state a test sets up event by event.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedRoomId, RoomVersionId, ServerName, UserId, server_name,
    user_id,
};
use serde_json::{Value, json};

use crate::{
    auth::{AuthError, auth_types, check},
    environment::{Chance, Clock},
    event::{Event, NewEvent, create},
    server::Server,
    signing_key::SigningKey,
};

pub(crate) fn all_versions() -> Vec<RoomVersionId> {
    versions(1..=12)
}

pub(crate) fn versions(numbers: impl IntoIterator<Item = u8>) -> Vec<RoomVersionId> {
    let parse = |number: u8| RoomVersionId::try_from(number.to_string()).unwrap();
    numbers.into_iter().map(parse).collect()
}

pub(crate) fn test_server(name: &ServerName) -> Server {
    struct Fixed;
    impl Clock for Fixed {
        fn now_ms(&self) -> u64 {
            1_700_000_000_000
        }
    }
    struct Counting(AtomicU64);
    impl Chance for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                let n = self.0.fetch_add(1, Ordering::Relaxed);
                *byte = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
            }
        }
    }
    Server {
        name: name.to_owned(),
        key: SigningKey::from_seed("1", [7; 32]),
        clock: Arc::new(Fixed),
        chance: Arc::new(Counting(AtomicU64::new(1))),
    }
}

pub(crate) fn object(value: Value) -> CanonicalJsonObject {
    match ruma::CanonicalJsonValue::try_from(value).unwrap() {
        ruma::CanonicalJsonValue::Object(object) => object,
        other => panic!("an object is expected: {other}"),
    }
}

pub(crate) fn creator() -> &'static UserId {
    user_id!("@creator:example.org")
}

/// A room with nothing but its create event, and what a test adds.
#[derive(Debug)]
pub(crate) struct TestRoom {
    pub(crate) version: RoomVersionId,
    pub(crate) server: Server,
    pub(crate) room_id: OwnedRoomId,
    state: BTreeMap<(String, String), Event>,
    kept: Vec<Event>,
    last: OwnedEventId,
}

impl TestRoom {
    pub(crate) fn new(version: &RoomVersionId) -> TestRoom {
        TestRoom::with_create(version, json!({}))
    }

    /// A room whose create event names somebody else than its sender.
    pub(crate) fn with_creator(version: &RoomVersionId, creator: &UserId) -> TestRoom {
        TestRoom::with_create(version, json!({ "creator": creator }))
    }

    /// `content` is added to what the create event of this version needs.
    pub(crate) fn with_create(version: &RoomVersionId, content: Value) -> TestRoom {
        let server = test_server(server_name!("example.org"));
        let mut content = object(content);
        content.insert("room_version".to_owned(), version.as_str().into());
        if !version
            .rules()
            .unwrap()
            .authorization
            .use_room_create_sender
        {
            let creator = || creator().as_str().into();
            content.entry("creator".to_owned()).or_insert_with(creator);
        }
        let create = create_event(version, &server, content);
        TestRoom {
            version: version.clone(),
            room_id: create.room_id.clone(),
            last: create.event_id.clone(),
            state: BTreeMap::from([(("m.room.create".to_owned(), String::new()), create)]),
            kept: Vec::new(),
            server,
        }
    }

    /// All events of the room that a test has put or kept.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.state.values().chain(&self.kept)
    }

    /// Knows an event that is not in the state.
    pub(crate) fn keep(&mut self, event: Event) {
        self.kept.push(event);
    }

    pub(crate) fn state(&self, event_type: &str, state_key: &str) -> Option<&Event> {
        self.state
            .get(&(event_type.to_owned(), state_key.to_owned()))
    }

    /// Puts a state event without asking the rules.
    pub(crate) fn put(&mut self, sender: &UserId, event_type: &str, key: &str, content: Value) {
        let event = self.event(sender, event_type, Some(key), content);
        self.last = event.event_id.clone();
        self.state
            .insert((event_type.to_owned(), key.to_owned()), event);
    }

    pub(crate) fn put_member(&mut self, user: &UserId, membership: &str) {
        self.put(
            user,
            "m.room.member",
            user.as_str(),
            json!({ "membership": membership }),
        );
    }

    pub(crate) fn remove(&mut self, event_type: &str, key: &str) {
        self.state.remove(&(event_type.to_owned(), key.to_owned()));
    }

    /// An event on top of the room's state, not added to it.
    pub(crate) fn event(
        &self,
        sender: &UserId,
        event_type: &str,
        state_key: Option<&str>,
        content: Value,
    ) -> Event {
        self.event_after(
            sender,
            event_type,
            state_key,
            content,
            std::slice::from_ref(&self.last),
        )
    }

    pub(crate) fn event_after(
        &self,
        sender: &UserId,
        event_type: &str,
        state_key: Option<&str>,
        content: Value,
        prev_events: &[OwnedEventId],
    ) -> Event {
        let raw = serde_json::value::to_raw_value(&content).unwrap();
        let auth_events: Vec<OwnedEventId> =
            auth_types(&self.version, event_type, sender, state_key, &raw)
                .unwrap_or_else(|_| vec![("m.room.create".to_owned(), String::new())])
                .iter()
                .filter_map(|key| self.state.get(key))
                .map(|event| event.event_id.clone())
                .collect();
        let new = NewEvent {
            room_id: Some(&self.room_id),
            sender,
            event_type,
            state_key,
            content: object(content),
            redacts: None,
            sticky_ms: None,
            prev_events,
            auth_events: &auth_events,
            depth: 5,
            origin_server_ts: 1_700_000_000_000,
        };
        create(new, &self.version, &self.server).unwrap()
    }

    /// An event of the creator's of which only the fields matter.
    pub(crate) fn unsigned_event(
        &self,
        event_type: &str,
        key: Option<&str>,
        content: Value,
    ) -> Event {
        self.event(creator(), event_type, key, content)
    }

    pub(crate) fn check(&self, event: &Event) -> Result<(), AuthError> {
        check(&self.version, event, |event_type, key| {
            self.state(event_type, key)
        })
    }
}

pub(crate) fn create_event(
    version: &RoomVersionId,
    server: &Server,
    content: CanonicalJsonObject,
) -> Event {
    let room_id = ruma::room_id!("!room:example.org");
    let has_room_id = version
        .rules()
        .unwrap()
        .event_format
        .require_room_create_room_id;
    let new = NewEvent {
        room_id: has_room_id.then_some(room_id),
        sender: creator(),
        event_type: "m.room.create",
        state_key: Some(""),
        content,
        redacts: None,
        sticky_ms: None,
        prev_events: &[],
        auth_events: &[],
        depth: 1,
        origin_server_ts: 1_700_000_000_000,
    };
    create(new, version, server).unwrap()
}
