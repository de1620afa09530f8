//! A peer that lets users of other servers into a room of its own, as a server should; a test says
//! where it stops in the middle of it.

use std::{collections::HashSet, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response};
use myelin_core::event;
use parking_lot::Mutex;
use ruma::{OwnedEventId, OwnedUserId};
use serde_json::json;

use crate::{Peer, PeerEvent, PeerRoom, in_pieces, pdu, silent_after};

const SEND_JOIN: &str = "/_matrix/federation/v2/send_join/";
/// How much of an answer comes through a socket at once.
const FRAME: usize = 256 * 1024;

/// How far the peer helps with a join before it falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It was asked for a template, and says nothing.
    Template,
    /// It was sent the join, has taken it, and says nothing.
    Join,
    /// It has answered so many thousandths of the room's state.
    State(usize),
    /// It helps to the end.
    Whole,
}

/// A room of a peer that others may join.
pub struct PeerHost {
    /// The room, with those who have joined it.
    pub room: Arc<Mutex<PeerRoom>>,
    /// How far it helps.
    stage: Arc<Mutex<Stage>>,
    reached: Arc<Mutex<Vec<Stage>>>,
}

impl PeerHost {
    /// The peer of the room answers `make_join` and `send_join` from now on.
    pub fn new(room: PeerRoom) -> Self {
        let peer = room.peer.clone();
        let host = Self {
            room: Arc::new(Mutex::new(room)),
            stage: Arc::new(Mutex::new(Stage::Whole)),
            reached: Arc::default(),
        };
        host.answer_templates(&peer);
        host.answer_joins(&peer);
        host
    }

    /// The same of a large room, whose state is told as it is now, and in pieces: the answers take
    /// no memory that is not taken before.
    pub fn frozen(room: PeerRoom) -> Self {
        let peer = room.peer.clone();
        let answer = Bytes::from(joined(&room, None));
        let host = Self::new(room);
        peer.answer_with(Method::PUT, SEND_JOIN, move |_| {
            Response::new(in_pieces(answer.clone(), FRAME))
        });
        host
    }

    /// From now on it helps so far, and has not helped before.
    pub fn stop_at(&self, stage: Stage) {
        *self.stage.lock() = stage;
        self.reached.lock().clear();
    }

    /// Whether it has come to where it was to stop.
    pub fn has_stopped(&self) -> bool {
        self.reached.lock().contains(&self.stage.lock())
    }

    fn answer_templates(&self, peer: &Peer) {
        let (room, stage, reached) = (self.room.clone(), self.stage.clone(), self.reached.clone());
        let path = "/_matrix/federation/v1/make_join/";
        peer.answer_with(Method::GET, path, move |request| {
            if *stage.lock() == Stage::Template {
                reached.lock().push(Stage::Template);
                return Response::new(silent_after(Bytes::new()));
            }
            let room = room.lock();
            let user = user_of(request);
            let event = room.make(PeerEvent {
                state_key: Some(user.to_string()),
                ..PeerEvent::new(&user, "m.room.member", json!({"membership": "join"}))
            });
            let answer = json!({"room_version": room.version, "event": pdu(&event)});
            Response::new(Body::from(answer.to_string()))
        });
    }

    fn answer_joins(&self, peer: &Peer) {
        let (room, stage, reached) = (self.room.clone(), self.stage.clone(), self.reached.clone());
        peer.answer_with(Method::PUT, SEND_JOIN, move |request| {
            let mut room = room.lock();
            let answer = joined(&room, Some(request.body()));
            let join = event::parse(request.body(), &room.version).expect("it is an event");
            room.take(&join);
            let stage = *stage.lock();
            let body = match stage {
                Stage::Join => silent_after(Bytes::new()),
                Stage::State(thousandths) => {
                    let mut answer = Bytes::from(answer);
                    answer.truncate(answer.len() * thousandths / 1_000);
                    silent_after(answer)
                }
                Stage::Template | Stage::Whole => Body::from(answer),
            };
            reached.lock().push(stage);
            Response::new(body)
        });
    }
}

/// What is answered to an event by which a user joins a room as it was before, perhaps with the
/// event.
fn joined(room: &PeerRoom, event: Option<&[u8]>) -> String {
    let current: HashSet<&OwnedEventId> = room.state.values().collect();
    let (mut state, mut auth_chain) = (Vec::new(), Vec::new());
    for event in &room.events {
        if current.contains(&event.event_id) {
            state.push(&*event.json);
        } else if event.is_state() {
            auth_chain.push(&*event.json);
        }
    }
    let event = event.map(String::from_utf8_lossy);
    let event = event.map_or_else(String::new, |event| format!(r#","event":{event}"#));
    format!(
        r#"{{"state":[{}],"auth_chain":[{}],"members_omitted":false{event}}}"#,
        state.join(","),
        auth_chain.join(","),
    )
}

fn user_of(request: &Request<Bytes>) -> OwnedUserId {
    let user = request.uri().path().rsplit('/').next().unwrap_or_default();
    let user = user.replace("%40", "@").replace("%3A", ":");
    user.try_into().expect("the path names a user")
}
