//! Says what is wrong with a JSON body: which key, and whether it is missing or mistaken.

use serde::de::IgnoredAny;

use crate::MatrixError;

/// Turns serde's failure to read `body` into the Matrix error that names the key.
pub(crate) fn describe(body: &[u8], error: &serde_json::Error) -> MatrixError {
    let Ok(text) = std::str::from_utf8(body) else {
        return MatrixError::not_json("The body is not UTF-8.");
    };
    // serde stops at the first key it does not like, so what follows may not even be JSON.
    if let Err(syntax) = serde_json::from_str::<IgnoredAny>(text) {
        return MatrixError::not_json(format!("The body is not JSON: {syntax}."));
    }
    let message = without_position(&error.to_string()).to_owned();
    let is_of_serde = is_wording_of_serde(&message);
    let read = read_until(text, error.line(), error.column());
    // A type's own failure is noticed where serde has gone on to the end of the object.
    let read = match read.strip_suffix(b"}") {
        Some(before) if !is_of_serde => before,
        _ => read,
    };
    let place = path_at_end(read);
    if let Some(key) = quoted_after(&message, "missing field ") {
        return match place {
            Some(place) => MatrixError::missing_param(&format!("{place}.{key}")),
            None => MatrixError::missing_param(key),
        };
    }
    let named = match place {
        Some(place) => format!("`{place}`: {message}."),
        None => format!("The body is not what it should be: {message}."),
    };
    // Every other wording comes from the type of the value itself, an identifier for instance:
    // the JSON has the right shape and the parameter a wrong value.
    if is_of_serde {
        MatrixError::bad_json(named)
    } else {
        MatrixError::invalid_param(named)
    }
}

fn is_wording_of_serde(message: &str) -> bool {
    const WORDINGS: [&str; 9] = [
        "missing field",
        "invalid type",
        "invalid value",
        "invalid length",
        "unknown variant",
        "unknown field",
        "duplicate field",
        "data did not match",
        "recursion limit",
    ];
    WORDINGS.iter().any(|wording| message.starts_with(wording))
}

fn without_position(message: &str) -> &str {
    message
        .rfind(" at line ")
        .map_or(message, |end| &message[..end])
}

/// The name in back quotes that follows `prefix`.
pub(crate) fn quoted_after<'a>(message: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = message.strip_prefix(prefix)?.strip_prefix('`')?;
    rest.split_once('`').map(|(name, _)| name)
}

/// What serde had read when it gave up. Nothing, if it did not say where that was (it does not
/// where it buffers a value first).
fn read_until(text: &str, line: usize, column: usize) -> &[u8] {
    let lines_before = line.saturating_sub(1);
    let lines = text.split_inclusive('\n').take(lines_before);
    let end = lines.map(str::len).sum::<usize>() + column;
    let read = text.as_bytes().get(..end).unwrap_or_default();
    // serde may have looked at the separator that follows the value.
    read.strip_suffix(b",").unwrap_or(read)
}

/// The keys that lead to the end of this beginning of a document, joined by dots; None at its top
/// level.
fn path_at_end(read: &[u8]) -> Option<String> {
    let mut path: Vec<Option<&[u8]>> = Vec::new();
    let mut key_next = false;
    let mut at = 0;
    while let Some(&byte) = read.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                path.push(None);
                key_next = byte == b'{';
            }
            b'}' | b']' => {
                path.pop();
                key_next = false;
            }
            b',' => key_next = path.last().is_some_and(Option::is_some),
            b'"' => {
                let string = string_at(read, at);
                at += string.len() + 1;
                if key_next && let Some(key) = path.last_mut() {
                    *key = Some(string);
                }
                key_next = false;
            }
            _ => {}
        }
    }
    let keys: Vec<_> = path
        .into_iter()
        .flatten()
        .map(String::from_utf8_lossy)
        .collect();
    (!keys.is_empty()).then(|| keys.join("."))
}

/// The raw contents of the string that starts at `start`, up to its closing quote.
fn string_at(text: &[u8], start: usize) -> &[u8] {
    let mut end = start;
    while let Some(&byte) = text.get(end) {
        match byte {
            b'"' => break,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    text.get(start..end.min(text.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ruma::{OwnedUserId, api::error::ErrorCode};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Inner {
        count: u8,
        name: String,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Outer {
        user: Option<OwnedUserId>,
        list: Option<Vec<Inner>>,
        text: String,
    }

    #[test]
    fn each_mistake_has_its_code_and_names_its_key() {
        let cases: [(&[u8], ErrorCode, &str); 13] = [
            (b"nonsense", ErrorCode::NotJson, "not JSON"),
            (b"", ErrorCode::NotJson, "not JSON"),
            (b"{\"text\": 5, ", ErrorCode::NotJson, "not JSON"),
            (b"{\"text\": \"\xff\"}", ErrorCode::NotJson, "not UTF-8"),
            (b"{}", ErrorCode::MissingParam, "`text`"),
            (b"{\"text\": 5}", ErrorCode::BadJson, "`text`: invalid type"),
            (
                b"{\"text\":\n 5 , \"user\": null}",
                ErrorCode::BadJson,
                "`text`",
            ),
            (b"{\"text\": null}", ErrorCode::BadJson, "`text`"),
            (
                b"{\"text\": \"a\", \"text\": \"b\"}",
                ErrorCode::BadJson,
                "`text`",
            ),
            (
                b"{\"text\": \"a\", \"user\": \"nobody\"}",
                ErrorCode::InvalidParam,
                "`user`",
            ),
            (
                b"{\"text\": \"\", \"list\": [{\"count\": 1000, \"name\": \"\"}]}",
                ErrorCode::BadJson,
                "`list.count`",
            ),
            (
                b"{\"text\": \"\", \"list\": [{\"count\": 1}]}",
                ErrorCode::MissingParam,
                "`list.name`",
            ),
            (
                b"{\"te\\\"xt\": \"\", \"list\": {}}",
                ErrorCode::BadJson,
                "`list`",
            ),
        ];
        for (body, kind, words) in cases {
            let shown = String::from_utf8_lossy(body);
            let error = describe(body, &serde_json::from_slice::<Outer>(body).unwrap_err());
            assert_eq!(error.kind, Some(kind), "{shown}: {}", error.message);
            assert!(error.message.contains(words), "{shown}: {}", error.message);
        }
    }
}
