//! `/.well-known/matrix/server`: what it says, and for how long.

use std::time::Duration;

use http::{HeaderMap, header};
use ruma::OwnedServerName;
use serde::Deserialize;

/// Without a word about it, or with one that is too long.
const LIFETIME_DEFAULT: Duration = Duration::from_hours(24);
const LIFETIME_MAX: Duration = Duration::from_hours(48);
/// Whoever forbids to keep the answer is asked that often nevertheless.
const LIFETIME_MIN: Duration = Duration::from_mins(5);

/// An answer that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WellKnown {
    /// Which server speaks for the one that was asked.
    pub delegate: OwnedServerName,
    /// How long that may be kept.
    pub lifetime: Duration,
}

impl WellKnown {
    /// Reads an answer of status 200; None: it counts as none.
    pub fn read(headers: &HeaderMap, body: &[u8], now_ms: u64) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "m.server")]
            server: OwnedServerName,
        }
        let answer: Answer = serde_json::from_slice(body).ok()?;
        Some(Self {
            delegate: answer.server,
            lifetime: lifetime(headers, now_ms),
        })
    }
}

fn lifetime(headers: &HeaderMap, now_ms: u64) -> Duration {
    let asked = cache_control(headers).or_else(|| expires(headers, now_ms));
    asked
        .unwrap_or(LIFETIME_DEFAULT)
        .clamp(LIFETIME_MIN, LIFETIME_MAX)
}

fn cache_control(headers: &HeaderMap) -> Option<Duration> {
    let mut found = None;
    for line in headers.get_all(header::CACHE_CONTROL) {
        for directive in line.to_str().ok()?.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match &*name.trim().to_ascii_lowercase() {
                "no-store" | "no-cache" => return Some(Duration::ZERO),
                "max-age" => {
                    let seconds = value.trim().trim_matches('"').parse().ok();
                    found = found.or(seconds.map(Duration::from_secs));
                }
                _ => {}
            }
        }
    }
    found
}

fn expires(headers: &HeaderMap, now_ms: u64) -> Option<Duration> {
    let text = headers.get(header::EXPIRES)?.to_str().ok()?;
    // By RFC 9111 a date that cannot be read, such as 0, lies in the past.
    let Ok(date) = httpdate::parse_http_date(text) else {
        return Some(Duration::ZERO);
    };
    let now = std::time::UNIX_EPOCH + Duration::from_millis(now_ms);
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)], body: &str) -> Option<WellKnown> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        // 2023-11-14 22:13:20
        WellKnown::read(&map, body.as_bytes(), 1_700_000_000_000)
    }

    #[test]
    fn the_delegate_is_a_server_name() {
        for (body, wanted) in [
            (r#"{"m.server": "a.example"}"#, Some("a.example")),
            (
                r#"{"m.server": "a.example:443", "x": 1}"#,
                Some("a.example:443"),
            ),
            (
                r#"{"m.server": "[2001:db8::1]:1"}"#,
                Some("[2001:db8::1]:1"),
            ),
            (r#"{"m.server": "https://a.example"}"#, None),
            (r#"{"m.server": "a.example/path"}"#, None),
            (r#"{"m.server": "a.example:99999"}"#, None),
            (r#"{"m.server": ""}"#, None),
            (r#"{"m.server": 5}"#, None),
            (r#"{"m.homeserver": "a.example"}"#, None),
            ("[]", None),
            ("", None),
            ("<html>", None),
        ] {
            let found = read(&[], body).map(|answer| answer.delegate.to_string());
            assert_eq!(found.as_deref(), wanted, "{body}");
        }
    }

    #[test]
    fn the_lifetime_keeps_within_bounds() {
        let (minute, hour) = (60, 3600);
        let (date, later) = (
            "Tue, 14 Nov 2023 23:13:20 GMT",
            "Fri, 14 Nov 2025 23:13:20 GMT",
        );
        for (headers, wanted) in [
            (&[][..], 24 * hour),
            (&[("cache-control", "max-age=7200")], 2 * hour),
            (&[("cache-control", "public, Max-Age=\"7200\"")], 2 * hour),
            (&[("cache-control", "max-age=1")], 5 * minute),
            (&[("cache-control", "max-age=31536000")], 48 * hour),
            (&[("cache-control", "max-age=-1")], 24 * hour),
            (&[("cache-control", "no-store, max-age=7200")], 5 * minute),
            (
                &[("cache-control", "public"), ("cache-control", "no-cache")],
                5 * minute,
            ),
            (&[("expires", date)], hour),
            (&[("expires", later)], 48 * hour),
            (&[("expires", "0")], 5 * minute),
            (
                &[("expires", date), ("cache-control", "max-age=7200")],
                2 * hour,
            ),
        ] {
            let found = read(headers, r#"{"m.server": "a.example"}"#).unwrap();
            assert_eq!(found.lifetime, Duration::from_secs(wanted), "{headers:?}");
        }
    }
}
