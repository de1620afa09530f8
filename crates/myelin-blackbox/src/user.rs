//! An account, and what it asks of the client-server API.

use std::{fmt::Write, io, net::SocketAddr};

use serde_json::{Value, json};

use crate::http::{Answer, Connection};

/// A logged in user on a connection of its own.
#[derive(Debug)]
pub struct User {
    /// Its Matrix id.
    pub user_id: String,
    /// Its access token.
    pub token: String,
    connection: Connection,
}

impl User {
    /// Makes an account; any answer but a success is an error.
    pub fn register(address: SocketAddr, name: &str) -> io::Result<Self> {
        let mut connection = Connection::new(address);
        let path = "/_matrix/client/v3/register";
        let mut body = json!({"username": name, "password": "wordpass"});
        let asked = connection.request("POST", path, None, body.to_string().as_bytes())?;
        let session = asked.json()["session"].clone();
        body["auth"] = json!({"type": "m.login.dummy", "session": session});
        let answer = connection.request("POST", path, None, body.to_string().as_bytes())?;
        let answer = success(&answer)?;
        Ok(Self {
            user_id: text(&answer, "user_id")?,
            token: text(&answer, "access_token")?,
            connection,
        })
    }

    /// The same user on a connection of its own, perhaps to a server that has moved.
    #[must_use]
    pub fn connected_to(&self, address: SocketAddr) -> Self {
        Self {
            user_id: self.user_id.clone(),
            token: self.token.clone(),
            connection: Connection::new(address),
        }
    }

    /// Makes a room that anybody may join.
    pub fn create_room(&mut self) -> io::Result<String> {
        let body = json!({"preset": "public_chat"});
        let answer = self.post("/_matrix/client/v3/createRoom", &body)?;
        text(&success(&answer)?, "room_id")
    }

    /// Joins a room by its id.
    pub fn join(&mut self, room_id: &str) -> io::Result<()> {
        let path = format!("/_matrix/client/v3/join/{}", encode(room_id));
        let answer = self.post(&path, &json!({}))?;
        success(&answer).map(drop)
    }

    /// Sends a text message.
    pub fn send(&mut self, room_id: &str, txn_id: &str, text: &str) -> io::Result<Answer> {
        let path = format!(
            "/_matrix/client/v3/rooms/{}/send/m.room.message/{txn_id}",
            encode(room_id)
        );
        let body = json!({"msgtype": "m.text", "body": text}).to_string();
        self.connection
            .request("PUT", &path, Some(&self.token), body.as_bytes())
    }

    /// Sends a GET request to an address that begins at `/_matrix`.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.connection.request("GET", path, Some(&self.token), b"")
    }

    /// Sends a PUT request to an address that begins at `/_matrix`.
    pub fn put(&mut self, path: &str, body: &Value) -> io::Result<Answer> {
        let body = body.to_string();
        self.connection
            .request("PUT", path, Some(&self.token), body.as_bytes())
    }

    /// Sends a POST request to an address that begins at `/_matrix`.
    pub fn post(&mut self, path: &str, body: &Value) -> io::Result<Answer> {
        let body = body.to_string();
        self.connection
            .request("POST", path, Some(&self.token), body.as_bytes())
    }
}

/// Percent-encodes one segment of a path or one value of a query.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
    out
}

fn success(answer: &Answer) -> io::Result<Value> {
    if answer.status == 200 {
        return Ok(answer.json());
    }
    let body = String::from_utf8_lossy(&answer.body);
    Err(io::Error::other(format!("{}: {body}", answer.status)))
}

fn text(answer: &Value, key: &str) -> io::Result<String> {
    let text = answer[key].as_str().map(str::to_owned);
    text.ok_or_else(|| io::Error::other(format!("{key} is missing in {answer}")))
}
