//! `event_fields`: shows only some fields of events.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::render::quoted;

/// Names of one path that are looked at. What lies deeper is shown with the rest: a server may
/// show more than was asked for.
const DEPTH_MAX: usize = 16;

/// The fields of events that are wanted, as a tree of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFields {
    children: BTreeMap<String, EventFields>,
}

impl EventFields {
    /// Reads dot-separated property paths; None if there are none: then everything is wanted.
    pub fn new(paths: &[String]) -> Option<Self> {
        let mut fields = Self::default();
        for path in paths {
            fields.insert(path);
        }
        (!paths.is_empty()).then_some(fields)
    }

    /// Writes the wanted fields of a JSON object.
    pub fn write(&self, out: &mut String, object: &str) -> serde_json::Result<()> {
        let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(object)?;
        let mut separator = '{';
        for (name, value) in members {
            let Some(below) = self.children.get(name.as_ref()) else {
                continue;
            };
            let value = value.get();
            let is_object = value.starts_with('{');
            if !below.children.is_empty() && !is_object {
                continue;
            }
            out.push(separator);
            separator = ',';
            out.push_str(&quoted(&name));
            out.push(':');
            if below.children.is_empty() {
                out.push_str(value);
            } else {
                below.write(out, value)?;
            }
        }
        out.push_str(if separator == '{' { "{}" } else { "}" });
        Ok(())
    }

    fn insert(&mut self, path: &str) {
        let mut names = split(path).peekable();
        let mut place = self;
        let mut depth = 0;
        while let Some(name) = names.next() {
            depth += 1;
            let is_new = !place.children.contains_key(&name);
            place = place.children.entry(name).or_default();
            if !is_new && place.children.is_empty() {
                // The whole of it is wanted already.
                return;
            }
            if names.peek().is_none() || depth == DEPTH_MAX {
                place.children.clear();
                return;
            }
        }
    }
}

/// The names of a path: dots separate, `\.` and `\\` are a dot and a backslash in a name, and any
/// other backslash is one.
fn split(path: &str) -> impl Iterator<Item = String> {
    let mut rest = Some(path.chars().peekable());
    std::iter::from_fn(move || {
        let mut name = String::new();
        let chars = rest.as_mut()?;
        loop {
            match chars.next() {
                None => {
                    rest = None;
                    break;
                }
                Some('.') => break,
                Some('\\') => {
                    name.push(chars.next_if(|next| ".\\".contains(*next)).unwrap_or('\\'));
                }
                Some(other) => name.push(other),
            }
        }
        Some(name)
    })
}

/// Reads the list as a filter has it.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    list: D,
) -> Result<Option<EventFields>, D::Error> {
    let paths: Option<Vec<String>> = Option::deserialize(list)?;
    Ok(paths.and_then(|paths| EventFields::new(&paths)))
}

#[cfg(test)]
mod tests {
    use super::{DEPTH_MAX, EventFields};

    const EVENT: &str = r#"{"type":"m.room.message","sender":"@a:b","content":{"body":"hello","m.relates_to":{"rel_type":"m.thread","event_id":"$a"},"a\\b":1,"list":[1]}}"#;

    fn projected(paths: &[&str]) -> String {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let mut out = String::new();
        let fields = EventFields::new(&paths).unwrap();
        fields.write(&mut out, EVENT).unwrap();
        out
    }

    #[test]
    fn shows_what_the_paths_name() {
        for (paths, expected) in [
            (&["type"][..], r#"{"type":"m.room.message"}"#),
            (&["content.body"], r#"{"content":{"body":"hello"}}"#),
            (
                &["sender", "content.body", "type"],
                r#"{"content":{"body":"hello"},"sender":"@a:b","type":"m.room.message"}"#,
            ),
            (
                &[r"content.m\.relates_to.rel_type"],
                r#"{"content":{"m.relates_to":{"rel_type":"m.thread"}}}"#,
            ),
            (&["content.m.relates_to"], r#"{"content":{}}"#),
            (&[r"content.a\\b"], r#"{"content":{"a\\b":1}}"#),
            (&[r"content.a\b"], r#"{"content":{"a\\b":1}}"#),
            (&["nothing", "content.nothing"], r#"{"content":{}}"#),
            (&["type.deeper", "content.list.0"], r#"{"content":{}}"#),
            (
                &["content.list", "content.list.0"],
                r#"{"content":{"list":[1]}}"#,
            ),
            (
                &["content.list.0", "content.list"],
                r#"{"content":{"list":[1]}}"#,
            ),
            (&[""], "{}"),
        ] {
            assert_eq!(projected(paths), expected, "{paths:?}");
        }
    }

    #[test]
    fn a_wanted_whole_is_not_narrowed_by_a_part() {
        let whole = projected(&["content"]);
        assert_eq!(projected(&["content", "content.body"]), whole);
        assert_eq!(projected(&["content.body", "content"]), whole);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "a.".repeat(100_000);
        let fields = EventFields::new(&[deep]).unwrap();
        let (mut depth, mut place) = (0, &fields);
        while let Some(below) = place.children.values().next() {
            (depth, place) = (depth + 1, below);
        }
        assert_eq!(depth, DEPTH_MAX);
    }
}
