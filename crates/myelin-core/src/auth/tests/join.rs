//! Rules 5.1 and 5.2: joining.

use ruma::UserId;
use serde_json::{Value, json};

use super::{
    Allowed, Refused, alice, bob, check_rows, expect, member, message, moderator, nothing,
    peopled_room, row, set_join_rule, set_power_levels,
};
use crate::{
    event::Event,
    test_support::{TestRoom, creator, versions},
};

fn join(room: &TestRoom, user: &UserId) -> Event {
    member(room, user, user, "join")
}

fn raw_member(room: &TestRoom, key: Option<&str>, content: Value) -> Event {
    room.event(bob(), "m.room.member", key, content)
}

#[test]
fn rule_5_1_state_key_and_membership() {
    check_rows(vec![
        row(
            "5.1 complete",
            1..=12,
            nothing,
            |room| {
                raw_member(
                    room,
                    Some("@bob:example.org"),
                    json!({ "membership": "join" }),
                )
            },
            Allowed,
        ),
        row(
            "5.1 no state key",
            1..=12,
            nothing,
            |room| raw_member(room, None, json!({ "membership": "join" })),
            Refused("missing `state_key`"),
        ),
        row(
            "5.1 no membership",
            1..=12,
            nothing,
            |room| raw_member(room, Some("@bob:example.org"), json!({})),
            Refused("`membership`"),
        ),
        row(
            "5.1 the membership is not a string",
            1..=12,
            nothing,
            |room| raw_member(room, Some("@bob:example.org"), json!({ "membership": 1 })),
            Refused("`membership`"),
        ),
        row(
            "5.1 the state key is no user id",
            1..=12,
            nothing,
            |room| raw_member(room, Some("bob"), json!({ "membership": "join" })),
            Refused("invalid `state_key`"),
        ),
        row(
            "5.6 unknown membership",
            1..=12,
            nothing,
            |room| {
                raw_member(
                    room,
                    Some("@bob:example.org"),
                    json!({ "membership": "dance" }),
                )
            },
            Refused("unknown membership"),
        ),
        row(
            "5.6 knock is unknown until version 6",
            1..=6,
            nothing,
            |room| {
                raw_member(
                    room,
                    Some("@bob:example.org"),
                    json!({ "membership": "knock" }),
                )
            },
            Refused("unknown membership"),
        ),
    ]);
}

/// After the create event, its creator joins: by whatever sender, under whatever join rule.
#[test]
fn rule_5_2_1_the_first_join_is_the_creators() {
    for version in versions(1..=12) {
        let mut room = TestRoom::new(&version);
        expect(&room.check(&join(&room, creator())), Allowed, "5.2.1");
        let by_another = member(&room, alice(), creator(), "join");
        expect(&room.check(&by_another), Allowed, "5.2.1 by another");
        let refused = Refused("no `m.room.join_rules` event");
        expect(
            &room.check(&join(&room, alice())),
            refused,
            "5.2.1 another user",
        );

        let create_id = room.state("m.room.create", "").unwrap().event_id.clone();
        room.put(
            creator(),
            "m.room.join_rules",
            "",
            json!({ "join_rule": "invite" }),
        );
        let later = Refused("cannot join a room that is not `public`");
        expect(
            &room.check(&join(&room, creator())),
            later,
            "5.2.1 not the first event",
        );
        let both = [
            create_id.clone(),
            room.state("m.room.join_rules", "")
                .unwrap()
                .event_id
                .clone(),
        ];
        for prev_events in [&[create_id][..], &both] {
            let event = room.event_after(
                creator(),
                "m.room.member",
                Some(creator().as_str()),
                json!({ "membership": "join" }),
                prev_events,
            );
            let end = if prev_events.len() == 1 {
                Allowed
            } else {
                later
            };
            expect(&room.check(&event), end, "5.2.1 previous events");
        }
    }
}

/// Until version 10 the creator is who the content names, since version 11 the sender.
#[test]
fn rule_5_2_1_who_the_creator_is() {
    for version in versions(11..=12) {
        let room = TestRoom::with_create(&version, json!({ "creator": alice() }));
        expect(&room.check(&join(&room, creator())), Allowed, "5.2.1");
        assert!(room.check(&join(&room, alice())).is_err());
    }
    for version in versions(1..=10) {
        let room = TestRoom::with_creator(&version, alice());
        expect(&room.check(&join(&room, alice())), Allowed, "5.2.1");
        assert!(room.check(&join(&room, creator())).is_err());
    }
    for version in versions(12..=12) {
        let room = TestRoom::with_create(&version, json!({ "additional_creators": [alice()] }));
        assert!(
            room.check(&join(&room, alice())).is_err(),
            "5.2.1 additional creators"
        );
    }
}

#[test]
fn rules_5_2_2_and_5_2_3_for_oneself_and_not_banned() {
    check_rows(vec![
        row(
            "5.2.2 oneself",
            1..=12,
            nothing,
            |room| join(room, bob()),
            Allowed,
        ),
        row(
            "5.2.2 another",
            1..=12,
            nothing,
            |room| member(room, creator(), bob(), "join"),
            Refused("sender of join event must match"),
        ),
        row(
            "5.2.3 banned",
            1..=12,
            |room| room.put_member(bob(), "ban"),
            |room| join(room, bob()),
            Refused("banned user cannot join"),
        ),
        row(
            "5.2.3 left",
            1..=12,
            |room| room.put_member(bob(), "leave"),
            |room| join(room, bob()),
            Allowed,
        ),
        row(
            "again, as for a new name",
            1..=12,
            nothing,
            |room| join(room, alice()),
            Allowed,
        ),
    ]);
}

#[test]
fn rules_5_2_4_to_5_2_6_join_rules() {
    const CLOSED: super::End = Refused("cannot join a room that is not `public`");
    fn invited(room: &mut TestRoom) {
        set_join_rule(room, "invite");
        room.put_member(bob(), "invite");
    }
    fn knock_invited(room: &mut TestRoom) {
        set_join_rule(room, "knock");
        room.put_member(bob(), "invite");
    }
    fn knock_knocked(room: &mut TestRoom) {
        set_join_rule(room, "knock");
        room.put_member(bob(), "knock");
    }
    check_rows(vec![
        row(
            "5.2.4 invited",
            1..=12,
            invited,
            |room| join(room, bob()),
            Allowed,
        ),
        row(
            "5.2.4 joined",
            1..=12,
            invited,
            |room| join(room, alice()),
            Allowed,
        ),
        row(
            "5.2.4 neither",
            1..=12,
            |room| set_join_rule(room, "invite"),
            |room| join(room, bob()),
            CLOSED,
        ),
        row(
            "5.2.4 knock is a rule since version 7",
            7..=12,
            knock_invited,
            |room| join(room, bob()),
            Allowed,
        ),
        row(
            "5.2.4 knock: joined",
            7..=12,
            knock_invited,
            |room| join(room, alice()),
            Allowed,
        ),
        row(
            "5.2.4 knock: only knocked",
            7..=12,
            knock_knocked,
            |room| join(room, bob()),
            CLOSED,
        ),
        row(
            "5.2.4 knock: not before",
            1..=6,
            knock_invited,
            |room| join(room, bob()),
            CLOSED,
        ),
        row(
            "5.2.5 public",
            1..=12,
            nothing,
            |room| join(room, bob()),
            Allowed,
        ),
        row(
            "5.2.6 private",
            1..=12,
            |room| set_join_rule(room, "private"),
            |room| join(room, bob()),
            CLOSED,
        ),
        row(
            "5.2.6 private: even invited",
            1..=12,
            |room| {
                set_join_rule(room, "private");
                room.put_member(bob(), "invite");
            },
            |room| join(room, bob()),
            CLOSED,
        ),
        row(
            "5.2.6 an unknown rule",
            1..=12,
            |room| set_join_rule(room, "org.example.unknown"),
            |room| join(room, bob()),
            CLOSED,
        ),
        row(
            "5.2.6 no rule",
            1..=12,
            |room| room.remove("m.room.join_rules", ""),
            |room| join(room, bob()),
            Refused("no `m.room.join_rules` event"),
        ),
    ]);
}

fn join_via(room: &TestRoom, via: &UserId) -> Event {
    let content = json!({ "membership": "join", "join_authorised_via_users_server": via });
    room.event(bob(), "m.room.member", Some(bob().as_str()), content)
}

fn restricted(room: &mut TestRoom) {
    set_join_rule(room, "restricted");
}

fn knock_restricted(room: &mut TestRoom) {
    set_join_rule(room, "knock_restricted");
}

#[test]
fn rule_4_3_5_restricted_rooms_since_version_8() {
    const CLOSED: super::End = Refused("cannot join a room that is not `public`");
    check_rows(vec![
        row(
            "unknown before",
            1..=7,
            restricted,
            |room| join_via(room, alice()),
            CLOSED,
        ),
        row(
            "4.3.5.1 invited",
            8..=12,
            |room| {
                restricted(room);
                room.put_member(bob(), "invite");
            },
            |room| join(room, bob()),
            Allowed,
        ),
        row(
            "4.3.5.1 joined",
            8..=12,
            restricted,
            |room| join(room, alice()),
            Allowed,
        ),
        row(
            "4.3.5.3 by a member who may invite",
            8..=12,
            restricted,
            |room| join_via(room, alice()),
            Allowed,
        ),
        row(
            "4.3.5.2 by nobody",
            8..=12,
            restricted,
            |room| join(room, bob()),
            Refused("without `join_authorised_via_users_server`"),
        ),
        row(
            "4.3.5.2 by somebody outside",
            8..=12,
            restricted,
            |room| join_via(room, ruma::user_id!("@carol:example.org")),
            Refused("`join_authorised_via_users_server` is not joined"),
        ),
        row(
            "4.3.5.2 by a member who may not invite",
            8..=12,
            |room| {
                restricted(room);
                set_power_levels(room, json!({ "invite": 50 }));
            },
            |room| join_via(room, alice()),
            Refused("`join_authorised_via_users_server` does not have enough power"),
        ),
        row(
            "4.3.5.3 by a moderator",
            8..=12,
            |room| {
                restricted(room);
                set_power_levels(room, json!({ "invite": 50 }));
            },
            |room| join_via(room, moderator()),
            Allowed,
        ),
        row(
            "4.3.5.2 no user id",
            8..=12,
            restricted,
            |room| {
                let content = json!({
                    "membership": "join", "join_authorised_via_users_server": "alice",
                });
                room.event(bob(), "m.room.member", Some(bob().as_str()), content)
            },
            Refused("join_authorised_via_users_server"),
        ),
    ]);
}

#[test]
fn rule_4_3_5_knock_restricted_rooms_since_version_10() {
    const CLOSED: super::End = Refused("cannot join a room that is not `public`");
    check_rows(vec![
        row(
            "unknown before",
            1..=9,
            knock_restricted,
            |room| join_via(room, alice()),
            CLOSED,
        ),
        row(
            "4.3.5.1 invited",
            10..=12,
            |room| {
                knock_restricted(room);
                room.put_member(bob(), "invite");
            },
            |room| join(room, bob()),
            Allowed,
        ),
        row(
            "4.3.5.1 joined",
            10..=12,
            knock_restricted,
            |room| join(room, alice()),
            Allowed,
        ),
        row(
            "4.3.5.3 authorised",
            10..=12,
            knock_restricted,
            |room| join_via(room, alice()),
            Allowed,
        ),
        row(
            "4.3.5.2 not authorised",
            10..=12,
            knock_restricted,
            |room| join(room, bob()),
            Refused("without `join_authorised_via_users_server`"),
        ),
    ]);
}

/// Rule 4.2 since version 8: the server of the authorising user must have signed.
#[test]
fn rule_4_2_the_authorising_server_signs() {
    use crate::event::required_servers;
    for version in versions(1..=12) {
        let room = peopled_room(&version);
        let event = join_via(&room, ruma::user_id!("@a:elsewhere.org"));
        let servers = required_servers(&event, &version).unwrap();
        let has_rule = version.rules().unwrap().authorization.restricted_join_rule;
        assert_eq!(
            servers.contains(ruma::server_name!("elsewhere.org")),
            has_rule
        );
        let plain = required_servers(&message(&room, bob()), &version).unwrap();
        assert_eq!(plain.len(), 1);
    }
}
