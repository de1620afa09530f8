use proptest::prelude::*;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, Int};

use super::{DEPTH_MAX, JsonError, parse_object, to_canonical, write_string};

fn canonical(text: &str) -> String {
    to_canonical(&parse_object(text.as_bytes()).unwrap())
}

/// The examples of the appendices, "Canonical JSON".
#[test]
fn specification_examples() {
    let table = [
        ("{}", "{}"),
        (r#"{ "one": 1, "two": "Two" }"#, r#"{"one":1,"two":"Two"}"#),
        (r#"{ "b": "2", "a": "1" }"#, r#"{"a":"1","b":"2"}"#),
        (r#"{"b":"2","a":"1"}"#, r#"{"a":"1","b":"2"}"#),
        (
            r#"{ "auth": { "success": true, "mxid": "@john.doe:example.com",
                "profile": { "display_name": "John Doe", "three_pids": [
                    { "medium": "email", "address": "john.doe@example.org" },
                    { "medium": "msisdn", "address": "123456789" } ] } } }"#,
            r#"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#,
        ),
        (r#"{ "a": "日本語" }"#, r#"{"a":"日本語"}"#),
        (r#"{ "本": 2, "日": 1 }"#, r#"{"日":1,"本":2}"#),
        (r#"{ "a": "\u65E5" }"#, r#"{"a":"日"}"#),
        (r#"{ "a": null }"#, r#"{"a":null}"#),
    ];
    for (text, expected) in table {
        assert_eq!(canonical(text), expected);
    }
}

#[test]
fn escapes_are_the_shortest() {
    assert_eq!(
        canonical(r#"{"a":"\u0000\u0008\u0009\u000A\u000c\u000D\u001F\u0022\u005c\/\u007f"}"#),
        "{\"a\":\"\\u0000\\b\\t\\n\\f\\r\\u001f\\\"\\\\/\u{7f}\"}"
    );
    let mut out = String::new();
    write_string(&mut out, "a\"\0\n");
    assert_eq!(out, r#""a\"\u0000\n""#);
}

#[test]
fn keys_are_sorted_by_code_point_not_by_utf16() {
    // U+FF61 sorts before U+1F600 as a code point, after its surrogate pair.
    assert_eq!(
        canonical("{\"\u{1f600}\":1,\"\u{ff61}\":2}"),
        "{\"\u{ff61}\":2,\"\u{1f600}\":1}"
    );
}

#[test]
fn integers_at_the_edges_pass() {
    assert_eq!(
        canonical(r#"{"a":[9007199254740991,-9007199254740991,0]}"#),
        r#"{"a":[9007199254740991,-9007199254740991,0]}"#
    );
}

#[test]
fn what_is_not_canonical_is_refused_with_its_path() {
    let not_integer = |path: &str| JsonError::NotAnInteger {
        path: path.to_owned(),
    };
    let range = |path: &str| JsonError::IntegerOutOfRange {
        path: path.to_owned(),
    };
    let twice = |path: &str| JsonError::DuplicateKey {
        path: path.to_owned(),
    };
    let table = [
        (r#"{"a":1.5}"#, not_integer("a")),
        (r#"{"a":1.0}"#, not_integer("a")),
        (r#"{"a":1e3}"#, not_integer("a")),
        (r#"{"a":-0}"#, not_integer("a")),
        (r#"{"a":{"b":[0,{"c":0.1}]}}"#, not_integer("a.b[1].c")),
        (r#"{"a":9007199254740992}"#, range("a")),
        (r#"{"a":[-9007199254740992]}"#, range("a[0]")),
        (r#"{"a":18446744073709551615}"#, range("a")),
        (r#"{"a":123456789012345678901234567890}"#, range("a")),
        (r#"{"a":1,"a":1}"#, twice("a")),
        (r#"{"x":[{"a":1,"\u0061":1}]}"#, twice("x[0].a")),
        ("[]", JsonError::NotAnObject),
        ("1", JsonError::NotAnObject),
        ("null", JsonError::NotAnObject),
    ];
    for (text, expected) in table {
        assert_eq!(parse_object(text.as_bytes()), Err(expected), "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    let table: [&[u8]; 13] = [
        b"",
        b"{",
        b"{}}",
        b"{} x",
        b"{a:1}",
        b"{'a':1}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\\udc00\\ud800\"}",
        b"{\"a\":\"\\ud800x\"}",
        b"{\"a\":\"\0\"}",
        b"{\"a\":01}",
        b"{\"a\":NaN}",
    ];
    for text in table {
        let result = parse_object(text);
        assert!(
            matches!(result, Err(JsonError::NotJson { .. })),
            "{text:?}: {result:?}"
        );
    }
}

#[test]
fn surrogate_pairs_and_nul_escapes_are_characters() {
    assert_eq!(
        canonical(r#"{"a":"\ud83d\ude00\u0000"}"#),
        "{\"a\":\"\u{1f600}\\u0000\"}"
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| {
        let inner = depth - 1;
        format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner))
    };
    assert!(parse_object(nested(DEPTH_MAX).as_bytes()).is_ok());
    for depth in [DEPTH_MAX + 1, 130, 100_000] {
        let result = parse_object(nested(depth).as_bytes());
        assert!(
            matches!(&result, Err(JsonError::TooDeep { path }) if path.starts_with("a[0][0]")),
            "{result:?}"
        );
    }
}

#[test]
fn paths_in_errors_are_bounded() {
    let text = format!("{{\"{}\":{{\"b\":0.5}}}}", "ä".repeat(10_000));
    let error = parse_object(text.as_bytes()).unwrap_err();
    assert!(error.to_string().len() < 300);
}

pub(crate) fn any_value() -> impl Strategy<Value = CanonicalJsonValue> {
    let leaf = prop_oneof![
        Just(CanonicalJsonValue::Null),
        any::<bool>().prop_map(CanonicalJsonValue::Bool),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991)
            .prop_map(|n| CanonicalJsonValue::Integer(Int::new(n).unwrap())),
        any::<String>().prop_map(CanonicalJsonValue::String),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(CanonicalJsonValue::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(CanonicalJsonValue::Object),
        ]
    })
}

pub(crate) fn any_object() -> impl Strategy<Value = CanonicalJsonObject> {
    prop::collection::btree_map(any::<String>(), any_value(), 0..6)
}

proptest! {
    #[test]
    fn canonical_form_is_a_fixed_point(object in any_object()) {
        let text = to_canonical(&object);
        let read = parse_object(text.as_bytes()).unwrap();
        prop_assert_eq!(&read, &object);
        prop_assert_eq!(to_canonical(&read), text);
    }

    #[test]
    fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_object(&bytes);
    }

    #[test]
    fn strings_are_written_as_in_objects(text in any::<String>()) {
        let mut out = String::new();
        write_string(&mut out, &text);
        prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }
}
