//! Rules 5.4 and 5.5, and 4.7 since version 7: leaving, kicking, banning, knocking.

use serde_json::json;

use super::{
    Allowed, Refused, alice, bob, check_rows, member, moderator, nothing, row, set_join_rule,
    set_power_levels,
};
use crate::test_support::{TestRoom, creator};

#[test]
fn rule_5_4_1_leaving() {
    const ABSENT: super::End = Refused("cannot leave if not joined, invited or knocked");
    fn knocked(room: &mut TestRoom) {
        room.put_member(bob(), "knock");
    }
    check_rows(vec![
        row(
            "5.4.1 joined",
            1..=12,
            nothing,
            |room| member(room, alice(), alice(), "leave"),
            Allowed,
        ),
        row(
            "5.4.1 invited",
            1..=12,
            |room| room.put_member(bob(), "invite"),
            |room| member(room, bob(), bob(), "leave"),
            Allowed,
        ),
        row(
            "5.4.1 knocked",
            7..=12,
            knocked,
            |room| member(room, bob(), bob(), "leave"),
            Allowed,
        ),
        row(
            "5.4.1 not before",
            1..=6,
            knocked,
            |room| member(room, bob(), bob(), "leave"),
            ABSENT,
        ),
        row(
            "5.4.1 never there",
            1..=12,
            nothing,
            |room| member(room, bob(), bob(), "leave"),
            ABSENT,
        ),
        row(
            "5.4.1 left",
            1..=12,
            |room| room.put_member(bob(), "leave"),
            |room| member(room, bob(), bob(), "leave"),
            ABSENT,
        ),
        row(
            "5.4.1 banned",
            1..=12,
            |room| room.put_member(bob(), "ban"),
            |room| member(room, bob(), bob(), "leave"),
            ABSENT,
        ),
    ]);
}

#[test]
fn rules_5_4_2_to_5_4_5_kicking() {
    const WEAK: super::End = Refused("sender does not have enough power to kick");
    check_rows(vec![
        row(
            "5.4.2 the sender is not joined",
            1..=12,
            |room| room.put_member(moderator(), "leave"),
            |room| member(room, moderator(), alice(), "leave"),
            Refused("cannot kick if sender is not joined"),
        ),
        row(
            "5.4.4",
            1..=12,
            nothing,
            |room| member(room, moderator(), alice(), "leave"),
            Allowed,
        ),
        row(
            "5.4.4 an invitation is taken back",
            1..=12,
            |room| room.put_member(bob(), "invite"),
            |room| member(room, moderator(), bob(), "leave"),
            Allowed,
        ),
        row(
            "5.4.4 a knock is declined",
            7..=12,
            |room| room.put_member(bob(), "knock"),
            |room| member(room, moderator(), bob(), "leave"),
            Allowed,
        ),
        row(
            "5.4.5 below the kick level",
            1..=12,
            |room| {
                room.put_member(bob(), "join");
                set_power_levels(room, json!({ "users": { alice().as_str(): 49 } }));
            },
            |room| member(room, alice(), bob(), "leave"),
            WEAK,
        ),
        row(
            "5.4.5 the kick level is given",
            1..=12,
            |room| set_power_levels(room, json!({ "kick": 51 })),
            |room| member(room, moderator(), alice(), "leave"),
            WEAK,
        ),
        row(
            "5.4.5 not below the sender",
            1..=12,
            |room| set_power_levels(room, json!({ "users": { alice().as_str(): 50 } })),
            |room| member(room, moderator(), alice(), "leave"),
            WEAK,
        ),
        row(
            "5.4.5 above the sender",
            1..=12,
            nothing,
            |room| member(room, moderator(), creator(), "leave"),
            WEAK,
        ),
    ]);
}

#[test]
fn rule_5_4_3_unbanning() {
    check_rows(vec![
        row(
            "5.4.3 at the ban level",
            1..=12,
            |room| room.put_member(bob(), "ban"),
            |room| member(room, moderator(), bob(), "leave"),
            Allowed,
        ),
        row(
            "5.4.3 below the ban level",
            1..=12,
            |room| {
                room.put_member(bob(), "ban");
                set_power_levels(room, json!({ "ban": 51 }));
            },
            |room| member(room, moderator(), bob(), "leave"),
            Refused("sender does not have enough power to unban"),
        ),
        row(
            "5.4.4 at the ban level but below the kick level",
            1..=12,
            |room| {
                room.put_member(bob(), "ban");
                set_power_levels(room, json!({ "ban": 0, "kick": 51 }));
            },
            |room| member(room, moderator(), bob(), "leave"),
            Refused("sender does not have enough power to kick"),
        ),
    ]);
}

#[test]
fn rule_5_5_banning() {
    const WEAK: super::End = Refused("sender does not have enough power to ban");
    check_rows(vec![
        row(
            "5.5.1 the sender is not joined",
            1..=12,
            |room| room.put_member(moderator(), "leave"),
            |room| member(room, moderator(), alice(), "ban"),
            Refused("cannot ban if sender is not joined"),
        ),
        row(
            "5.5.2 a member",
            1..=12,
            nothing,
            |room| member(room, moderator(), alice(), "ban"),
            Allowed,
        ),
        row(
            "5.5.2 a stranger",
            1..=12,
            nothing,
            |room| member(room, moderator(), bob(), "ban"),
            Allowed,
        ),
        row(
            "5.5.3 default level 50",
            1..=12,
            nothing,
            |room| member(room, alice(), bob(), "ban"),
            WEAK,
        ),
        row(
            "5.5.3 below the ban level",
            1..=12,
            |room| set_power_levels(room, json!({ "ban": 51 })),
            |room| member(room, moderator(), alice(), "ban"),
            WEAK,
        ),
        row(
            "5.5.3 not below the sender",
            1..=12,
            |room| set_power_levels(room, json!({ "users": { alice().as_str(): 50 } })),
            |room| member(room, moderator(), alice(), "ban"),
            WEAK,
        ),
        row(
            "5.5.3 oneself",
            1..=12,
            nothing,
            |room| member(room, moderator(), moderator(), "ban"),
            WEAK,
        ),
        row(
            "5.5.2 nobody is equal to a creator since version 12",
            12..=12,
            |room| {
                let users = json!({ alice().as_str(): 9_007_199_254_740_991_i64 });
                set_power_levels(room, json!({ "users": users }));
            },
            |room| member(room, creator(), alice(), "ban"),
            Allowed,
        ),
        row(
            "5.5.3 nobody bans a creator since version 12",
            12..=12,
            |room| {
                let users = json!({ alice().as_str(): 9_007_199_254_740_991_i64 });
                set_power_levels(room, json!({ "users": users }));
            },
            |room| member(room, alice(), creator(), "ban"),
            WEAK,
        ),
    ]);
}

#[test]
fn rule_4_7_knocking_since_version_7() {
    const CLOSED: super::End = Refused("knocking is not allowed");
    const TAKEN: super::End = Refused("cannot knock if user is banned, invited or joined");
    fn open(room: &mut TestRoom) {
        set_join_rule(room, "knock");
    }
    fn knock(room: &TestRoom) -> crate::event::Event {
        member(room, bob(), bob(), "knock")
    }
    check_rows(vec![
        row(
            "unknown before",
            1..=6,
            open,
            knock,
            Refused("unknown membership"),
        ),
        row("4.7.3 a stranger", 7..=12, open, knock, Allowed),
        row(
            "4.7.3 who left",
            7..=12,
            |room| {
                open(room);
                room.put_member(bob(), "leave");
            },
            knock,
            Allowed,
        ),
        row(
            "4.7.3 who knocked",
            7..=12,
            |room| {
                open(room);
                room.put_member(bob(), "knock");
            },
            knock,
            Allowed,
        ),
        row("4.7.1 public", 7..=12, nothing, knock, CLOSED),
        row(
            "4.7.1 invite",
            7..=12,
            |room| set_join_rule(room, "invite"),
            knock,
            CLOSED,
        ),
        row(
            "4.7.1 restricted",
            8..=12,
            |room| set_join_rule(room, "restricted"),
            knock,
            CLOSED,
        ),
        row(
            "4.7.1 knock_restricted since version 10",
            10..=12,
            |room| set_join_rule(room, "knock_restricted"),
            knock,
            Allowed,
        ),
        row(
            "4.7.1 not before",
            7..=9,
            |room| set_join_rule(room, "knock_restricted"),
            knock,
            CLOSED,
        ),
        row(
            "4.7.2 for another",
            7..=12,
            open,
            |room| member(room, alice(), bob(), "knock"),
            Refused("cannot make another user knock"),
        ),
        row(
            "4.7.4 banned",
            7..=12,
            |room| {
                open(room);
                room.put_member(bob(), "ban");
            },
            knock,
            TAKEN,
        ),
        row(
            "4.7.4 invited",
            7..=12,
            |room| {
                open(room);
                room.put_member(bob(), "invite");
            },
            knock,
            TAKEN,
        ),
        row(
            "4.7.4 joined",
            7..=12,
            open,
            |room| member(room, alice(), alice(), "knock"),
            TAKEN,
        ),
    ]);
}
