//! Profiles: what users tell others about themselves.

use bytes::Bytes;
use myelin_core::server::Server;
use myelin_store::{
    Store, StoreError, StoreResult, WriteSet,
    jobs::{self, JobKind},
    profiles::{self, Profile},
    users,
};
use ruma::{MxcUri, UserId};
use serde_json::{Map, Value};

/// Spec: "the total profile MUST be under 64 KiB".
pub(crate) const PROFILE_BYTES_MAX: usize = 64 * 1024;
const KEY_BYTES_MAX: usize = 255;
/// They stand in each member event of the user.
const DISPLAYNAME_CHARS_MAX: usize = 256;
const AVATAR_URL_BYTES_MAX: usize = 1_000;

/// Why a profile was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The key breaks the grammar.
    #[error("{0:?} is no key of a profile")]
    InvalidKey(String),
    /// The key is too long.
    #[error("a key has at most {KEY_BYTES_MAX} bytes")]
    KeyTooLarge,
    /// The value is not what the key wants.
    #[error("`{key}` must be {wanted}")]
    InvalidValue {
        /// The key.
        key: String,
        /// What it wants.
        wanted: &'static str,
    },
    /// The whole profile would be too large.
    #[error("a profile has less than {PROFILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The store failed.
    #[error("the profile could not be stored")]
    Store(#[from] StoreError),
}

/// All fields of a local user's profile; None for somebody who has no account here, or none set.
pub async fn get_profile(store: &Store, user: &UserId) -> StoreResult<Option<Map<String, Value>>> {
    let Some(number) = store.find_interned(user.as_bytes()).await? else {
        return Ok(None);
    };
    let mut read = store.read();
    if users::find(&mut read, number).await?.is_none() {
        return Ok(None);
    }
    let profile = profiles::find(&mut read, number).await?;
    let fields = all_fields(&profile)?;
    Ok((!fields.is_empty()).then_some(fields))
}

/// Sets a field; None, or an empty display name or avatar, removes it. A new display name or
/// avatar is carried into all rooms of the user afterwards, by a job of the same commit.
pub async fn set_profile_field(
    server: &Server,
    store: &Store,
    user: i64,
    (key, value): (&str, Option<Value>),
) -> Result<(), ProfileError> {
    check_key(key)?;
    let mut attempts = store.attempts();
    loop {
        let mut read = store.read();
        let before = profiles::find(&mut read, user).await?;
        let after = changed(&before, key, value.clone())?;
        if after == before {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        profiles::update(&mut writes, user, &before, &after);
        let is_shown =
            |profile: &Profile| (profile.displayname.clone(), profile.avatar_url.clone());
        if is_shown(&before) != is_shown(&after) {
            let now_ms = server.now_ms().cast_signed();
            let what = (JobKind::Profile, user);
            jobs::enqueue(&mut read, &mut writes, what, Bytes::new(), now_ms).await?;
        }
        if attempts.commit(writes).await?.is_some() {
            return Ok(());
        }
    }
}

fn changed(before: &Profile, key: &str, value: Option<Value>) -> Result<Profile, ProfileError> {
    let mut after = before.clone();
    match key {
        "displayname" => after.displayname = displayname(value)?,
        "avatar_url" => after.avatar_url = avatar_url(value)?,
        _ => {
            if key == "m.tz" && value.as_ref().is_some_and(|value| !value.is_string()) {
                return Err(invalid(key, "the name of a time zone"));
            }
            let mut fields = fields(before)?;
            match value {
                Some(value) => fields.insert(key.to_owned(), value),
                None => fields.remove(key),
            };
            after.fields = if fields.is_empty() {
                Bytes::new()
            } else {
                Value::Object(fields).to_string().into()
            };
        }
    }
    let size = Value::Object(all_fields(&after)?).to_string().len();
    if size < PROFILE_BYTES_MAX {
        Ok(after)
    } else {
        Err(ProfileError::TooLarge)
    }
}

/// Whether a profile could have this field, with this value.
pub(crate) fn is_field(key: &str, value: &Value) -> bool {
    let value = || Some(value.clone());
    let has_value = |checked: Result<Option<String>, ProfileError>| {
        checked.is_ok_and(|checked| checked.is_some())
    };
    match key {
        "displayname" => has_value(displayname(value())),
        "avatar_url" => has_value(avatar_url(value())),
        "m.tz" => value().is_some_and(|value| value.is_string()),
        _ => check_key(key).is_ok() && value() != Some(Value::Null),
    }
}

fn displayname(value: Option<Value>) -> Result<Option<String>, ProfileError> {
    let wanted = "a string of at most 256 characters";
    match value {
        None => Ok(None),
        Some(Value::String(name)) if name.is_empty() => Ok(None),
        Some(Value::String(name)) if name.chars().count() <= DISPLAYNAME_CHARS_MAX => {
            Ok(Some(name))
        }
        Some(_) => Err(invalid("displayname", wanted)),
    }
}

fn avatar_url(value: Option<Value>) -> Result<Option<String>, ProfileError> {
    let wanted = "a URI that begins with mxc://, of at most 1000 bytes";
    match value {
        None => Ok(None),
        Some(Value::String(url)) if url.is_empty() => Ok(None),
        Some(Value::String(url))
            if url.len() <= AVATAR_URL_BYTES_MAX && <&MxcUri>::from(&*url).is_valid() =>
        {
            Ok(Some(url))
        }
        Some(_) => Err(invalid("avatar_url", wanted)),
    }
}

fn invalid(key: &str, wanted: &'static str) -> ProfileError {
    ProfileError::InvalidValue {
        key: key.to_owned(),
        wanted,
    }
}

/// Spec: "Common Namespaced Identifier Grammar", with a namespace but for the two oldest keys.
fn check_key(key: &str) -> Result<(), ProfileError> {
    if key.len() > KEY_BYTES_MAX {
        return Err(ProfileError::KeyTooLarge);
    }
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let is_namespaced = key.split('.').count() > 1 && key.split('.').all(|part| !part.is_empty());
    let is_valid = key.starts_with(|first: char| first.is_ascii_lowercase())
        && key.bytes().all(is_allowed)
        && is_namespaced;
    if is_valid || matches!(key, "displayname" | "avatar_url") {
        Ok(())
    } else {
        Err(ProfileError::InvalidKey(key.to_owned()))
    }
}

fn all_fields(profile: &Profile) -> StoreResult<Map<String, Value>> {
    let mut all = fields(profile)?;
    let texts = [
        ("displayname", &profile.displayname),
        ("avatar_url", &profile.avatar_url),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            all.insert(key.to_owned(), text.as_str().into());
        }
    }
    Ok(all)
}

fn fields(profile: &Profile) -> StoreResult<Map<String, Value>> {
    if profile.fields.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&profile.fields).map_err(|error| StoreError::Corrupt {
        table: "profiles",
        column: 3,
        wanted: "a JSON object",
        found: error.to_string(),
    })
}
