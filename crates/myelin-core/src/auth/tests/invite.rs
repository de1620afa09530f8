//! Rule 5.3: inviting, by user id and by third-party identifier.

use ruma::{UserId, server_name, user_id};
use serde_json::{Value, json};

use super::{
    Allowed, Refused, alice, bob, check_rows, member, moderator, nothing, row, set_power_levels,
};
use crate::{
    event::Event,
    signing_key::SigningKey,
    test_support::{TestRoom, creator, object},
};

#[test]
fn rules_5_3_2_to_5_3_5_invites_by_user_id() {
    fn needs_50(room: &mut TestRoom) {
        set_power_levels(room, json!({ "invite": 50 }));
    }
    const TAKEN: super::End = Refused("cannot invite user that is joined or banned");
    check_rows(vec![
        row(
            "5.3.2 the sender is not joined",
            1..=12,
            |room| room.put_member(alice(), "leave"),
            |room| member(room, alice(), bob(), "invite"),
            Refused("cannot invite user if sender is not joined"),
        ),
        row(
            "5.3.2 the sender is only invited",
            1..=12,
            |room| room.put_member(alice(), "invite"),
            |room| member(room, alice(), bob(), "invite"),
            Refused("cannot invite user if sender is not joined"),
        ),
        row(
            "5.3.3 the target is joined",
            1..=12,
            nothing,
            |room| member(room, moderator(), alice(), "invite"),
            TAKEN,
        ),
        row(
            "5.3.3 the target is banned",
            1..=12,
            |room| room.put_member(bob(), "ban"),
            |room| member(room, creator(), bob(), "invite"),
            TAKEN,
        ),
        row(
            "5.3.3 the target has left",
            1..=12,
            |room| room.put_member(bob(), "leave"),
            |room| member(room, alice(), bob(), "invite"),
            Allowed,
        ),
        row(
            "5.3.3 the target is invited already",
            1..=12,
            |room| room.put_member(bob(), "invite"),
            |room| member(room, alice(), bob(), "invite"),
            Allowed,
        ),
        row(
            "5.3.3 the target knocks",
            7..=12,
            |room| room.put_member(bob(), "knock"),
            |room| member(room, alice(), bob(), "invite"),
            Allowed,
        ),
        row(
            "5.3.4 the invite level is 0",
            1..=12,
            nothing,
            |room| member(room, alice(), bob(), "invite"),
            Allowed,
        ),
        row(
            "5.3.4 at the invite level",
            1..=12,
            needs_50,
            |room| member(room, moderator(), bob(), "invite"),
            Allowed,
        ),
        row(
            "5.3.5 below the invite level",
            1..=12,
            needs_50,
            |room| member(room, alice(), bob(), "invite"),
            Refused("sender does not have enough power to invite"),
        ),
    ]);
}

fn identity_key() -> SigningKey {
    SigningKey::from_seed("0", [9; 32])
}

fn other_key() -> SigningKey {
    SigningKey::from_seed("0", [10; 32])
}

fn signed(mxid: &UserId, token: &str, key: &SigningKey) -> Value {
    let mut signed = object(json!({ "mxid": mxid, "token": token, "sender": alice() }));
    key.sign_object(server_name!("id.org"), &mut signed)
        .unwrap();
    serde_json::to_value(signed).unwrap()
}

/// Alice's invitation, for Bob to be invited with.
fn offered(room: &mut TestRoom) {
    let content =
        json!({ "display_name": "b...", "public_key": identity_key().public_key_base64() });
    room.put(alice(), "m.room.third_party_invite", "token", content);
}

fn offered_with_a_list(room: &mut TestRoom) {
    let content = json!({
        "display_name": "b...",
        "public_key": other_key().public_key_base64(),
        "public_keys": [
            { "public_key": "no key" },
            { "public_key": identity_key().public_key_base64() },
        ],
    });
    room.put(alice(), "m.room.third_party_invite", "token", content);
}

fn invite_with(room: &TestRoom, sender: &UserId, third_party_invite: Value) -> Event {
    let content = json!({ "membership": "invite", "third_party_invite": third_party_invite });
    room.event(sender, "m.room.member", Some(bob().as_str()), content)
}

fn good_invite(room: &TestRoom) -> Event {
    let signed = signed(bob(), "token", &identity_key());
    invite_with(
        room,
        alice(),
        json!({ "display_name": "b...", "signed": signed }),
    )
}

#[test]
fn rule_5_3_1_third_party_invites() {
    check_rows(vec![
        row(
            "5.3.1.7.1 signed by the key",
            1..=12,
            offered,
            good_invite,
            Allowed,
        ),
        row(
            "5.3.1.7.2 by a key of the list",
            1..=12,
            offered_with_a_list,
            good_invite,
            Allowed,
        ),
        row(
            "5.3.1 whoever sent it need not be joined any more",
            1..=12,
            |room| {
                offered(room);
                room.put_member(alice(), "leave");
            },
            good_invite,
            Allowed,
        ),
        row(
            "5.3.1.1 banned",
            1..=12,
            |room| {
                offered(room);
                room.put_member(bob(), "ban");
            },
            good_invite,
            Refused("cannot invite user that is banned"),
        ),
        row(
            "5.3.1.2 not signed",
            1..=12,
            offered,
            |room| invite_with(room, alice(), json!({ "display_name": "b..." })),
            Refused("third_party_invite"),
        ),
        row(
            "5.3.1.3 no mxid",
            1..=12,
            offered,
            |room| {
                let signed = json!({ "token": "token", "signatures": {} });
                invite_with(room, alice(), json!({ "signed": signed }))
            },
            Refused("missing `mxid`"),
        ),
        row(
            "5.3.1.3 no token",
            1..=12,
            offered,
            |room| {
                let signed = json!({ "mxid": bob(), "signatures": {} });
                invite_with(room, alice(), json!({ "signed": signed }))
            },
            Refused("missing `token`"),
        ),
        row(
            "5.3.1.4 another mxid",
            1..=12,
            offered,
            |room| {
                let signed = signed(user_id!("@carol:example.org"), "token", &identity_key());
                invite_with(room, alice(), json!({ "signed": signed }))
            },
            Refused("mxid does not match target"),
        ),
    ]);
}

#[test]
fn rule_5_3_1_third_party_invites_against_the_state() {
    const UNSIGNED: super::End = Refused("no signature on third-party invite matches");
    check_rows(vec![
        row(
            "5.3.1.5 not offered",
            1..=12,
            nothing,
            good_invite,
            Refused("no `m.room.third_party_invite` in room state matches the token"),
        ),
        row(
            "5.3.1.5 another token",
            1..=12,
            offered,
            |room| {
                let signed = signed(bob(), "other", &identity_key());
                invite_with(room, alice(), json!({ "signed": signed }))
            },
            Refused("no `m.room.third_party_invite` in room state matches the token"),
        ),
        row(
            "5.3.1.6 another sender",
            1..=12,
            offered,
            |room| {
                let signed = signed(bob(), "token", &identity_key());
                invite_with(room, moderator(), json!({ "signed": signed }))
            },
            Refused("does not match sender of `m.room.member`"),
        ),
        row(
            "5.3.1.8 another key",
            1..=12,
            offered,
            |room| {
                let signed = signed(bob(), "token", &other_key());
                invite_with(room, alice(), json!({ "signed": signed }))
            },
            UNSIGNED,
        ),
        row(
            "5.3.1.8 changed after signing",
            1..=12,
            offered,
            |room| {
                let mut signed = signed(bob(), "token", &identity_key());
                signed["sender"] = json!(moderator());
                invite_with(room, alice(), json!({ "signed": signed }))
            },
            UNSIGNED,
        ),
        row(
            "5.3.1.8 no signatures",
            1..=12,
            offered,
            |room| {
                let signed = json!({ "mxid": bob(), "token": "token", "signatures": {} });
                invite_with(room, alice(), json!({ "signed": signed }))
            },
            UNSIGNED,
        ),
        row(
            "5.3.1.8 no keys",
            1..=12,
            |room| room.put(alice(), "m.room.third_party_invite", "token", json!({})),
            good_invite,
            UNSIGNED,
        ),
    ]);
}
