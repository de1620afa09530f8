use myelin_store::{
    DatabaseUrl, Store, StoreOptions,
    events::{self, StoredEvent},
};
use serde_json::json;

use super::*;

#[test]
fn stars_stand_for_any_text() {
    for (pattern, text, expected) in [
        ("m.room.message", "m.room.message", true),
        ("m.room.message", "m.room.messages", false),
        ("m.room.*", "m.room.message", true),
        ("m.room.*", "m.room.", true),
        ("m.room.*", "m.room", false),
        ("*", "", true),
        ("*", "anything", true),
        ("", "", true),
        ("", "a", false),
        ("*.message", "m.room.message", true),
        ("*.message", "m.room.message.x", false),
        ("m.*.member", "m.room.member", true),
        ("m.*.member", "m.member", false),
        ("m.*m*", "m.room", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("**", "x", true),
        ("a**", "a", true),
        ("m?room", "m.room", false),
        ("[a-z]", "a", false),
        ("*\u{e4}*", "x\u{e4}y", true),
    ] {
        assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn many_stars_take_no_longer_than_the_lengths_multiplied() {
    let pattern = "*a".repeat(10_000);
    assert!(!glob_matches(&pattern, &format!("{}b", "a".repeat(255))));
}

#[test]
fn lists_include_and_exclude() {
    // The filter, and whether it lets pass: a message, a member event, alice, bob, the kitchen.
    let table = [
        (json!({}), [true, true, true, true, true]),
        (
            json!({"types": ["m.room.message"]}),
            [true, false, true, true, true],
        ),
        (json!({"types": []}), [false, false, true, true, true]),
        (
            json!({"types": null, "rooms": null}),
            [true, true, true, true, true],
        ),
        (
            json!({"not_types": ["m.room.mem*"]}),
            [true, false, true, true, true],
        ),
        (
            json!({"types": ["m.room.*"], "not_types": ["m.room.message"]}),
            [false, true, true, true, true],
        ),
        (
            json!({"senders": ["@alice:a"]}),
            [true, true, true, false, true],
        ),
        (json!({"senders": []}), [true, true, false, false, true]),
        (
            json!({"not_senders": ["@alice:a"]}),
            [true, true, false, true, true],
        ),
        (
            json!({"senders": ["@alice:a"], "not_senders": ["@alice:a"]}),
            [true, true, false, false, true],
        ),
        (
            json!({"senders": ["@*:a"]}),
            [true, true, false, false, true],
        ),
        (
            json!({"rooms": ["!kitchen"]}),
            [true, true, true, true, true],
        ),
        (
            json!({"rooms": ["!cellar"]}),
            [true, true, true, true, false],
        ),
        (json!({"rooms": []}), [true, true, true, true, false]),
        (
            json!({"not_rooms": ["!kitchen"]}),
            [true, true, true, true, false],
        ),
    ];
    for (filter, expected) in table {
        let parsed = EventFilter::parse(&filter.to_string()).unwrap();
        let found = [
            parsed.allows_type("m.room.message"),
            parsed.allows_type("m.room.member"),
            parsed.allows_sender("@alice:a"),
            parsed.allows_sender("@bob:a"),
            parsed.allows_room("!kitchen"),
        ];
        assert_eq!(found, expected, "{filter}");
    }
}

#[test]
fn what_passes_nothing_or_everything_is_known_before() {
    for (filter, nothing, everything) in [
        (json!({}), false, true),
        (json!({"limit": 3, "lazy_load_members": true}), false, true),
        (json!({"not_types": [], "not_senders": []}), false, true),
        (json!({"types": []}), true, false),
        (json!({"senders": []}), true, false),
        (json!({"not_types": ["a", "*"]}), true, false),
        (json!({"not_types": ["**"]}), true, false),
        (json!({"not_types": [""]}), false, false),
        (json!({"types": ["*"]}), false, false),
        (json!({"contains_url": false}), false, false),
        (json!({"not_senders": ["@a:b"]}), false, false),
    ] {
        let parsed = EventFilter::parse(&filter.to_string()).unwrap();
        let found = (parsed.allows_nothing(), parsed.allows_everything());
        assert_eq!(found, (nothing, everything), "{filter}");
    }
}

#[test]
fn limits_have_a_default_and_a_maximum() {
    for (filter, expected) in [
        (json!({}), 10),
        (json!({"limit": 5}), 5),
        (json!({"limit": 0}), 0),
        (json!({"limit": 5_000}), 1_000),
        (json!({"limit": u64::MAX}), 1_000),
        (json!({"limit": null}), 10),
    ] {
        let parsed = EventFilter::parse(&filter.to_string()).unwrap();
        assert_eq!(parsed.limit(10, 1_000), expected, "{filter}");
    }
}

#[test]
fn reads_a_whole_definition() {
    let filter = Filter::parse(
        &json!({
            "event_fields": ["type", "content.body"],
            "event_format": "federation",
            "presence": {"not_types": ["*"]},
            "account_data": {"types": ["m.direct"]},
            "room": {
                "rooms": ["!a", "!b"],
                "not_rooms": ["!b"],
                "include_leave": true,
                "timeline": {"limit": 7, "lazy_load_members": true, "unread_thread_notifications": true},
                "state": {"lazy_load_members": true, "include_redundant_members": true},
                "ephemeral": {"types": ["m.typing"]},
                "account_data": {"types": []},
            },
            "org.example.other": 1,
        })
        .to_string(),
    )
    .unwrap();
    assert_eq!(filter.event_format, EventFormat::Federation);
    assert!(filter.event_fields.is_some());
    assert!(filter.presence.allows_nothing());
    assert!(filter.account_data.allows_type("m.direct"));
    assert!(!filter.account_data.allows_type("m.push_rules"));
    let room = &filter.room;
    assert!(room.allows_room("!a") && !room.allows_room("!b") && !room.allows_room("!c"));
    assert!(room.include_leave());
    assert_eq!(room.timeline.limit(10, 1_000), 7);
    assert!(room.timeline.unread_thread_notifications());
    assert!(room.timeline.lazy_load_members() && !room.timeline.include_redundant_members());
    assert!(room.state.lazy_load_members() && room.state.include_redundant_members());
    assert!(!room.ephemeral.allows_type("m.receipt"));
    assert!(room.account_data.allows_nothing());
}

#[test]
fn an_empty_definition_shows_everything() {
    for text in [
        "{}",
        r#"{"room":null,"event_fields":null}"#,
        r#"{"event_fields":[]}"#,
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.event_format, EventFormat::Client);
        assert_eq!(filter.event_fields, None, "{text}");
        assert!(!filter.room.include_leave());
        assert!(filter.room.allows_room("!a"));
        assert!(filter.room.timeline.allows_everything());
        assert!(!filter.room.state.lazy_load_members());
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    for text in [
        "",
        "{",
        "5",
        "[]",
        "{} {}",
        r#"{"room": []}"#,
        r#"{"room": {"timeline": [["m.room.message"]]}}"#,
        r#"{"room": 5}"#,
        r#"{"event_format": "xml"}"#,
        r#"{"event_fields": "type"}"#,
        r#"{"room": {"include_leave": "yes"}}"#,
        r#"{"room": {"timeline": {"limit": -1}}}"#,
        r#"{"room": {"timeline": {"types": "m.room.message"}}}"#,
        r#"{"room": {"timeline": {"types": [1]}}}"#,
    ] {
        assert!(Filter::parse(text).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_matcher_decides_about_stored_events() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("filter.db"));
    let store = Store::open(StoreOptions::new(url, "localhost"))
        .await
        .unwrap();
    let mut events = Vec::new();
    for (event_type, sender, url) in [
        ("m.room.message", "@alice:a", false),
        ("m.room.message", "@bob:a", true),
        ("m.room.member", "@alice:a", false),
    ] {
        let number = i64::try_from(events.len()).unwrap();
        events.push(stored(&store, number, (event_type, sender), url).await);
    }
    for (filter, expected) in [
        (json!({}), &[0, 1, 2][..]),
        (json!({"types": ["m.room.message"]}), &[0, 1]),
        (json!({"not_types": ["*member"]}), &[0, 1]),
        (json!({"senders": ["@alice:a"]}), &[0, 2]),
        (json!({"not_senders": ["@alice:a"]}), &[1]),
        (json!({"contains_url": true}), &[1]),
        (json!({"contains_url": false}), &[0, 2]),
        (json!({"types": ["never.heard.of"]}), &[]),
        (json!({"types": ["m.room.m*"], "senders": ["@bob:a"]}), &[1]),
    ] {
        let parsed = EventFilter::parse(&filter.to_string()).unwrap();
        let mut matcher = parsed.matcher();
        // Twice: what was decided before is decided alike.
        for _ in 0..2 {
            let mut found = events.clone();
            matcher.retain(&store, &mut found).await.unwrap();
            let found: Vec<i64> = found.iter().map(|event| event.event).collect();
            assert_eq!(found, expected, "{filter}");
        }
    }
    store.close().await;
}

async fn stored(store: &Store, event: i64, (kind, sender): (&str, &str), url: bool) -> StoredEvent {
    let strings = [kind.as_bytes(), sender.as_bytes()];
    let numbers = store.intern(&strings).await.unwrap();
    let content = if url {
        json!({"url": "mxc://a/b"})
    } else {
        json!({})
    };
    StoredEvent {
        event,
        id: format!("${event}"),
        room: 1,
        room_order: event,
        event_type: numbers[0],
        state_key: None,
        sender: numbers[1],
        depth: 1,
        origin_server_ts: 0,
        status: events::Status::Accepted,
        root_before: bytes::Bytes::new(),
        device: None,
        txn_id: None,
        delayed: None,
        json: json!({"content": content}).to_string(),
        redaction: None,
    }
}
