//! Sticky events: events that everybody in the room is shown while they last.
//!
//! [MSC4354](https://github.com/matrix-org/matrix-spec-proposals/pull/4354)

use serde::Deserialize;
use serde_json::value::RawValue;

/// The key of an event that makes it sticky.
pub const STICKY: &str = "msc4354_sticky";

/// No event is sticky for longer: an hour.
pub const DURATION_MS_MAX: u32 = 3_600_000;

/// For how long an event is sticky, from its JSON; None: it is not.
pub fn duration_ms(json: &str) -> Option<u32> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow, rename = "msc4354_sticky")]
        sticky: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Sticky {
        duration_ms: u64,
    }
    // Most events are not, and need not be taken apart to see it.
    if !json.contains(STICKY) {
        return None;
    }
    let event: Event<'_> = serde_json::from_str(json).ok()?;
    let sticky: Sticky = serde_json::from_str(event.sticky?.get()).ok()?;
    let longest = u64::from(DURATION_MS_MAX);
    u32::try_from(sticky.duration_ms.min(longest)).ok()
}

/// Until when an event is sticky that came at this time, from what it says of itself. It begins when
/// it was sent, but never in the future, whatever its sender says.
pub fn until_ms(json: &str, origin_server_ts: u64, received_ms: u64) -> Option<u64> {
    let duration_ms = u64::from(duration_ms(json)?);
    Some(origin_server_ts.min(received_ms) + duration_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_sticky_for_an_hour_at_most() {
        for (sticky, expected) in [
            (r#"{"duration_ms":0}"#, Some(0)),
            (r#"{"duration_ms":300000}"#, Some(300_000)),
            (r#"{"duration_ms":3600000}"#, Some(3_600_000)),
            (r#"{"duration_ms":3600001}"#, Some(3_600_000)),
            (r#"{"duration_ms":9007199254740991}"#, Some(3_600_000)),
            (r#"{"duration_ms":-1}"#, None),
            (r#"{"duration_ms":1.5}"#, None),
            (r#"{"duration_ms":"1"}"#, None),
            (r#"{"duration_ms":true}"#, None),
            (r#"{"duration_ms":null}"#, None),
            ("{}", None),
            ("[]", None),
            ("true", None),
            ("null", None),
        ] {
            let json = format!(r#"{{"msc4354_sticky":{sticky},"type":"x"}}"#);
            assert_eq!(duration_ms(&json), expected, "{json}");
        }
        assert_eq!(duration_ms(r#"{"type":"x"}"#), None);
        let inside = r#"{"content":{"msc4354_sticky":{"duration_ms":1}}}"#;
        assert_eq!(duration_ms(inside), None);
    }

    #[test]
    fn stickiness_begins_when_the_event_was_sent_and_never_later_than_it_came() {
        let json = r#"{"msc4354_sticky":{"duration_ms":100}}"#;
        for (sent, came, expected) in [(50, 60, 150), (60, 60, 160), (900, 60, 160), (0, 60, 100)] {
            assert_eq!(until_ms(json, sent, came), Some(expected));
        }
        assert_eq!(until_ms("{}", 50, 60), None);
    }
}
