//! Keys of end-to-end encryption as users upload them: their form and their signatures.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#key-algorithms)

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ed25519_dalek::{Signature, VerifyingKey};
use ruma::{CanonicalJsonValue, canonical_json::try_from_json_map};
use serde_json::{Map, Value};

/// A JSON object.
pub type Object = Map<String, Value>;

/// Longest name of a key, of an algorithm or of who has signed: they are repeated in many answers.
const NAME_BYTES_MAX: usize = 255;
/// Largest key with all that belongs to it.
const KEY_BYTES_MAX: usize = 65_536;

/// Clients in use pad signatures or do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What is wrong with an uploaded key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A key of the object is missing or of another type.
    #[error("`{0}` is missing or has the wrong form")]
    Malformed(&'static str),
    /// It names another user than the one who uploads it.
    #[error("`user_id` is not the user")]
    WrongUser,
    /// It names another device than the one that uploads it.
    #[error("`device_id` is not the device")]
    WrongDevice,
    /// The name of a one-time key is not an algorithm, a colon and an id.
    #[error("the name of a key is not of the form `algorithm:key_id`")]
    WrongName,
    /// It cannot be written as canonical JSON, so nobody could have signed it.
    #[error("the key is no canonical JSON")]
    NotCanonical,
    /// It is too large.
    #[error("the key is too large")]
    TooLarge,
}

/// What a cross-signing key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Usage {
    /// Signs the other two.
    Master,
    /// Signs the user's devices.
    SelfSigning,
    /// Signs other users' master keys.
    UserSigning,
}

impl Usage {
    /// All of them, the master key first.
    pub const ALL: [Self; 3] = [Self::Master, Self::SelfSigning, Self::UserSigning];

    /// The specification's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::SelfSigning => "self_signing",
            Self::UserSigning => "user_signing",
        }
    }

    /// Its number in the database.
    pub const fn number(self) -> i64 {
        match self {
            Self::Master => 1,
            Self::SelfSigning => 2,
            Self::UserSigning => 3,
        }
    }

    /// The usage with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|usage| usage.number() == number)
    }
}

/// Checks the identity keys of a device.
pub fn check_device_keys(keys: &Object, user: &str, device: &str) -> Result<(), KeyError> {
    check_size(keys)?;
    if text(keys, "user_id")? != user {
        return Err(KeyError::WrongUser);
    }
    if text(keys, "device_id")? != device {
        return Err(KeyError::WrongDevice);
    }
    let algorithms = keys.get("algorithms").and_then(Value::as_array);
    let algorithms = algorithms.ok_or(KeyError::Malformed("algorithms"))?;
    if !algorithms.iter().all(Value::is_string) {
        return Err(KeyError::Malformed("algorithms"));
    }
    let public = object(keys, "keys")?;
    let is_of_device = |name: &str| {
        let parts = name.split_once(':');
        parts.is_some_and(|(algorithm, id)| !algorithm.is_empty() && id == device)
    };
    let are_keys = public
        .iter()
        .all(|(name, key)| is_of_device(name) && key.is_string());
    if public.is_empty() || !are_keys {
        return Err(KeyError::Malformed("keys"));
    }
    check_signatures(keys)
}

/// Checks a one-time key or a fallback key; returns its algorithm and its id.
pub fn check_one_time_key<'a>(name: &'a str, key: &Value) -> Result<(&'a str, &'a str), KeyError> {
    let (algorithm, id) = name.split_once(':').ok_or(KeyError::WrongName)?;
    let is_name = |part: &str| (1..=NAME_BYTES_MAX).contains(&part.len()) && !part.contains('\0');
    if !is_name(algorithm) || !is_name(id) {
        return Err(KeyError::WrongName);
    }
    match key {
        Value::String(key) if key.len() > KEY_BYTES_MAX => Err(KeyError::TooLarge),
        Value::String(_) if algorithm.starts_with("signed_") => {
            Err(KeyError::Malformed("signatures"))
        }
        Value::String(_) => Ok((algorithm, id)),
        Value::Object(key) => {
            check_size(key)?;
            text(key, "key")?;
            check_signatures(key)?;
            if key.get("fallback").is_some_and(|is| !is.is_boolean()) {
                return Err(KeyError::Malformed("fallback"));
            }
            Ok((algorithm, id))
        }
        _ => Err(KeyError::Malformed("key")),
    }
}

/// Checks a cross-signing key; returns the public key, which is its id, too.
pub fn check_cross_signing_key<'a>(
    key: &'a Object,
    user: &str,
    usage: Usage,
) -> Result<&'a str, KeyError> {
    check_size(key)?;
    if text(key, "user_id")? != user {
        return Err(KeyError::WrongUser);
    }
    let usages = key.get("usage").and_then(Value::as_array);
    let usages = usages.ok_or(KeyError::Malformed("usage"))?;
    if !usages.iter().all(Value::is_string) || !usages.iter().any(|one| one == usage.name()) {
        return Err(KeyError::Malformed("usage"));
    }
    if key.contains_key("signatures") {
        check_signatures(key)?;
    }
    public_key(key).ok_or(KeyError::Malformed("keys"))
}

/// The one public key of a cross-signing key.
pub fn public_key(key: &Object) -> Option<&str> {
    let keys = key.get("keys")?.as_object()?;
    let (name, public) = keys.iter().next().filter(|_| keys.len() == 1)?;
    let public = public.as_str()?;
    let is_named = name.strip_prefix("ed25519:") == Some(public);
    let is_key = BASE64.decode(public).is_ok_and(|bytes| bytes.len() == 32);
    (is_named && is_key).then_some(public)
}

/// The signatures of an object by one user, by the name of the key.
pub fn signatures_of<'a>(
    signed: &'a Object,
    user: &str,
) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    let signatures = signed.get("signatures").and_then(Value::as_object);
    let signatures = signatures.and_then(|all| all.get(user)?.as_object());
    signatures
        .into_iter()
        .flatten()
        .filter_map(|(key, signature)| Some((key.as_str(), signature.as_str()?)))
}

/// Whether the signature is one of the object by this public key.
pub fn is_signature(signed: &Object, public_key: &str, signature: &str) -> bool {
    let Some(message) = signed_bytes(signed) else {
        return false;
    };
    let key = BASE64.decode(public_key).ok();
    let key = key.and_then(|key| VerifyingKey::from_bytes(&key.try_into().ok()?).ok());
    let signature = BASE64.decode(signature).ok();
    let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
    match (key, signature) {
        (Some(key), Some(signature)) => key.verify_strict(&message, &signature).is_ok(),
        _ => false,
    }
}

/// An object without what is not signed.
pub fn without_signatures(object: &Object) -> Object {
    let mut bare = object.clone();
    bare.remove("signatures");
    bare.remove("unsigned");
    bare
}

/// Adds a signature to an object.
pub fn add_signature(object: &mut Object, user: &str, key: &str, signature: &str) {
    let all = object
        .entry("signatures")
        .or_insert_with(|| Value::Object(Object::new()));
    let Some(all) = all.as_object_mut() else {
        return;
    };
    let of_user = all
        .entry(user)
        .or_insert_with(|| Value::Object(Object::new()));
    if let Some(of_user) = of_user.as_object_mut() {
        of_user.insert(key.to_owned(), signature.into());
    }
}

fn signed_bytes(object: &Object) -> Option<Vec<u8>> {
    let canonical = try_from_json_map(without_signatures(object)).ok()?;
    Some(
        CanonicalJsonValue::Object(canonical)
            .to_string()
            .into_bytes(),
    )
}

fn check_size(object: &Object) -> Result<(), KeyError> {
    let canonical = try_from_json_map(object.clone()).map_err(|_| KeyError::NotCanonical)?;
    if CanonicalJsonValue::Object(canonical).to_string().len() > KEY_BYTES_MAX {
        return Err(KeyError::TooLarge);
    }
    Ok(())
}

/// From user ids to names of keys to signatures.
fn check_signatures(object: &Object) -> Result<(), KeyError> {
    let malformed = KeyError::Malformed("signatures");
    let signatures = self::object(object, "signatures")?;
    let are_texts = |(user, keys): (&String, &Value)| {
        let keys = keys.as_object();
        user.starts_with('@') && keys.is_some_and(|keys| keys.values().all(Value::is_string))
    };
    signatures
        .iter()
        .all(are_texts)
        .then_some(())
        .ok_or(malformed)
}

fn text<'a>(object: &'a Object, key: &'static str) -> Result<&'a str, KeyError> {
    let value = object.get(key).and_then(Value::as_str);
    value.ok_or(KeyError::Malformed(key))
}

fn object<'a>(object: &'a Object, key: &'static str) -> Result<&'a Object, KeyError> {
    let value = object.get(key).and_then(Value::as_object);
    value.ok_or(KeyError::Malformed(key))
}

#[cfg(test)]
mod tests;
