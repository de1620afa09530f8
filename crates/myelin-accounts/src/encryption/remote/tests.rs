use serde_json::json;

use super::*;

fn user(name: &str) -> OwnedUserId {
    OwnedUserId::try_from(format!("@{name}:b.example")).expect("a user id")
}

fn device_keys(user: &str, device: &str) -> Value {
    json!({
        "user_id": user,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {format!("ed25519:{device}"): "key"},
        "signatures": {user: {format!("ed25519:{device}"): "signature"}},
        "unsigned": {"device_display_name": "Phone", "more": 1},
    })
}

#[test]
fn of_an_answer_only_what_was_asked_for_and_has_the_right_form_is_shown() {
    let (alice, bob) = (user("alice"), user("bob"));
    let asked = KeyQuery::from([
        (alice.clone(), vec![]),
        (bob.clone(), vec!["LAPTOP".to_owned()]),
    ]);
    let public = "3C5BFWi2Y8MaVvjM8M22DBmh24PmgR0nPvJOIArzgyI";
    let key = |user: &str, usage: &str| {
        json!({
            "user_id": user,
            "usage": [usage],
            "keys": {format!("ed25519:{public}"): public},
        })
    };
    let answer = json!({
        "device_keys": {
            &alice: {
                "PHONE": device_keys(alice.as_str(), "PHONE"),
                "OTHER": device_keys(alice.as_str(), "PHONE"),
                "NOT_HERS": device_keys(bob.as_str(), "NOT_HERS"),
                "NOTHING": null,
            },
            &bob: {
                "PHONE": device_keys(bob.as_str(), "PHONE"),
                "LAPTOP": device_keys(bob.as_str(), "LAPTOP"),
            },
            "@carol:b.example": {"C": device_keys("@carol:b.example", "C")},
            "@alice:localhost": {"A": device_keys("@alice:localhost", "A")},
        },
        "master_keys": {
            &alice: key(alice.as_str(), "master"),
            &bob: key(alice.as_str(), "master"),
            "@carol:b.example": key("@carol:b.example", "master"),
        },
        "self_signing_keys": {&alice: key(alice.as_str(), "master"), &bob: 5},
        "user_signing_keys": {&alice: key(alice.as_str(), "user_signing")},
    });
    let answer = serde_json::from_value(answer).expect("the form of an answer");
    let mut shown = QueriedKeys::default();
    take_query(&asked, answer, &mut shown);
    let mut phone = device_keys(alice.as_str(), "PHONE");
    phone["unsigned"] = json!({"device_display_name": "Phone"});
    let mut laptop = device_keys(bob.as_str(), "LAPTOP");
    laptop["unsigned"] = json!({"device_display_name": "Phone"});
    let expected = json!({&alice: {"PHONE": phone}, &bob: {"LAPTOP": laptop}});
    assert_eq!(json!(shown.device_keys), expected);
    let expected = json!({&alice: key(alice.as_str(), "master")});
    assert_eq!(json!(shown.master_keys), expected);
    assert!(shown.self_signing_keys.is_empty() && shown.user_signing_keys.is_empty());
}

#[test]
fn of_claimed_keys_one_of_the_wanted_algorithm_is_taken() {
    let alice = user("alice");
    let wanted = BTreeMap::from([("PHONE".to_owned(), "signed_curve25519".to_owned())]);
    let asked = KeyClaims::from([(alice.clone(), wanted)]);
    let key = json!({"key": "abc", "signatures": {&alice: {"ed25519:PHONE": "signature"}}});
    let answer = json!({"one_time_keys": {
        &alice: {
            "PHONE": {
                "other:AAAA": key,
                "signed_curve25519:B": {"key": 5},
                "signed_curve25519:C": key,
                "signed_curve25519:D": key,
            },
            "LAPTOP": {"signed_curve25519:E": key},
        },
        "@bob:b.example": {"PHONE": {"signed_curve25519:F": key}},
    }});
    let answer = serde_json::from_value(answer).expect("the form of an answer");
    let mut claimed = ClaimedKeys::new();
    take_claim(&asked, answer, &mut claimed);
    let expected = json!({&alice: {"PHONE": {"signed_curve25519:C": key}}});
    assert_eq!(json!(claimed), expected);
}

#[test]
fn many_users_of_a_server_are_asked_for_by_several_requests() {
    let users = (0..600).map(|number| (user(&format!("u{number}")), Vec::new()));
    let mut query: KeyQuery = users.collect();
    let other = OwnedUserId::try_from("@u:c.example").expect("a user id");
    query.insert(other.clone(), vec!["D".to_owned()]);
    let parts = parts(&query);
    let sizes: Vec<_> = parts
        .iter()
        .map(|(server, part)| (server.as_str(), part.len()))
        .collect();
    let expected = [
        ("b.example", 250),
        ("b.example", 250),
        ("b.example", 100),
        ("c.example", 1),
    ];
    assert_eq!(sizes, expected);
    assert_eq!(parts[3].1[&other], ["D"]);
}
