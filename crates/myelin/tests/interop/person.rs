//! Somebody with an account on either server, who does and sees what clients let people do and see.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use myelin_blackbox::{Answer, User, encode, until};
use serde_json::{Value, json};

const CLIENT: &str = "/_matrix/client/v3";

/// The type and the state key of a state event, and its id.
pub(crate) type State = BTreeMap<(String, String), String>;

/// A logged in user. Each request goes over a connection of its own, so that none of them notices
/// a restart.
pub(crate) struct Person {
    /// Their Matrix id.
    pub(crate) id: String,
    user: User,
    address: SocketAddr,
    transactions: Cell<u32>,
}

impl Person {
    pub(crate) fn register(address: SocketAddr, name: &str) -> Self {
        let user = User::register(address, name).unwrap();
        Self {
            id: user.user_id.clone(),
            user,
            address,
            transactions: Cell::new(0),
        }
    }

    // What they do.

    /// Makes a room of the default version that anybody may join.
    pub(crate) fn create_room(&self) -> String {
        self.create_room_with(json!({"preset": "public_chat"}))
    }

    pub(crate) fn create_room_with(&self, body: Value) -> String {
        let answer = self.post("/createRoom", body);
        answer["room_id"].as_str().unwrap().to_owned()
    }

    /// Joins by an alias, or by an invitation that says which servers know the room.
    #[track_caller]
    pub(crate) fn join(&self, room: &str) {
        self.post(&format!("/join/{}", encode(room)), json!({}));
    }

    /// Joins a room that this server does not know, with the help of another.
    #[track_caller]
    pub(crate) fn join_via(&self, room: &str, server: &str) {
        let answer = self.try_join_via(room, server);
        answer.expect_ok(&format!("{} joins {room} via {server}", self.id));
    }

    pub(crate) fn try_join_via(&self, room: &str, server: &str) -> Answer {
        // Servers that are some years old know the one, those of the present the other.
        let server = encode(server);
        let path = format!("/join/{}?server_name={server}&via={server}", encode(room));
        self.try_post(&path, json!({}))
    }

    #[track_caller]
    pub(crate) fn knock_via(&self, room: &str, server: &str, reason: &str) {
        let server = encode(server);
        let path = format!("/knock/{}?server_name={server}&via={server}", encode(room));
        self.post(&path, json!({"reason": reason}));
    }

    #[track_caller]
    pub(crate) fn leave(&self, room: &str) {
        self.post(&format!("/rooms/{}/leave", encode(room)), json!({}));
    }

    /// Invites, kicks, bans or unbans: what the last part of the address says.
    #[track_caller]
    pub(crate) fn moderate(&self, act: &str, room: &str, whom: &Person) {
        let answer = self.try_moderate(act, room, whom);
        answer.expect_ok(&format!("{} {act}s {}", self.id, whom.id));
    }

    pub(crate) fn try_moderate(&self, act: &str, room: &str, whom: &Person) -> Answer {
        let body = json!({"user_id": whom.id});
        self.try_post(&format!("/rooms/{}/{act}", encode(room)), body)
    }

    /// Sends a text and returns the id of its event.
    #[track_caller]
    pub(crate) fn say(&self, room: &str, text: &str) -> String {
        let answer = self.try_say(room, text);
        let answer = answer.expect_ok(&format!("{} says {text:?}", self.id));
        answer["event_id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn try_say(&self, room: &str, text: &str) -> Answer {
        let path = self.transaction(&format!("/rooms/{}/send/m.room.message", encode(room)));
        self.try_put(&path, json!({"msgtype": "m.text", "body": text}))
    }

    /// Says a text again and again, as clients do, until the server has acknowledged it.
    pub(crate) fn insist_on_saying(&self, room: &str, text: &str) {
        let path = self.transaction(&format!("/rooms/{}/send/m.room.message", encode(room)));
        let body = json!({"msgtype": "m.text", "body": text});
        until(&format!("{} has said {text:?}", self.id), || {
            let answer = self.connected().put(&address_of(&path), &body);
            let answer = answer.map_err(|error| error.to_string())?;
            holds(answer.status == 200, || answer.status.to_string())
        });
    }

    #[track_caller]
    pub(crate) fn redact(&self, room: &str, event: &str, reason: &str) {
        let path = format!("/rooms/{}/redact/{}", encode(room), encode(event));
        let path = self.transaction(&path);
        self.put(&path, json!({"reason": reason}));
    }

    /// Sets a state event and returns its id.
    #[track_caller]
    pub(crate) fn set(&self, room: &str, (kind, key): (&str, &str), content: Value) -> String {
        let answer = self.put(&state_path(room, (kind, key)), content);
        answer["event_id"].as_str().unwrap().to_owned()
    }

    // What they see.

    /// All that was said and that they may see, the oldest first.
    pub(crate) fn texts(&self, room: &str) -> Result<Vec<String>, String> {
        let events = self.timeline(room)?;
        let texts = events.iter().filter_map(|event| {
            let is_message = event["type"] == "m.room.message";
            let body = event["content"]["body"].as_str();
            body.filter(|_| is_message).map(str::to_owned)
        });
        Ok(texts.collect())
    }

    /// All events that they may see, the oldest first, page by page from now back.
    pub(crate) fn timeline(&self, room: &str) -> Result<Vec<Value>, String> {
        let (mut events, mut from) = (Vec::new(), String::new());
        loop {
            let path = format!("/rooms/{}/messages?dir=b&limit=50{from}", encode(room));
            let page = self.try_get(&path)?;
            events.extend(page["chunk"].as_array().unwrap().iter().cloned());
            let Some(end) = page["end"].as_str() else {
                events.reverse();
                return Ok(events);
            };
            from = format!("&from={}", encode(end));
        }
    }

    pub(crate) fn state(&self, room: &str) -> Result<State, String> {
        let events = self.try_get(&format!("/rooms/{}/state", encode(room)))?;
        let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
        let entries = events.as_array().unwrap().iter().map(|event| {
            let key = (text(event, "type"), text(event, "state_key"));
            (key, text(event, "event_id"))
        });
        Ok(entries.collect())
    }

    /// The content of a state event.
    pub(crate) fn content(&self, room: &str, key: (&str, &str)) -> Result<Value, String> {
        self.try_get(&state_path(room, key))
    }

    /// What a client is told that asks for everything anew.
    pub(crate) fn sync(&self) -> Result<Value, String> {
        self.try_get("/sync")
    }

    /// The event, as they see it.
    pub(crate) fn event(&self, room: &str, event: &str) -> Result<Value, String> {
        self.try_get(&format!("/rooms/{}/event/{}", encode(room), encode(event)))
    }

    // What they come to see.

    #[track_caller]
    pub(crate) fn comes_to_hear(&self, room: &str, texts: &[&str]) {
        until(&format!("{} hears {texts:?}", self.id), || {
            let heard = self.texts(room)?;
            holds(heard == texts, || format!("{heard:?}"))
        });
    }

    /// Hears something as the last of all that was said.
    #[track_caller]
    pub(crate) fn comes_to_hear_last(&self, room: &str, text: &str) {
        until(&format!("{} hears {text:?}", self.id), || {
            let heard = self.texts(room)?;
            let is_last = heard.last().is_some_and(|last| last == text);
            holds(is_last, || format!("{heard:?}"))
        });
    }

    /// Hears something among all that was said.
    #[track_caller]
    pub(crate) fn comes_to_hear_of(&self, room: &str, text: &str) {
        until(&format!("{} hears of {text:?}", self.id), || {
            let heard = self.texts(room)?;
            let is_heard = heard.iter().any(|heard| heard == text);
            holds(is_heard, || format!("{heard:?}"))
        });
    }

    /// As [`Person::comes_to_hear`], in any order, for what was said side by side.
    #[track_caller]
    pub(crate) fn comes_to_hear_all(&self, room: &str, texts: &[&str]) {
        let wanted: BTreeSet<&str> = texts.iter().copied().collect();
        until(&format!("{} hears {wanted:?}", self.id), || {
            let heard = self.texts(room)?;
            let once = heard.len() == wanted.len();
            let same = heard.iter().map(String::as_str).collect::<BTreeSet<_>>() == wanted;
            holds(once && same, || format!("{heard:?}"))
        });
    }

    /// Sees somebody's membership, and returns the content that says so.
    #[track_caller]
    pub(crate) fn comes_to_see(&self, room: &str, who: &Person, membership: &str) -> Value {
        until(
            &format!("{} sees {}: {membership}", self.id, who.id),
            || {
                let content = self.content(room, ("m.room.member", &who.id))?;
                let is = content["membership"] == membership;
                holds(is, || content.to_string()).map(|()| content)
            },
        )
    }

    #[track_caller]
    pub(crate) fn comes_to_see_content(&self, room: &str, key: (&str, &str), wanted: &Value) {
        until(&format!("{} sees {key:?} as {wanted}", self.id), || {
            let content = self.content(room, key)?;
            holds(content == *wanted, || content.to_string())
        });
    }

    /// Is told of a room by `/sync` as one to which they are invited (`invite`), at which they
    /// have knocked (`knock`), and so on; returns what is told.
    #[track_caller]
    pub(crate) fn comes_to_be_told(&self, section: &str, room: &str) -> Value {
        until(
            &format!("{} is told of {room} in {section}", self.id),
            || {
                let rooms = &self.sync()?["rooms"];
                let told = &rooms[section][room];
                holds(!told.is_null(), || rooms.to_string()).map(|()| told.clone())
            },
        )
    }

    /// Is told by `/sync` that they are out of the room.
    #[track_caller]
    pub(crate) fn comes_to_be_told_left(&self, room: &str) {
        let filter = encode(&json!({"room": {"include_leave": true}}).to_string());
        until(&format!("{} is told to be out of {room}", self.id), || {
            let rooms = &self.try_get(&format!("/sync?filter={filter}"))?["rooms"];
            holds(!rooms["leave"][room].is_null(), || rooms.to_string())
        });
    }

    /// Comes to see the same state as somebody else does.
    #[track_caller]
    pub(crate) fn comes_to_agree_with(&self, room: &str, other: &Person) {
        until(
            &format!("{} and {} see the same", self.id, other.id),
            || {
                let (ours, theirs) = (self.state(room)?, other.state(room)?);
                let differ = |it: &State, that: &State| -> Vec<String> {
                    let differs =
                        |entry: &(&(String, String), &String)| that.get(entry.0) != Some(entry.1);
                    it.iter()
                        .filter(differs)
                        .map(|it| format!("{it:?}"))
                        .collect()
                };
                holds(ours == theirs, || {
                    let (one, two) = (differ(&ours, &theirs), differ(&theirs, &ours));
                    format!("{} has {one:?}, {} has {two:?}", self.id, other.id)
                })
            },
        );
    }

    // How they ask.

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.try_get(path).unwrap()
    }

    /// An answer that is no success is an error, and what it says.
    pub(crate) fn try_get(&self, path: &str) -> Result<Value, String> {
        let answer = self.connected().get(&address_of(path));
        let answer = answer.map_err(|error| error.to_string())?;
        let body = || {
            format!(
                "{} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            )
        };
        holds(answer.status == 200, body).map(|()| answer.json())
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.try_post(path, body);
        answer.expect_ok(&format!("{}: POST {path}", self.id))
    }

    pub(crate) fn try_post(&self, path: &str, body: Value) -> Answer {
        self.connected().post(&address_of(path), &body).unwrap()
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: Value) -> Value {
        let answer = self.try_put(path, body);
        answer.expect_ok(&format!("{}: PUT {path}", self.id))
    }

    pub(crate) fn try_put(&self, path: &str, body: Value) -> Answer {
        self.connected().put(&address_of(path), &body).unwrap()
    }

    fn connected(&self) -> User {
        self.user.connected_to(self.address)
    }

    fn transaction(&self, path: &str) -> String {
        let number = self.transactions.get();
        self.transactions.set(number + 1);
        format!("{path}/{number}")
    }
}

/// An address that begins at `/_matrix` stays as it is.
fn address_of(path: &str) -> String {
    if path.starts_with("/_matrix") {
        path.to_owned()
    } else {
        format!("{CLIENT}{path}")
    }
}

fn state_path(room: &str, (kind, key): (&str, &str)) -> String {
    format!(
        "/rooms/{}/state/{}/{}",
        encode(room),
        encode(kind),
        encode(key)
    )
}

/// For [`until`]: what is seen instead, if the condition does not hold.
pub(crate) fn holds(condition: bool, seen: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(seen()) }
}
