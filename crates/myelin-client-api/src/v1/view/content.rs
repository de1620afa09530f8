//! Contents that were written differently in 2014.

use serde_json::Value;

use super::Object;

/// Who created the room was said in the content.
pub(super) fn create(mut content: Object, sender: &str) -> Object {
    content
        .entry("creator")
        .or_insert_with(|| Value::from(sender));
    content
}

/// What later rules allow beyond an invitation, a client of 2014 cannot know: to it, only the
/// invitation is certain.
pub(super) fn join_rules(mut content: Object) -> Object {
    let known = ["public", "knock", "invite", "private"];
    let rule = content.get("join_rule").and_then(Value::as_str);
    if rule.is_some_and(|rule| !known.contains(&rule)) {
        content.insert("join_rule".to_owned(), Value::from("invite"));
    }
    content
}

/// Who joined had both keys of the profile, null where it was not set.
pub(super) fn member(mut content: Object) -> Object {
    if content.get("membership").and_then(Value::as_str) == Some("join") {
        for key in ["avatar_url", "displayname"] {
            content.entry(key).or_insert(Value::Null);
        }
    }
    content
}
