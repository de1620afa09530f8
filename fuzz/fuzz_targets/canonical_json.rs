//! Any bytes: what is read has one canonical form, and what is not JSON is not JSON to others either.
#![no_main]

use libfuzzer_sys::fuzz_target;
use myelin_core::json::{JsonError, parse_object, to_canonical, write_string};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    match parse_object(bytes) {
        Ok(object) => {
            let text = to_canonical(&object);
            let again = parse_object(text.as_bytes()).expect("canonical JSON is JSON");
            assert_eq!(again, object);
            assert_eq!(to_canonical(&again), text);
            let theirs: Value = serde_json::from_slice(bytes).expect("what we read is JSON");
            let ours: Value = serde_json::from_str(&text).expect("what we write is JSON");
            assert_eq!(ours, theirs);
        }
        Err(JsonError::NotJson { .. }) => {
            assert!(serde_json::from_slice::<Value>(bytes).is_err());
        }
        Err(error) => assert!(error.to_string().len() < 500),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let mut out = String::new();
        write_string(&mut out, text);
        let read: String = serde_json::from_str(&out).expect("a string is JSON");
        assert_eq!(read, text);
    }
});
