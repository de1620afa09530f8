//! What a resolution reads: of the fork, not of the room.

use ruma::{OwnedUserId, RoomVersionId, UserId};
use serde_json::json;

use super::world::{Reads, Said, World, alice, member, state};

/// Events of the fork.
const FORK: usize = 100;

fn user(number: usize) -> OwnedUserId {
    UserId::parse(format!("@user{number}:example.org")).unwrap()
}

fn set<'a>(sender: &'a UserId, key: &str, value: usize) -> Said<'a> {
    let event_type = format!("org.example.state.{key}");
    (sender, state(&event_type, json!({ "value": value })))
}

/// A room of some members and an age, to which all of them may add state. Its last event is returned.
fn long_lived(version: &RoomVersionId, members: usize, older: usize) -> (World, i64) {
    let mut levels = json!({ "state_default": 0, "events": { "m.room.power_levels": 100 } });
    if *version != RoomVersionId::V12 {
        levels["users"] = json!({ alice().as_str(): 100 });
    }
    let (mut world, mut last) = World::with_settings(version, levels.clone());
    let users: Vec<OwnedUserId> = (0..members).map(user).collect();
    for (number, user) in users.iter().enumerate() {
        last = world.grow(last, &member(user, user, "join"), 2_000);
        // Some of the members have come under power levels that have gone.
        if number % 3_000 == 2_999 {
            let levels = state("m.room.power_levels", levels.clone());
            last = world.grow(last, &(alice(), levels), 2_001);
        }
    }
    for number in 0..older {
        let user = &users[number % members];
        let said = match number % 3 {
            0 => member(user, user, "join"),
            1 => set(user, "shared", number),
            _ => set(alice(), "alices", number),
        };
        last = world.grow(last, &said, 2_002);
    }
    (world, last)
}

/// Two branches of 50 events each that do not know of each other; returns what the resolution read, and
/// of how many keys.
fn fork(world: &mut World, base: i64, members: usize) -> (Reads, usize) {
    let mut tips = [base, base];
    for number in 0..FORK {
        let tip = &mut tips[number % 2];
        let user = user(number * 7 % members);
        let said = match number % 4 {
            0 | 1 => member(&user, &user, "join"),
            2 => set(&user, &number.to_string(), number),
            _ => set(&user, "shared", number),
        };
        *tip = world.grow(*tip, &said, 3_000 + number as u64);
    }
    let banned = user(1);
    tips[0] = world.grow(tips[0], &member(alice(), &banned, "ban"), 3_500);
    let roots = tips.map(|tip| world.after(tip));
    let resolved = world.resolve(&roots).unwrap();
    let found = world.resolved(&tips, "m.room.member", banned.as_str());
    assert_eq!(found, Some(tips[0]));
    world.resolve(&roots).unwrap();
    (world.reads, resolved.conflicted_keys)
}

#[test]
fn a_fork_of_100_events_reads_at_most_50_nodes_for_each_conflicted_key_in_version_1() {
    compare(&RoomVersionId::V1);
}

#[test]
fn a_fork_of_100_events_reads_at_most_50_nodes_for_each_conflicted_key_in_version_10() {
    compare(&RoomVersionId::V10);
}

#[test]
fn a_fork_of_100_events_reads_at_most_50_nodes_for_each_conflicted_key_in_version_12() {
    compare(&RoomVersionId::V12);
}

fn compare(version: &RoomVersionId) {
    let (mut small, base) = long_lived(version, 10, 10);
    let (in_small, _) = fork(&mut small, base, 10);
    let (mut large, base) = long_lived(version, 10_000, 10_000);
    let (in_large, keys) = fork(&mut large, base, 10_000);
    assert!(keys >= 50, "{keys} keys");
    assert!(in_large.nodes <= 50 * keys, "{in_large:?}");
    assert!(in_large.nodes <= 8 * keys, "{in_large:?}");
    // Each conflicted event, and the few things it rests on; not members, not what has passed.
    assert!(in_large.graph <= 20 * FORK, "{in_large:?}");
    assert!(in_large.events <= 6 * FORK, "{in_large:?}");
    assert!(
        in_large.rounds <= 60,
        "{in_large:?}, in a small room {in_small:?}"
    );
}

/// CVE-2024-31208: one user makes a long chain of their own events, and then cites its beginning.
#[test]
fn a_chain_made_to_be_long_is_walked_at_most_once() {
    const CHAIN: usize = 2_000;
    for version in [RoomVersionId::V10, RoomVersionId::V12] {
        let (mut world, mut last) = long_lived(&version, 10, 10);
        let mallory = user(3);
        let mut chain = Vec::new();
        for _ in 0..CHAIN {
            last = world.grow(last, &member(&mallory, &mallory, "join"), 3_000);
            chain.push(last);
        }
        let power_levels = 3;
        let mut tips = [last, last];
        for number in 0..10 {
            let cited = [1, power_levels, chain[number]];
            let cited = &cited[usize::from(version == RoomVersionId::V12)..];
            let said = set(&mallory, &number.to_string(), number);
            tips[number % 2] = world.cite(tips[number % 2], cited, &said, 4_000);
        }
        let roots = tips.map(|tip| world.after(tip));
        let resolved = world.resolve(&roots).unwrap();
        assert_eq!(resolved.conflicted_keys, 10);
        assert!(world.reads.graph <= 3 * CHAIN, "{:?}", world.reads);
        assert!(world.reads.rounds <= CHAIN / 20, "{:?}", world.reads);
        assert!(world.reads.events <= 60, "{:?}", world.reads);
        assert!(world.reads.nodes <= 50 * 10, "{:?}", world.reads);
    }
}

/// A branch that lost is looked at once, and what it rests on is not.
#[test]
fn what_nobody_builds_on_any_more_is_looked_at_once() {
    const DEAD: usize = 500;
    for version in [RoomVersionId::V10, RoomVersionId::V12] {
        let (mut world, base) = long_lived(&version, 100, 1_000);
        let mallory = user(3);
        let mut dead = base;
        for _ in 0..DEAD {
            dead = world.grow(dead, &member(&mallory, &mallory, "join"), 3_000);
        }
        let banned = world.grow(base, &member(alice(), &mallory, "ban"), 3_100);
        let roots = [world.after(dead), world.after(banned)];
        world.resolve(&roots).unwrap();
        assert_eq!(
            world.resolved(&[dead, banned], "m.room.member", mallory.as_str()),
            Some(banned)
        );
        assert!(world.reads.graph <= 6 * DEAD, "{:?}", world.reads);
        assert!(world.reads.rounds <= 2 * DEAD, "{:?}", world.reads);
        assert!(world.reads.events <= DEAD + 20, "{:?}", world.reads);
    }
}
