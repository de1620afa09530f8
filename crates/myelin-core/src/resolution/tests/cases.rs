//! What the algorithm is for, case by case.

use ruma::{RoomVersionId, UserId, user_id};
use serde_json::{Value, json};

use super::world::{Draft, Said, World, alice, member, state};
use crate::{resolution::ResolutionError, test_support::versions, trie::Root};

fn bob() -> &'static UserId {
    user_id!("@bob:example.org")
}

fn carol() -> &'static UserId {
    user_id!("@carol:example.org")
}

fn topic<'a>(sender: &'a UserId, text: &str) -> Said<'a> {
    (sender, state("m.room.topic", json!({ "topic": text })))
}

fn levels<'a>(sender: &'a UserId, version: &RoomVersionId, users: &[(&UserId, i64)]) -> Said<'a> {
    let content = json!({ "users": with_alice(version, users) });
    (sender, state("m.room.power_levels", content))
}

/// The levels of users, and Alice's where the version lets her have one.
fn with_alice(version: &RoomVersionId, users: &[(&UserId, i64)]) -> Value {
    let rules = version.rules().unwrap().authorization;
    let mut levels = json!({});
    if !rules.explicitly_privilege_room_creators {
        levels[alice().as_str()] = json!(100);
    }
    for (user, level) in users {
        levels[user.as_str()] = json!(level);
    }
    levels
}

/// A public room with Alice, who made it, Bob and Carol, with these levels. The last event is returned.
fn room(version: &RoomVersionId, users: &[(&UserId, i64)]) -> (World, i64) {
    let levels = json!({ "users": with_alice(version, users) });
    let (mut world, mut last) = World::with_settings(version, levels);
    for user in [bob(), carol()] {
        last = world.must(last, &member(user, user, "join"), 1_010);
    }
    (world, last)
}

fn version2_and_later() -> Vec<RoomVersionId> {
    versions(2..=12)
}

#[test]
fn equal_states_are_what_they_are() {
    for version in versions(1..=12) {
        let (mut world, last) = room(&version, &[]);
        let root = world.after(last);
        let resolved = world.resolve(&[root, root]).unwrap();
        assert_eq!((resolved.root, resolved.events), (root, 0));
        assert_eq!(resolved.nodes, []);
        let none = world.resolve(&[]).unwrap();
        assert_eq!(none.root, Root::default());
    }
}

#[test]
fn a_change_on_one_side_stands() {
    for version in versions(1..=12) {
        let (mut world, base) = room(&version, &[]);
        let changed = world.must(base, &topic(alice(), "new"), 2_000);
        assert_eq!(
            world.resolved(&[base, changed], "m.room.topic", ""),
            Some(changed)
        );
        assert_eq!(world.resolve_after(&[base, changed]), world.after(changed));
    }
}

#[test]
fn a_ban_holds_against_what_the_banned_user_did_meanwhile() {
    for version in version2_and_later() {
        let (mut world, base) = room(&version, &[(bob(), 50)]);
        let ban = world.must(base, &member(alice(), bob(), "ban"), 2_005);
        let said = world.must(base, &topic(bob(), "Bob was here"), 2_000);
        let renamed = world.must(said, &member(bob(), bob(), "join"), 2_001);
        let forks = [ban, renamed];
        let found = world.resolved(&forks, "m.room.member", bob().as_str());
        assert_eq!(found, Some(ban), "version {version}");
        assert_eq!(
            world.resolved(&forks, "m.room.topic", ""),
            None,
            "version {version}"
        );
    }
}

#[test]
fn of_two_who_ban_each_other_the_more_powerful_one_stays() {
    for version in version2_and_later() {
        let (mut world, base) = room(&version, &[(bob(), 60), (carol(), 70)]);
        let by_bob = world.add(&[base], &ban(bob(), carol(), 2_000));
        assert!(by_bob.is_err());
        let by_carol = world.add(&[base], &ban(carol(), bob(), 2_010)).unwrap();
        let other = world.must(
            base,
            &member(bob(), user_id!("@dan:example.org"), "ban"),
            2_000,
        );
        let forks = [by_carol, other];
        let found = world.resolved(&forks, "m.room.member", bob().as_str());
        assert_eq!(found, Some(by_carol));
        // Carol's ban counts before what Bob did, though it was sent later.
        let found = world.resolved(&forks, "m.room.member", "@dan:example.org");
        assert_eq!(found, None, "version {version}");
    }
}

fn ban<'a>(sender: &'a UserId, user: &'a UserId, ts: u64) -> Draft<'a> {
    Draft {
        sender,
        event_type: "m.room.member",
        state_key: Some(user.as_str()),
        content: json!({ "membership": "ban" }),
        ts,
    }
}

#[test]
fn who_loses_power_on_one_side_cannot_use_it_on_the_other() {
    for version in version2_and_later() {
        let (mut world, base) = room(&version, &[(bob(), 50)]);
        let demoted = world.must(base, &levels(alice(), &version, &[]), 2_005);
        let used = world.must(base, &topic(bob(), "mine"), 2_000);
        let found = world.resolved(&[demoted, used], "m.room.topic", "");
        assert_eq!(found, None, "version {version}");
        let found = world.resolved(&[demoted, used], "m.room.power_levels", "");
        assert_eq!(found, Some(demoted), "version {version}");
    }
}

#[test]
fn power_levels_of_the_more_powerful_sender_come_first_and_decide() {
    for version in version2_and_later() {
        let (mut world, base) = room(&version, &[(bob(), 60)]);
        let by_alice = world.must(base, &levels(alice(), &version, &[(bob(), 0)]), 2_005);
        let by_bob = world.must(
            base,
            &levels(bob(), &version, &[(bob(), 60), (carol(), 50)]),
            2_000,
        );
        let found = world.resolved(&[by_alice, by_bob], "m.room.power_levels", "");
        assert_eq!(found, Some(by_alice), "version {version}");
    }
}

#[test]
fn power_levels_of_equals_are_ordered_by_time() {
    for version in version2_and_later() {
        let (mut world, base) = room(&version, &[(bob(), 0)]);
        let first = world.must(base, &levels(alice(), &version, &[(bob(), 10)]), 2_000);
        let second = world.must(base, &levels(alice(), &version, &[(bob(), 20)]), 2_001);
        let found = world.resolved(&[first, second], "m.room.power_levels", "");
        assert_eq!(found, Some(second), "version {version}");
    }
}

#[test]
fn topics_under_newer_power_levels_win_over_later_ones_under_older() {
    for version in version2_and_later() {
        let (mut world, base) = room(&version, &[(bob(), 50)]);
        // A conflict of power levels brings a mainline about in all versions.
        let newer = world.must(base, &levels(alice(), &version, &[(bob(), 51)]), 2_000);
        let under_newer = world.must(newer, &topic(bob(), "newer"), 2_001);
        let under_older = world.must(base, &topic(bob(), "older"), 2_900);
        let found = world.resolved(&[under_newer, under_older], "m.room.topic", "");
        assert_eq!(found, Some(under_newer), "version {version}");
    }
}

#[test]
fn topics_under_the_same_power_levels_are_ordered_by_time_then_by_id() {
    for version in version2_and_later() {
        let (mut world, base) = room(&version, &[(bob(), 50)]);
        let early = world.must(base, &topic(alice(), "early"), 2_000);
        let late = world.must(base, &topic(bob(), "late"), 2_001);
        let found = world.resolved(&[late, early], "m.room.topic", "");
        assert_eq!(found, Some(late));
        let same = world.must(base, &topic(alice(), "same"), 2_001);
        let wanted = [late, same]
            .into_iter()
            .max_by_key(|event| world.events[event].event_id.clone());
        let found = world.resolved(&[same, late], "m.room.topic", "");
        assert_eq!(found, wanted, "version {version}");
    }
}

#[test]
fn a_join_that_was_allowed_stands_against_rules_that_were_closed_later() {
    for version in version2_and_later() {
        let (mut world, base) = room(&version, &[]);
        let dan = user_id!("@dan:example.org");
        let closed = state("m.room.join_rules", json!({ "join_rule": "invite" }));
        let closed = world.must(base, &(alice(), closed), 2_000);
        let joined = world.must(base, &member(dan, dan, "join"), 2_001);
        // The rules are a power event and come first: what the room allows then does not let Dan in.
        let found = world.resolved(&[closed, joined], "m.room.member", dan.as_str());
        assert_eq!(found, None, "version {version}");
        let invited = world.must(base, &member(alice(), dan, "invite"), 2_001);
        let accepted = world.must(invited, &member(dan, dan, "join"), 2_002);
        let found = world.resolved(&[closed, accepted], "m.room.member", dan.as_str());
        assert_eq!(found, Some(accepted), "version {version}");
    }
}

#[test]
fn a_third_party_invite_and_its_withdrawal_are_a_conflict_like_others() {
    for version in version2_and_later() {
        let (mut world, base) = room(&version, &[]);
        let invite = |content: Value| Draft {
            sender: alice(),
            event_type: "m.room.third_party_invite",
            state_key: Some("token"),
            content,
            ts: 2_000,
        };
        let made = json!({ "display_name": "d", "key_validity_url": "https://id.example/",
                           "public_key": "AAAA" });
        let made = world.add(&[base], &invite(made)).unwrap();
        let withdrawn = Draft {
            ts: 2_010,
            ..invite(json!({}))
        };
        let withdrawn = world.add(&[made], &withdrawn).unwrap();
        let kept = world.must(made, &topic(alice(), "t"), 2_020);
        let found = world.resolved(&[withdrawn, kept], "m.room.third_party_invite", "token");
        assert_eq!(found, Some(withdrawn), "version {version}");
    }
}

/// Where a state lacks the create event, which no honest server's does, the rest must not fall.
#[test]
fn a_fork_without_a_create_event_does_not_take_the_room() {
    for version in version2_and_later() {
        let (mut world, base) = room(&version, &[]);
        let mut without = world.state_at(world.after(base));
        without.retain(|_, event| *event != 1);
        let without = world.root_of(&without);
        let with = world.after(base);
        let resolved = world.resolve(&[without, with]).unwrap().root;
        assert_eq!(resolved, with, "version {version}");
        let reversed = world.resolve(&[with, without]).unwrap().root;
        assert_eq!(reversed, with);
    }
}

/// CVE-2022-39335: an event that was refused must not come into the state by way of a resolution.
#[test]
fn a_rejected_event_never_enters_a_resolved_state() {
    for version in versions(1..=12) {
        let (mut world, base) = room(&version, &[]);
        let refused = Draft {
            sender: bob(),
            event_type: "m.room.power_levels",
            state_key: Some(""),
            content: json!({ "users": { bob().as_str(): 100 } }),
            ts: 2_000,
        };
        let refused = world.force(&[base], &refused);
        let after = world.force(
            &[refused],
            &Draft {
                sender: bob(),
                event_type: "m.room.topic",
                state_key: Some(""),
                content: json!({ "topic": "mine" }),
                ts: 2_001,
            },
        );
        let renamed = world.must(base, &member(carol(), carol(), "join"), 2_002);
        world.rejected = [refused, after].into();
        let resolved = world.resolve_after(&[after, renamed]);
        let state = world.state_at(resolved);
        assert!(!state.values().any(|event| world.rejected.contains(event)));
        assert_eq!(world.resolved(&[after, renamed], "m.room.topic", ""), None);
    }
}

/// Version 2.1: what Alice's power rests on is replayed, so an old state does not reset it.
#[test]
fn version_12_replays_what_lies_between_conflicted_events() {
    let version = RoomVersionId::V12;
    let (mut world, base) = room(&version, &[(bob(), 50)]);
    let mut last = world.must(base, &levels(alice(), &version, &[(bob(), 60)]), 2_000);
    last = world.must(
        last,
        &levels(bob(), &version, &[(bob(), 60), (carol(), 40)]),
        2_001,
    );
    let newest = world.must(last, &member(bob(), bob(), "join"), 2_002);
    let forks = [base, newest];
    let roots = [world.after(base), world.after(newest)];
    let resolved = world.resolve(&roots).unwrap();
    assert_eq!(resolved.root, world.after(newest));
    // Bob's join, the levels that lie between his joins, and the conflicted ones.
    assert!(resolved.events >= 4, "{}", resolved.events);
    assert_eq!(
        world.resolved(&forks, "m.room.power_levels", ""),
        Some(last)
    );
}

#[test]
fn too_many_forks_are_refused() {
    let (mut world, mut last) = room(&RoomVersionId::V11, &[]);
    let mut roots = Vec::new();
    for number in 0..65 {
        last = world.must(last, &topic(alice(), &number.to_string()), 2_000 + number);
        roots.push(world.after(last));
    }
    assert_eq!(
        world.resolve(&roots).unwrap_err(),
        ResolutionError::TooManyForks(65)
    );
    let newest = world.resolve(&roots[1..]).unwrap();
    assert_eq!(newest.root, world.after(last));
}
