//! A room as a peer sees it: a test makes events of any room version with it, good ones and bad.

use std::{collections::BTreeMap, sync::Arc};

use myelin_core::{
    auth,
    event::{self, Event, NewEvent},
};
use ruma::{CanonicalJsonObject, OwnedEventId, OwnedRoomId, OwnedUserId, RoomVersionId, UserId};
use serde_json::{Value, json, value::to_raw_value};

use crate::{Answer, Peer, TestServer, User, encode, text};

/// A room as a peer sees it. A clone goes its own way: so a test makes forks.
#[derive(Clone)]
pub struct PeerRoom {
    /// The peer that signs what is made here.
    pub peer: Arc<Peer>,
    /// The room version.
    pub version: RoomVersionId,
    /// The room's id.
    pub id: OwnedRoomId,
    /// The current state.
    pub state: BTreeMap<(String, String), OwnedEventId>,
    /// What the next event comes after.
    pub extremities: Vec<OwnedEventId>,
    /// The depth of the newest event.
    pub depth: u64,
    /// Everything that was appended here, the oldest first.
    pub events: Vec<Event>,
}

/// An event to be made; what a test does not say is as it should be.
#[derive(Clone, Debug)]
pub struct PeerEvent {
    /// Who sends it.
    pub sender: OwnedUserId,
    /// Its type.
    pub event_type: String,
    /// The state key of a state event.
    pub state_key: Option<String>,
    /// Its content.
    pub content: Value,
    /// What it redacts.
    pub redacts: Option<OwnedEventId>,
    /// For how long it is sticky.
    pub sticky_ms: Option<u32>,
    /// Instead of the newest events.
    pub prev_events: Option<Vec<OwnedEventId>>,
    /// Instead of those that the specification selects from the state.
    pub auth_events: Option<Vec<OwnedEventId>>,
    /// Instead of the next depth.
    pub depth: Option<u64>,
    /// Instead of the time on the peer's clock.
    pub origin_server_ts: Option<u64>,
}

impl PeerRoom {
    /// A public room that a user of the peer has made: who made it is joined and has all power.
    pub fn create(peer: &Arc<Peer>, version: &str, creator: &str) -> Self {
        let version = RoomVersionId::try_from(version).expect("a room version");
        let rules = version.rules().expect("a room version that is known");
        let id = format!("!{}:{}", peer.server.random_letters(18), peer.server.name);
        let mut room = Self {
            peer: peer.clone(),
            version,
            id: id.try_into().expect("a room id"),
            state: BTreeMap::new(),
            extremities: Vec::new(),
            depth: 0,
            events: Vec::new(),
        };
        let creator = room.user(creator);
        let mut content = json!({"room_version": room.version});
        if !rules.authorization.use_room_create_sender {
            content["creator"] = json!(creator);
        }
        let create = PeerEvent {
            state_key: Some(String::new()),
            ..PeerEvent::new(&creator, "m.room.create", content)
        };
        let create = room.append(create);
        room.id = create.room_id.clone();
        room.set(
            &creator,
            "m.room.member",
            creator.as_str(),
            json!({"membership": "join"}),
        );
        let levels = if rules.authorization.explicitly_privilege_room_creators {
            json!({"users": {}})
        } else {
            json!({"users": {&*creator: 100}})
        };
        room.set(&creator, "m.room.power_levels", "", levels);
        room.set(
            &creator,
            "m.room.join_rules",
            "",
            json!({"join_rule": "public"}),
        );
        let shared = json!({"history_visibility": "shared"});
        room.set(&creator, "m.room.history_visibility", "", shared);
        room
    }

    /// A room of a server as one of its members sees it. Nobody of the peer is in it.
    pub async fn of(peer: &Arc<Peer>, member: &User, room_id: &str) -> Self {
        let path = format!("/rooms/{}/state", encode(room_id));
        let state = member.get(&path).await.ok();
        let newest = member.messages(room_id, "dir=b&limit=1").await.ok();
        let id = |event: &Value| text(event, "event_id").try_into().expect("an event id");
        let events = state.as_array().expect("a list of events");
        let create = events.iter().find(|event| event["type"] == "m.room.create");
        let version = create.map(|create| create["content"]["room_version"].clone());
        let version = version.and_then(|version| version.as_str().map(ToOwned::to_owned));
        let key = |event: &Value| (text(event, "type"), text(event, "state_key"));
        Self {
            peer: peer.clone(),
            version: version
                .as_deref()
                .unwrap_or("1")
                .try_into()
                .expect("a room version"),
            id: room_id.try_into().expect("a room id"),
            state: events.iter().map(|event| (key(event), id(event))).collect(),
            extremities: vec![id(&newest["chunk"][0])],
            depth: 1_000,
            events: Vec::new(),
        }
    }

    /// The same after a user of the peer has joined it, which must be public.
    pub async fn joined(
        peer: &Arc<Peer>,
        server: &TestServer,
        (member, room_id): (&User, &str),
        localpart: &str,
    ) -> Self {
        let mut room = Self::of(peer, member, room_id).await;
        let user = room.user(localpart);
        let join = room.set(
            &user,
            "m.room.member",
            user.as_str(),
            json!({"membership": "join"}),
        );
        room.receive(server, &join).await;
        room
    }

    /// The full id of a user of the peer.
    pub fn user(&self, localpart: &str) -> OwnedUserId {
        let id = format!("@{localpart}:{}", self.peer.server.name);
        id.try_into().expect("a user id")
    }

    /// Makes an event on top of the room, and leaves the room as it is.
    pub fn make(&self, new: PeerEvent) -> Event {
        let rules = self.version.rules().expect("a room version that is known");
        let is_named_by_event =
            new.event_type == "m.room.create" && !rules.event_format.require_room_create_room_id;
        let content = to_raw_value(&new.content).expect("JSON is JSON");
        let state_key = new.state_key.as_deref();
        let selected = auth::auth_types(
            &self.version,
            &new.event_type,
            &new.sender,
            state_key,
            &content,
        );
        let selected = selected.unwrap_or_default();
        let selected = selected
            .iter()
            .filter_map(|key| self.state.get(key))
            .cloned();
        let object: CanonicalJsonObject =
            serde_json::from_value(new.content).expect("the test gives canonical JSON");
        let event = NewEvent {
            room_id: (!is_named_by_event).then_some(&*self.id),
            sender: &new.sender,
            event_type: &new.event_type,
            state_key,
            content: object,
            redacts: new.redacts.as_deref(),
            sticky_ms: new.sticky_ms,
            prev_events: new.prev_events.as_deref().unwrap_or(&self.extremities),
            auth_events: &new.auth_events.unwrap_or_else(|| selected.collect()),
            depth: new.depth.unwrap_or(self.depth + 1),
            origin_server_ts: new
                .origin_server_ts
                .unwrap_or_else(|| self.peer.server.now_ms()),
        };
        event::create(event, &self.version, &self.peer.server).expect("an event can be made of it")
    }

    /// Makes an event on top of the room and moves the room on by it.
    pub fn append(&mut self, new: PeerEvent) -> Event {
        let event = self.make(new);
        self.take(&event);
        event
    }

    /// Moves the room on by an event, which may be somebody else's.
    pub fn take(&mut self, event: &Event) {
        self.extremities
            .retain(|id| !event.prev_events.contains(id));
        self.extremities.push(event.event_id.clone());
        self.depth = self.depth.max(event.depth);
        if let Some(key) = &event.state_key {
            let key = (event.type_str().to_owned(), key.clone());
            self.state.insert(key, event.event_id.clone());
        }
        self.events.push(event.clone());
    }

    /// Appends a state event.
    pub fn set(&mut self, sender: &UserId, event_type: &str, key: &str, content: Value) -> Event {
        self.append(PeerEvent {
            state_key: Some(key.to_owned()),
            ..PeerEvent::new(sender, event_type, content)
        })
    }

    /// Appends a text by a user of the peer.
    pub fn message(&mut self, sender: &UserId, body: &str) -> Event {
        self.append(PeerEvent::text(sender, body))
    }

    /// Hands an event over to a server past its door, as `send_join` does once it has looked at it.
    pub async fn receive(&self, server: &TestServer, event: &Event) {
        let received = server.rooms().receive_event(event.clone()).await;
        let outcome = received.expect("everything before it is known");
        assert_eq!(outcome, myelin_rooms::Outcome::Accepted, "{}", event.json);
    }

    /// `PUT /_matrix/federation/v1/send/{txnId}` of these events.
    pub async fn send(&self, server: &TestServer, events: &[&Event]) -> Answer {
        let pdus: Vec<Value> = events.iter().map(|event| pdu(event)).collect();
        self.peer.transaction(server, pdus, Vec::new()).await
    }
}

impl PeerEvent {
    /// An event that is no state event.
    pub fn new(sender: &UserId, event_type: &str, content: Value) -> Self {
        Self {
            sender: sender.to_owned(),
            event_type: event_type.to_owned(),
            state_key: None,
            content,
            redacts: None,
            sticky_ms: None,
            prev_events: None,
            auth_events: None,
            depth: None,
            origin_server_ts: None,
        }
    }

    /// A text.
    pub fn text(sender: &UserId, body: &str) -> Self {
        let content = json!({"msgtype": "m.text", "body": body});
        Self::new(sender, "m.room.message", content)
    }
}

/// An event as servers send it to each other.
pub fn pdu(event: &Event) -> Value {
    serde_json::from_str(&event.json).expect("an event is JSON")
}
