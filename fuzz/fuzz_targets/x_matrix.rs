//! A header of another server's request, and the path that it asks for: it is read or refused, and
//! never believed without a key.
#![no_main]

use http::Request;
use libfuzzer_sys::fuzz_target;
use myelin_core::event::PublicKeys;
use myelin_net::XMatrix;
use ruma::server_name;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (header, body) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(credentials) = XMatrix::parse(header) else {
        return;
    };
    assert!(!credentials.origin().as_str().is_empty());
    assert!(credentials.key_id().starts_with("ed25519:"));
    let request = Request::put("/_matrix/federation/v1/send/1")
        .body(body)
        .expect("the path is valid");
    let here = server_name!("here.example");
    assert!(credentials.verify(&request, here, &PublicKeys::new()).is_err());
});
