//! The answer to a request, as a test looks at it.

use std::fmt::Write;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// Status, headers and body of an answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null if it is none.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

/// An answer of which nothing was kept.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Its status.
    pub status: u16,
    /// The size of its body.
    pub bytes: usize,
    /// The size of the largest piece that the body was written in.
    pub largest: usize,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, bytes: &[u8]) -> Self {
        Self {
            status: status.as_u16(),
            headers,
            body: serde_json::from_slice(bytes).unwrap_or_default(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    /// The body of an answer that must be 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.body
    }

    /// Status and `errcode`, which is empty if there is none.
    pub fn code(&self) -> (u16, &str) {
        (
            self.status,
            self.body["errcode"].as_str().unwrap_or_default(),
        )
    }

    /// The `error`: a sentence for the developer of the client.
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    /// Asserts status and `errcode`; returns the `error`, which is never empty.
    #[track_caller]
    pub fn refused(self, status: u16, errcode: &str) -> String {
        assert_eq!(self.code(), (status, errcode), "{}", self.text);
        let message = self.error();
        assert!(
            !message.is_empty(),
            "an error without a sentence: {}",
            self.text
        );
        message.to_owned()
    }
}

/// The string at a key; a test that asks for it knows that it is there.
#[track_caller]
pub fn text(value: &Value, key: &str) -> String {
    let Some(text) = value[key].as_str() else {
        panic!("no string `{key}` in {value}");
    };
    text.to_owned()
}

/// Percent-encodes one segment of a path or one value of a query.
pub fn encode(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
