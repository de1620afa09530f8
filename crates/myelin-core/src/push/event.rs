//! An event as push rules look at it.

use std::sync::OnceLock;

use serde_json::Value;

/// An event whose properties can be asked for.
#[derive(Clone, Debug)]
pub struct PushEvent {
    event: Value,
    room_id: String,
    /// The body in lower case, once it was asked for.
    body: OnceLock<Option<String>>,
}

impl PushEvent {
    /// Reads an event as it is stored. What is no JSON object has no properties. The id of the room
    /// is handed in, because the first event of a room need not name it.
    pub fn new(json: &str, room_id: &str) -> Self {
        Self {
            event: serde_json::from_str(json).unwrap_or_default(),
            room_id: room_id.to_owned(),
            body: OnceLock::new(),
        }
    }

    /// Who sent it.
    pub fn sender(&self) -> &str {
        self.event
            .get("sender")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The id of its room.
    pub(super) fn room_id(&self) -> &str {
        &self.room_id
    }

    /// The property at a path, if it is there.
    pub(super) fn property(&self, path: &[String]) -> Option<&Value> {
        let mut found = &self.event;
        for name in path {
            found = found.as_object()?.get(name)?;
        }
        Some(found)
    }

    /// The property at a path, if it is a string.
    pub(super) fn text(&self, path: &[String]) -> Option<&str> {
        match path {
            [name] if name == "room_id" => Some(&self.room_id),
            path => self.property(path)?.as_str(),
        }
    }

    /// The body of a message in lower case.
    pub(super) fn body(&self) -> Option<&str> {
        let lower = || {
            let body = self.event.get("content")?.get("body")?;
            Some(body.as_str()?.to_lowercase())
        };
        self.body.get_or_init(lower).as_deref()
    }
}

/// The names along a path of properties: dots separate them, and a backslash before a dot or another
/// backslash takes its meaning away (spec: "Dot-separated property paths").
pub fn parse_path(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut characters = path.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = characters
            .peek()
            .copied()
            .filter(|next| character == '\\' && matches!(next, '.' | '\\'));
        if let Some(next) = escaped {
            characters.next();
            push(&mut names, next);
        } else if character == '.' {
            names.push(String::new());
        } else {
            push(&mut names, character);
        }
    }
    names
}

fn push(names: &mut [String], character: char) {
    if let Some(name) = names.last_mut() {
        name.push(character);
    }
}
