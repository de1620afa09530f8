use ruma::UserId;
use serde_json::{Value, json};

use super::{InvitePermission, InvitePermission::*, InvitePermissions};

fn of(content: &Value, sender: &str) -> InvitePermission {
    let sender = <&UserId>::try_from(sender).unwrap();
    InvitePermissions::parse(content.to_string().as_bytes()).of(sender)
}

#[test]
fn the_first_list_that_names_the_sender_decides() {
    let all = json!({
        "allowed_users": ["@friend:*"],
        "ignored_users": ["@bore:bad.example", "@friend:*"],
        "blocked_users": ["@foe:*", "@bore:*"],
        "allowed_servers": ["good.example"],
        "ignored_servers": ["*.good.example", "dull.example"],
        "blocked_servers": ["*"],
    });
    for (sender, permission) in [
        ("@friend:bad.example", Allow),
        ("@bore:bad.example", Ignore),
        ("@bore:good.example", Block),
        ("@foe:good.example", Block),
        ("@alice:good.example", Allow),
        ("@alice:good.example:8448", Allow),
        ("@alice:sub.good.example", Ignore),
        ("@alice:dull.example", Ignore),
        ("@alice:elsewhere.example", Block),
    ] {
        assert_eq!(of(&all, sender), permission, "{sender}");
    }
}

#[test]
fn who_is_not_named_gets_the_default() {
    for (content, permission) in [
        (json!({}), Allow),
        (json!({"default_action": "block"}), Block),
        (json!({"default_action": "odd"}), Allow),
        (
            json!({"default_action": "block", "allowed_users": ["@a:x"]}),
            Allow,
        ),
        (json!({"enabled": true, "blocked_servers": ["*"]}), Block),
        (json!({"enabled": false, "blocked_servers": ["*"]}), Allow),
        (json!({"enabled": false, "default_action": "block"}), Allow),
    ] {
        assert_eq!(of(&content, "@a:x"), permission, "{content}");
    }
}

#[test]
fn what_is_not_of_the_form_says_nothing() {
    for content in [
        json!([]),
        json!({"blocked_servers": "*"}),
        json!({"blocked_servers": ["*"], "allowed_users": [1]}),
        json!({"blocked_servers": ["*"], "enabled": "yes"}),
        json!({"blocked_servers": ["*"], "ignored_users": null}),
    ] {
        assert_eq!(of(&content, "@a:x"), Allow, "{content}");
    }
    let odd = InvitePermissions::parse(b"{");
    assert_eq!(odd, InvitePermissions::default());
}
