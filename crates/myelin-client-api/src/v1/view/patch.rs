//! What clients of 2014 write of the levels: a part of what one event holds today.

use myelin_core::json;
use myelin_http::MatrixError;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, UserId};
use serde_json::{Value, value::RawValue};

use super::{
    Object,
    levels::{Levels, number},
};

/// A change of the levels in the words of 2014. It names what it changes; all else stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::v1) enum LevelsPatch {
    /// Keys of the content and what they become.
    Numbers(Vec<(&'static str, i64)>),
    /// Everybody's levels: who is not named loses theirs.
    Users {
        /// The users with a level of their own.
        users: Vec<(String, i64)>,
        /// The level of all others.
        default: i64,
    },
}

impl LevelsPatch {
    /// Reads a write of state. None if it does not speak of the levels, or does so in today's form.
    pub(in crate::v1) fn parse(
        event_type: &str,
        body: &CanonicalJsonObject,
    ) -> Result<Option<Self>, MatrixError> {
        let patch = match event_type {
            "m.room.add_state_level" => numbers(body, &[("level", "state_default")])?,
            "m.room.send_event_level" => numbers(body, &[("level", "events_default")])?,
            "m.room.ops_levels" => numbers(
                body,
                &[
                    ("ban_level", "ban"),
                    ("kick_level", "kick"),
                    ("redact_level", "redact"),
                ],
            )?,
            "m.room.power_levels" if !body.contains_key("users") => users(body)?,
            _ => return Ok(None),
        };
        Ok(Some(patch))
    }

    /// The content that a room gets by this change; None if it says so already.
    pub(in crate::v1) fn apply(
        &self,
        create: Option<&Object>,
        before: Option<&RawValue>,
    ) -> Result<Option<CanonicalJsonObject>, String> {
        let before: Option<Value> = before
            .map(|content| serde_json::from_str(content.get()))
            .transpose()
            .map_err(|error| format!("the room's levels cannot be read: {error}"))?;
        let levels = Levels::of(create, before.as_ref());
        let mut content = levels.written_out();
        match self {
            Self::Numbers(numbers) => {
                let changed = numbers
                    .iter()
                    .filter(|(key, level)| levels.of_key(key) != *level);
                content.extend(changed.map(|(key, level)| ((*key).to_owned(), (*level).into())));
            }
            Self::Users { users, default } => {
                if levels.of_key("users_default") != *default {
                    content.insert("users_default".to_owned(), (*default).into());
                }
                change_users(&mut content, users, &levels)?;
            }
        }
        if before.as_ref().and_then(Value::as_object) == Some(&content) {
            return Ok(None);
        }
        let text = Value::Object(content).to_string();
        let content = json::parse_object(text.as_bytes())
            .map_err(|error| format!("the room's levels cannot be kept: {error}"))?;
        Ok(Some(content))
    }
}

fn change_users(
    content: &mut Object,
    wanted: &[(String, i64)],
    levels: &Levels,
) -> Result<(), String> {
    let users = content
        .entry("users")
        .or_insert_with(|| Object::new().into());
    let Some(users) = users.as_object_mut() else {
        return Err("the room's levels cannot be read: `users` is no object".to_owned());
    };
    let mut changed = Object::new();
    for (user, level) in wanted {
        match levels.above_all(user) {
            // Who copies what was shown writes it back.
            Some(shown) if shown == *level => continue,
            Some(_) => {
                return Err(format!(
                    "{user} is above all levels and cannot be given one"
                ));
            }
            None => {}
        }
        let kept = users
            .remove(user)
            .filter(|known| number(Some(known)) == Some(*level));
        changed.insert(user.clone(), kept.unwrap_or_else(|| (*level).into()));
    }
    *users = changed;
    Ok(())
}

/// The levels at these keys, as far as there are any, under today's names.
fn numbers(
    body: &CanonicalJsonObject,
    names: &[(&str, &'static str)],
) -> Result<LevelsPatch, MatrixError> {
    let mut numbers = Vec::with_capacity(names.len());
    for (old, new) in names {
        if let Some(value) = body.get(*old) {
            numbers.push((*new, level(value)?));
        }
    }
    if numbers.is_empty() {
        let (key, _) = names[0];
        return Err(MatrixError::bad_json(format!("Missing {key} key.")));
    }
    Ok(LevelsPatch::Numbers(numbers))
}

fn users(body: &CanonicalJsonObject) -> Result<LevelsPatch, MatrixError> {
    let (mut users, mut default) = (Vec::with_capacity(body.len()), 0);
    for (key, value) in body {
        if key == "default" {
            default = level(value)?;
        } else if UserId::parse(key.as_str()).is_ok() {
            users.push((key.clone(), level(value)?));
        } else {
            let message = format!("Not a valid user_id: {key:?}.");
            return Err(MatrixError::bad_json(message));
        }
    }
    Ok(LevelsPatch::Users { users, default })
}

/// An integer, or one in a string.
fn level(value: &CanonicalJsonValue) -> Result<i64, MatrixError> {
    let level = match value {
        CanonicalJsonValue::Integer(level) => Some(i64::from(*level)),
        CanonicalJsonValue::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    level
        .filter(|level| ruma::Int::new(*level).is_some())
        .ok_or_else(|| MatrixError::bad_json(format!("Not a valid power level: {}.", shown(value))))
}

fn shown(value: &CanonicalJsonValue) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(version: &str, event_type: &str, body: &Value) -> Value {
        let create = json!({
            "sender": "@example:localhost",
            "content": {"room_version": version},
        });
        let body = json::parse_object(body.to_string().as_bytes()).unwrap();
        let patch = LevelsPatch::parse(event_type, &body).unwrap().unwrap();
        let content = patch.apply(create.as_object(), None).unwrap().unwrap();
        serde_json::from_str(&json::to_canonical(&content)).unwrap()
    }

    #[test]
    fn a_first_write_keeps_what_counted_without_levels() {
        let body = json!({"ban_level": 7});
        let wanted = json!({
            "ban": 7,
            "state_default": 0,
            "users": {"@example:localhost": 100},
        });
        assert_eq!(change("11", "m.room.ops_levels", &body), wanted);
        // Above all levels, the creator needs none.
        let wanted = json!({"ban": 7, "state_default": 0});
        assert_eq!(change("12", "m.room.ops_levels", &body), wanted);
    }

    #[test]
    fn a_first_write_of_users_replaces_the_creator_s_level() {
        let body = json!({"@example:localhost": 10, "default": 1});
        let wanted = json!({
            "state_default": 0,
            "users": {"@example:localhost": 10},
            "users_default": 1,
        });
        assert_eq!(change("11", "m.room.power_levels", &body), wanted);
    }
}
