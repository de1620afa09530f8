//! People of a simulated world: each does something at random, as a client would ask for it.

use http::Method;
use serde_json::{Value, json};

use super::world::World;
use crate::{Answer, User, encode};

/// Versions of rooms that people make; all that differ in how events are authorised or named.
const VERSIONS: [&str; 8] = ["1", "3", "6", "8", "9", "10", "11", "12"];

/// Somebody with a session on one of the servers.
pub(super) struct Person {
    pub(super) user: User,
    /// The index of the server.
    pub(super) server: usize,
}

impl Person {
    /// Does one thing at random; what it was and what came of it.
    pub(super) async fn act(&self, world: &World, number: usize) -> String {
        let (what, answer) = match world.room() {
            Some(room) => self.act_in(world, &room, number).await,
            None => self.create(world).await,
        };
        if let Some(answer) = &answer {
            world.note_failure(&self.user.id, &what, answer);
        }
        let came = answer.map_or("no answer".to_owned(), |answer| {
            format!("{} {}", answer.status, answer.text)
        });
        format!("{}: {what}: {came}", self.user.id)
    }

    async fn create(&self, world: &World) -> (String, Option<Answer>) {
        let version = VERSIONS[world.chance.below(VERSIONS.len())];
        let body = json!({"preset": "public_chat", "room_version": version});
        let answer = self
            .user
            .try_request(Method::POST, "/createRoom", body)
            .await;
        if let Some(room) = answer
            .as_ref()
            .and_then(|answer| answer.body["room_id"].as_str())
        {
            world.add_room(room, self.server);
        }
        (format!("creates a room of version {version}"), answer)
    }

    async fn act_in(&self, world: &World, room: &str, number: usize) -> (String, Option<Answer>) {
        let other = world.person().user.id.clone();
        let target = json!({"user_id": other});
        match world.chance.below(24) {
            0..7 => self.send(room, number).await,
            7..12 => self.join(world, room).await,
            12 => self.membership(room, "leave", json!({})).await,
            13 | 14 => self.membership(room, "invite", target).await,
            15 => self.membership(room, "kick", target).await,
            16 => self.membership(room, "ban", target).await,
            17 => self.membership(room, "unban", target).await,
            18 | 19 => {
                let content = json!({"topic": format!("{} {number}", self.user.id)});
                self.state(room, "m.room.topic", content).await
            }
            20 | 21 => self.set_power(world, room, &other).await,
            22 => {
                let rule = ["public", "invite", "knock"][world.chance.below(3)];
                self.state(room, "m.room.join_rules", json!({"join_rule": rule}))
                    .await
            }
            _ if world.chance.below(3) == 0 => self.upgrade(world, room).await,
            _ => self.redact(room, number).await,
        }
    }

    /// Sends a message.
    pub(super) async fn send(&self, room: &str, number: usize) -> (String, Option<Answer>) {
        let path = format!("/rooms/{}/send/m.room.message/{number}", encode(room));
        let content = json!({"msgtype": "m.text", "body": number.to_string()});
        let answer = self.user.try_request(Method::PUT, &path, content).await;
        (format!("says {number} in {room}"), answer)
    }

    /// Says something in a room or, whoever may not, makes another event that ties the ends of the room
    /// together: whoever is in a room may change the own name there.
    pub(super) async fn have_last_word(&self, room: &str, number: usize) {
        let (_, answer) = self.send(room, number).await;
        if answer.is_none_or(|answer| answer.status != 200) {
            self.change_name(room, number).await;
        }
    }

    /// Takes another display name in one room, which needs no power. None: the user is not in it, or
    /// there was no answer.
    async fn change_name(&self, room: &str, number: usize) -> Option<Answer> {
        let member = format!("m.room.member/{}", encode(&self.user.id));
        let path = format!("/rooms/{}/state/{member}", encode(room));
        let known = self.user.try_request(Method::GET, &path, json!({})).await?;
        // Whoever is not there would come in by the same request.
        if known.body["membership"] != "join" {
            return None;
        }
        let content = json!({"membership": "join", "displayname": number.to_string()});
        self.user.try_request(Method::PUT, &path, content).await
    }

    async fn join(&self, world: &World, room: &str) -> (String, Option<Answer>) {
        let via = world.servers_of(room);
        let via: Vec<_> = via.iter().map(|via| format!("via={via}")).collect();
        let path = format!("/join/{}?{}", encode(room), via.join("&"));
        let answer = self.user.try_request(Method::POST, &path, json!({})).await;
        if answer.as_ref().is_some_and(|answer| answer.status == 200) {
            world.add_room(room, self.server);
        }
        (format!("joins {room}"), answer)
    }

    async fn membership(&self, room: &str, what: &str, body: Value) -> (String, Option<Answer>) {
        let path = format!("/rooms/{}/{what}", encode(room));
        let answer = self
            .user
            .try_request(Method::POST, &path, body.clone())
            .await;
        (format!("{what} {body} in {room}"), answer)
    }

    async fn state(&self, room: &str, kind: &str, content: Value) -> (String, Option<Answer>) {
        let path = format!("/rooms/{}/state/{kind}/", encode(room));
        let answer = self
            .user
            .try_request(Method::PUT, &path, content.clone())
            .await;
        (format!("sets {kind} to {content} in {room}"), answer)
    }

    /// Gives somebody another power level, or asks more for a topic.
    async fn set_power(&self, world: &World, room: &str, other: &str) -> (String, Option<Answer>) {
        let path = format!("/rooms/{}/state/m.room.power_levels/", encode(room));
        let standing = self.user.try_request(Method::GET, &path, json!({})).await;
        let Some(mut content) = standing.filter(|answer| answer.status == 200) else {
            return (format!("cannot see the power levels of {room}"), None);
        };
        let level = [0, 50, 100][world.chance.below(3)];
        if world.chance.below(4) == 0 {
            content.body["events"]["m.room.topic"] = json!(level);
        } else {
            content.body["users"][other] = json!(level);
        }
        self.state(room, "m.room.power_levels", content.body).await
    }

    async fn upgrade(&self, world: &World, room: &str) -> (String, Option<Answer>) {
        let version = VERSIONS[world.chance.below(VERSIONS.len())];
        let path = format!("/rooms/{}/upgrade", encode(room));
        let body = json!({"new_version": version});
        let answer = self.user.try_request(Method::POST, &path, body).await;
        let replacement = answer
            .as_ref()
            .and_then(|answer| answer.body["replacement_room"].as_str());
        if let Some(replacement) = replacement {
            world.add_room(replacement, self.server);
        }
        (format!("upgrades {room} to version {version}"), answer)
    }

    /// Redacts the newest message that the person can see.
    async fn redact(&self, room: &str, number: usize) -> (String, Option<Answer>) {
        let path = format!("/rooms/{}/messages?dir=b&limit=5", encode(room));
        let seen = self.user.try_request(Method::GET, &path, json!({})).await;
        let events = seen.map(|answer| answer.body["chunk"].clone());
        let is_message = |event: &&Value| event["type"] == "m.room.message";
        let message = events
            .as_ref()
            .and_then(|events| events.as_array()?.iter().find(is_message))
            .and_then(|event| event["event_id"].as_str());
        let Some(message) = message else {
            return (format!("sees nothing to redact in {room}"), None);
        };
        let path = format!(
            "/rooms/{}/redact/{}/r{number}",
            encode(room),
            encode(message)
        );
        let answer = self.user.try_request(Method::PUT, &path, json!({})).await;
        (format!("redacts {message} in {room}"), answer)
    }
}
