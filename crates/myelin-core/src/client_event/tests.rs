use serde_json::{Value, json};

use super::write_client_event;

fn client_event(event: &Value, room_id: Option<&str>, unsigned: Option<&str>) -> Value {
    let mut out = String::new();
    write_client_event(&mut out, "$id", room_id, &event.to_string(), unsigned).unwrap();
    serde_json::from_str(&out).unwrap()
}

fn stored(event_type: &str, content: &Value) -> Value {
    json!({
        "auth_events": ["$a"], "content": content, "depth": 3, "hashes": { "sha256": "x" },
        "origin": "x", "origin_server_ts": 17, "prev_events": ["$p"], "room_id": "!r:x",
        "sender": "@a:x", "signatures": { "x": { "ed25519:1": "s" } }, "type": event_type,
        "unsigned": { "age": 1 }, "extra": true,
    })
}

#[test]
fn only_what_clients_see_is_written() {
    let event = stored("m.room.message", &json!({ "body": "hi\n\"there\"" }));
    assert_eq!(
        client_event(&event, Some("!r:x"), Some(r#"{"transaction_id":"t"}"#)),
        json!({
            "content": { "body": "hi\n\"there\"" }, "event_id": "$id", "origin_server_ts": 17,
            "room_id": "!r:x", "sender": "@a:x", "type": "m.room.message",
            "unsigned": { "transaction_id": "t" },
        })
    );
}

#[test]
fn room_id_and_unsigned_may_be_left_out_and_the_state_key_stays() {
    let mut event = stored("m.room.topic", &json!({}));
    event["state_key"] = json!("");
    assert_eq!(
        client_event(&event, None, None),
        json!({
            "content": {}, "event_id": "$id", "origin_server_ts": 17, "sender": "@a:x",
            "state_key": "", "type": "m.room.topic",
        })
    );
}

#[test]
fn redactions_name_their_target_in_both_places() {
    for content in [json!({}), json!({ "reason": "spam" })] {
        let mut event = stored("m.room.redaction", &content);
        event["redacts"] = json!("$t");
        let mut inside = content.clone();
        inside["redacts"] = json!("$t");

        let from_top = client_event(&event, None, None);
        assert_eq!(
            (&from_top["redacts"], &from_top["content"]),
            (&json!("$t"), &inside)
        );

        let from_inside = client_event(&stored("m.room.redaction", &inside), None, None);
        assert_eq!(from_inside, from_top);
    }
    let redacted = client_event(&stored("m.room.redaction", &json!({})), None, None);
    assert_eq!(redacted.get("redacts"), None);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let mut out = String::new();
    for json in ["", "[]", "{}", r#"{"content":{},"sender":"@a:x"}"#] {
        assert!(write_client_event(&mut out, "$id", None, json, None).is_err());
    }
}
