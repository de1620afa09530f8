//! Canonical JSON, read strictly: what the outside sends is refused by name, never repaired.

use std::fmt::{self, Write};

use ruma::{CanonicalJsonObject, CanonicalJsonValue, Int};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// How deep arrays and objects may nest, the outermost object included.
///
/// An event may be one level deeper than what [`parse_object`] takes from a client, because the content a
/// client sends becomes one of its values; both stay below `serde_json`'s own limit of 128, so that
/// everything stored can be read by everything else.
pub const DEPTH_MAX: usize = 100;

/// How much of a path an error shows: keys come from outside and may be huge.
const PATH_LENGTH_MAX: usize = 160;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error("not JSON: {detail}")]
    NotJson { detail: String },
    #[error("a JSON object is expected")]
    NotAnObject,
    #[error("key `{path}` occurs twice")]
    DuplicateKey { path: String },
    #[error("`{path}` is not an integer: fractions, exponents and -0 are not allowed")]
    NotAnInteger { path: String },
    #[error("`{path}` is out of range: integers lie between -(2^53)+1 and (2^53)-1")]
    IntegerOutOfRange { path: String },
    #[error("`{path}` is nested too deeply")]
    TooDeep { path: String },
}

/// Reads an object of canonical values. White space and the order of keys are free; all else that canonical
/// JSON cannot express is refused.
pub fn parse_object(bytes: &[u8]) -> Result<CanonicalJsonObject, JsonError> {
    parse_object_within(bytes, DEPTH_MAX)
}

pub(crate) fn parse_object_within(
    bytes: &[u8],
    depth_max: usize,
) -> Result<CanonicalJsonObject, JsonError> {
    let mut problem = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict {
        depth_left: depth_max,
        problem: &mut problem,
    };
    let read = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match (read, problem) {
        (Ok(CanonicalJsonValue::Object(object)), _) => Ok(object),
        (Ok(_), _) => Err(JsonError::NotAnObject),
        (Err(_), Some(problem)) => Err(problem.into_error()),
        (Err(error), None) => Err(JsonError::NotJson {
            detail: error.to_string(),
        }),
    }
}

/// The canonical form: keys sorted by code point, no white space, the shortest escapes.
#[expect(clippy::missing_panics_doc, reason = "it cannot panic")]
pub fn to_canonical(object: &CanonicalJsonObject) -> String {
    serde_json::to_string(object).expect("canonical values have string keys and no failing parts")
}

/// Appends `text` as a JSON string.
#[expect(clippy::missing_panics_doc, reason = "it cannot panic")]
pub fn write_string(out: &mut String, text: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).expect("a string can always be written"));
    }
}

/// What is wrong, and where; the path is filled from the inside out while the error travels up, so that a
/// good document pays nothing for it.
struct Problem {
    kind: ProblemKind,
    path: Vec<Step>,
}

#[derive(Clone, Copy)]
enum ProblemKind {
    DuplicateKey,
    NotAnInteger,
    IntegerOutOfRange,
    TooDeep,
}

enum Step {
    Key(String),
    Index(usize),
}

impl Problem {
    fn into_error(self) -> JsonError {
        let path = self.path();
        match self.kind {
            ProblemKind::DuplicateKey => JsonError::DuplicateKey { path },
            ProblemKind::NotAnInteger => JsonError::NotAnInteger { path },
            ProblemKind::IntegerOutOfRange => JsonError::IntegerOutOfRange { path },
            ProblemKind::TooDeep => JsonError::TooDeep { path },
        }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.path.iter().rev() {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => {
                    path.push('.');
                    path.push_str(key);
                }
                Step::Index(index) => {
                    let _ = write!(path, "[{index}]");
                }
            }
            if path.len() > PATH_LENGTH_MAX {
                path.truncate(path.floor_char_boundary(PATH_LENGTH_MAX));
                path.push('…');
                break;
            }
        }
        path
    }
}

struct Strict<'p> {
    depth_left: usize,
    problem: &'p mut Option<Problem>,
}

impl Strict<'_> {
    fn refuse<E: de::Error>(&mut self, kind: ProblemKind, path: Vec<Step>) -> E {
        *self.problem = Some(Problem { kind, path });
        // The text is never shown: `parse_object` reports the problem instead.
        E::custom("refused")
    }

    /// The seed for what lies one level down.
    fn inner(&mut self) -> Strict<'_> {
        Strict {
            depth_left: self.depth_left - 1,
            problem: self.problem,
        }
    }

    fn enter<E: de::Error>(&mut self) -> Result<(), E> {
        if self.depth_left == 0 {
            return Err(self.refuse(ProblemKind::TooDeep, Vec::new()));
        }
        Ok(())
    }

    fn trace(&mut self, step: Step) {
        if let Some(problem) = self.problem {
            problem.path.push(step);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = CanonicalJsonValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = CanonicalJsonValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(CanonicalJsonValue::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(CanonicalJsonValue::Bool(value))
    }

    fn visit_i64<E: de::Error>(mut self, value: i64) -> Result<Self::Value, E> {
        match Int::new(value) {
            Some(value) => Ok(CanonicalJsonValue::Integer(value)),
            None => Err(self.refuse(ProblemKind::IntegerOutOfRange, Vec::new())),
        }
    }

    fn visit_u64<E: de::Error>(mut self, value: u64) -> Result<Self::Value, E> {
        match Int::try_from(value) {
            Ok(value) => Ok(CanonicalJsonValue::Integer(value)),
            Err(_) => Err(self.refuse(ProblemKind::IntegerOutOfRange, Vec::new())),
        }
    }

    fn visit_f64<E: de::Error>(mut self, value: f64) -> Result<Self::Value, E> {
        // serde_json also gives integers beyond 64 bits as floats; a fraction in that range is not worth
        // telling apart.
        let kind = if value.abs() >= 9_007_199_254_740_992.0 {
            ProblemKind::IntegerOutOfRange
        } else {
            ProblemKind::NotAnInteger
        };
        Err(self.refuse(kind, Vec::new()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(CanonicalJsonValue::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Self::Value, E> {
        Ok(CanonicalJsonValue::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self::Value, A::Error> {
        self.enter()?;
        let mut values = Vec::new();
        loop {
            match seq.next_element_seed(self.inner()) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => return Ok(CanonicalJsonValue::Array(values)),
                Err(error) => {
                    self.trace(Step::Index(values.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        self.enter()?;
        let mut object = CanonicalJsonObject::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(self.refuse(ProblemKind::DuplicateKey, vec![Step::Key(key)]));
            }
            match map.next_value_seed(self.inner()) {
                Ok(value) => {
                    object.insert(key, value);
                }
                Err(error) => {
                    self.trace(Step::Key(key));
                    return Err(error);
                }
            }
        }
        Ok(CanonicalJsonValue::Object(object))
    }
}

#[cfg(test)]
pub(crate) mod tests;
