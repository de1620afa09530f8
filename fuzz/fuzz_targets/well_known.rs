//! The answer of a web site that says which server speaks for it, and what a server says of its
//! keys: they are read or refused, and what is read keeps within bounds.
#![no_main]

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use myelin_net::{KeyAnswer, WellKnown};
use ruma::server_name;

const NOW_MS: u64 = 1_700_000_000_000;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in [header::CACHE_CONTROL, header::EXPIRES] {
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default());
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    }
    let body = parts.next().unwrap_or_default();
    if let Some(answer) = WellKnown::read(&headers, body, NOW_MS) {
        assert!(answer.lifetime >= Duration::from_mins(5));
        assert!(answer.lifetime <= Duration::from_hours(48));
        // What it names can be asked for.
        let host = answer.delegate.host();
        assert!(!host.is_empty());
        let _ = (answer.delegate.port(), answer.delegate.is_ip_literal());
    }
    let read = KeyAnswer::read(body, server_name!("a.example"), NOW_MS);
    if let Ok(answer) = read {
        let week_ms = 7 * 24 * 60 * 60 * 1000;
        assert!(answer.keys.values().all(|key| key.public_key.len() == 32));
        assert!(answer.valid_until_ms < u64::MAX - week_ms);
    }
});
