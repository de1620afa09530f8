//! A room that a peer serves as an honest server does: it lets users of others in, and tells what
//! happened before.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use http::{Method, Request};
use myelin_core::event::{self, Event};
use parking_lot::Mutex;
use ruma::{OwnedEventId, OwnedUserId};
use serde_json::{Value, json};

use crate::{PeerRoom, pdu};

/// A room that its peer serves. What is appended to it is told from then on to who asks.
pub struct HostedRoom {
    room: Arc<Mutex<PeerRoom>>,
}

impl PeerRoom {
    /// From now on the peer answers what is asked about this room, as it is then: `make_join`,
    /// `send_join`, `backfill`, `state_ids`, `state`, `event` and `get_missing_events`.
    pub fn serve(self) -> HostedRoom {
        let peer = self.peer.clone();
        let hosted = HostedRoom {
            room: Arc::new(Mutex::new(self)),
        };
        let answers: [(Method, &str, Answerer); 7] = [
            (Method::GET, "/_matrix/federation/v1/make_join/", make_join),
            (Method::PUT, "/_matrix/federation/v2/send_join/", send_join),
            (Method::GET, "/_matrix/federation/v1/backfill/", backfill),
            (Method::GET, "/_matrix/federation/v1/state_ids/", state_ids),
            (Method::GET, "/_matrix/federation/v1/state/", state),
            (Method::GET, "/_matrix/federation/v1/event/", one_event),
            (
                Method::POST,
                "/_matrix/federation/v1/get_missing_events/",
                missing_events,
            ),
        ];
        for (method, path, answer) in answers {
            let room = hosted.room.clone();
            peer.answer(method, path, move |request| {
                answer(&mut room.lock(), request)
            });
        }
        hosted
    }

    /// The state before an event: what those before it have left.
    fn state_before(&self, id: &str) -> BTreeMap<(String, String), OwnedEventId> {
        let before = self.ancestors(id);
        let mut state = BTreeMap::new();
        for event in &self.events {
            if let Some(key) = &event.state_key
                && before.contains(&event.event_id)
            {
                let key = (event.type_str().to_owned(), key.clone());
                state.insert(key, event.event_id.clone());
            }
        }
        state
    }

    fn ancestors(&self, id: &str) -> BTreeSet<OwnedEventId> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&Event> = self.find(id).into_iter().collect();
        while let Some(event) = open.pop() {
            let new = event.prev_events.iter();
            let new = new.filter(|id| found.insert((*id).clone()));
            open.extend(new.filter_map(|id| self.find(id.as_str())));
        }
        found
    }

    fn find(&self, id: &str) -> Option<&Event> {
        let mut events = self.events.iter();
        events.find(|event| event.event_id == id)
    }

    /// What vouches for these events, without them.
    fn auth_chain<'a>(&self, ids: impl Iterator<Item = &'a OwnedEventId>) -> Vec<&Event> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&Event> = ids.filter_map(|id| self.find(id.as_str())).collect();
        while let Some(event) = open.pop() {
            let new = event.auth_events.iter();
            let new = new.filter(|id| found.insert((*id).clone()));
            open.extend(new.filter_map(|id| self.find(id.as_str())));
        }
        let chain = self.events.iter();
        chain
            .filter(|event| found.contains(&event.event_id))
            .collect()
    }

    /// Events and what they come after, the deepest first.
    fn back_from(&self, ids: Vec<String>, limit: usize) -> Vec<&Event> {
        let mut seen = BTreeSet::new();
        let mut open: VecDeque<String> = ids.into();
        let mut found = Vec::new();
        while let Some(id) = open.pop_front() {
            if let Some(event) = self.find(&id).filter(|_| seen.insert(id)) {
                found.push(event);
                open.extend(event.prev_events.iter().map(ToString::to_string));
            }
        }
        found.sort_by_key(|event| std::cmp::Reverse(event.depth));
        found.truncate(limit);
        found
    }
}

impl HostedRoom {
    /// Changes the room.
    pub fn change<T>(&self, change: impl FnOnce(&mut PeerRoom) -> T) -> T {
        change(&mut self.room.lock())
    }

    /// The room as it is now.
    pub fn now(&self) -> PeerRoom {
        self.room.lock().clone()
    }
}

type Answerer = fn(&mut PeerRoom, &Request<Bytes>) -> (u16, Value);

fn make_join(room: &mut PeerRoom, request: &Request<Bytes>) -> (u16, Value) {
    let user: OwnedUserId = segment(request, 6).try_into().expect("a user id");
    let mut copy = room.clone();
    let join = json!({"membership": "join"});
    let event = copy.set(&user, "m.room.member", user.as_str(), join);
    (
        200,
        json!({"room_version": room.version, "event": pdu(&event)}),
    )
}

fn send_join(room: &mut PeerRoom, request: &Request<Bytes>) -> (u16, Value) {
    let join = event::parse(request.body(), &room.version).expect("a join");
    let state: Vec<OwnedEventId> = room.state.values().cloned().collect();
    let told = json!({
        "event": pdu(&join),
        "state": pdus(state.iter().filter_map(|id| room.find(id.as_str()))),
        "auth_chain": pdus(room.auth_chain(state.iter().chain(&join.auth_events))),
    });
    room.take(&join);
    (200, told)
}

fn backfill(room: &mut PeerRoom, request: &Request<Bytes>) -> (u16, Value) {
    let limit = parameters(request, "limit").pop();
    let limit = limit.and_then(|limit| limit.parse().ok()).unwrap_or(10);
    let told = room.back_from(parameters(request, "v"), limit);
    let name = &room.peer.server.name;
    let answer = json!({"origin": name, "origin_server_ts": 1, "pdus": pdus(told)});
    (200, answer)
}

fn state_ids(room: &mut PeerRoom, request: &Request<Bytes>) -> (u16, Value) {
    let Some(state) = told_state(room, request) else {
        return unknown();
    };
    let chain = room.auth_chain(state.iter());
    let chain: Vec<&OwnedEventId> = chain.iter().map(|event| &event.event_id).collect();
    (200, json!({"pdu_ids": state, "auth_chain_ids": chain}))
}

fn state(room: &mut PeerRoom, request: &Request<Bytes>) -> (u16, Value) {
    let Some(state) = told_state(room, request) else {
        return unknown();
    };
    let events = state.iter().filter_map(|id| room.find(id.as_str()));
    let chain = pdus(room.auth_chain(state.iter()));
    (200, json!({"pdus": pdus(events), "auth_chain": chain}))
}

fn one_event(room: &mut PeerRoom, request: &Request<Bytes>) -> (u16, Value) {
    let Some(event) = room.find(&segment(request, 5)) else {
        return unknown();
    };
    let name = &room.peer.server.name;
    let answer = json!({"origin": name, "origin_server_ts": 1, "pdus": [pdu(event)]});
    (200, answer)
}

fn missing_events(room: &mut PeerRoom, request: &Request<Bytes>) -> (u16, Value) {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let ids = |key: &str| -> BTreeSet<String> {
        let ids = body[key].as_array().into_iter().flatten();
        let ids = ids.filter_map(|id| Some(id.as_str()?.to_owned()));
        ids.collect()
    };
    let limit = body["limit"].as_u64().unwrap_or(10);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let earliest = ids("earliest_events");
    let mut known = earliest.clone();
    for id in &earliest {
        known.extend(room.ancestors(id).iter().map(ToString::to_string));
    }
    let latest = ids("latest_events");
    let mut told = room.back_from(latest.iter().cloned().collect(), usize::MAX);
    told.retain(|event| {
        let id = event.event_id.as_str();
        !known.contains(id) && !latest.contains(id)
    });
    told.truncate(limit);
    told.reverse();
    (200, json!({"events": pdus(told)}))
}

fn told_state(room: &PeerRoom, request: &Request<Bytes>) -> Option<Vec<OwnedEventId>> {
    let id = parameters(request, "event_id").pop()?;
    room.find(&id)?;
    Some(room.state_before(&id).into_values().collect())
}

fn unknown() -> (u16, Value) {
    let error = "The peer knows no such event.";
    (404, json!({"errcode": "M_NOT_FOUND", "error": error}))
}

fn pdus<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<Value> {
    events.into_iter().map(pdu).collect()
}

/// A part of the path, counted from 1.
fn segment(request: &Request<Bytes>, index: usize) -> String {
    let segment = request.uri().path().split('/').nth(index);
    decode(segment.unwrap_or_default())
}

fn parameters(request: &Request<Bytes>, name: &str) -> Vec<String> {
    let query = request.uri().query().unwrap_or_default();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let wanted = pairs.filter(|(key, _)| *key == name);
    wanted.map(|(_, value)| decode(value)).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        if byte == b'%' {
            let digits: String = left.by_ref().take(2).map(char::from).collect();
            bytes.extend(u8::from_str_radix(&digits, 16));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).expect("a path of text")
}
