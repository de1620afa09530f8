//! What hashes and signatures say.

use super::*;

#[test]
fn a_changed_event_is_not_verified() {
    let server = test_server(server_name!("example.org"));
    for version in all_versions() {
        let event = message(&version, json!({ "body": "hi" }));
        let keys = keys(&server);

        let forged = parse(event.json.replace("\"hi\"", "\"ho\"").as_bytes(), &version).unwrap();
        assert_eq!(
            verify(&forged, &version, &keys).unwrap(),
            Verified::Signatures
        );

        let forged = parse(
            event
                .json
                .replace("\"depth\":12", "\"depth\":13")
                .as_bytes(),
            &version,
        )
        .unwrap();
        assert!(verify(&forged, &version, &keys).is_err());

        assert!(verify(&event, &version, &PublicKeys::new()).is_err());
        let required = required_servers(&event, &version).unwrap();
        assert_eq!(
            required.into_iter().collect::<Vec<_>>(),
            [server_name!("example.org")]
        );
    }
}

#[test]
fn a_second_signature_stands_beside_the_first() {
    for version in all_versions() {
        let room = TestRoom::new(&version);
        let event = room.unsigned_event("m.room.topic", Some(""), json!({"topic": "x", "z": {}}));
        let other = test_server(server_name!("other.example"));
        let signed = add_signature(&event, &version, &other).unwrap();
        let again = parse(signed.json.as_bytes(), &version).unwrap();
        assert_eq!(again.event_id, event.event_id);
        let signatures = parse_object(signed.json.as_bytes()).unwrap();
        let signatures = signatures["signatures"].as_object().unwrap();
        let servers: Vec<&String> = signatures.keys().collect();
        assert_eq!(servers, ["example.org", "other.example"]);
        let mut keys = keys(&room.server);
        keys.extend(self::keys(&other));
        let verified = verify(&signed, &version, &keys);
        assert!(matches!(verified, Ok(Verified::All)), "{verified:?}");
        let redacted = redact(&signed.json, &version).unwrap();
        let redacted = parse_object(redacted.as_bytes()).unwrap();
        ruma::signatures::verify_json(&keys, &redacted).unwrap();
    }
}
