//! Rooms at random: each fork that comes about is resolved by us and by the oracle.

use ruma::{OwnedUserId, RoomVersionId, UserId};
use serde_json::{Value, json};

use super::{
    oracle::oracle,
    version1,
    world::{Draft, StateMap, World, alice},
};
use crate::test_support::versions;

/// Numbers that follow from a seed.
pub(super) struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const EVENTS: usize = 60;

fn users() -> Vec<OwnedUserId> {
    let names = ["alice", "bob", "carol", "dan", "erin"];
    let name = |name: &&str| UserId::parse(format!("@{name}:example.org")).unwrap();
    names.iter().map(name).collect()
}

/// What somebody might do next, allowed or not.
fn act(dice: &mut Dice, users: &[OwnedUserId]) -> (OwnedUserId, String, String, Value) {
    let sender = dice.pick(users).clone();
    let target = dice.pick(users).to_string();
    let member = |user: &str, membership: &str| {
        (
            "m.room.member".to_owned(),
            user.to_owned(),
            json!({ "membership": membership }),
        )
    };
    let (event_type, state_key, content) = match dice.below(16) {
        0..=2 => member(sender.as_str(), "join"),
        3 => member(sender.as_str(), "leave"),
        4 => member(&target, "invite"),
        5 => member(&target, "leave"),
        6 | 7 => member(&target, "ban"),
        8 => member(sender.as_str(), "knock"),
        9..=11 => {
            let mut levels = json!({});
            for user in users.iter().filter(|user| *user != alice()) {
                if dice.below(2) == 0 {
                    levels[user.as_str()] = json!(*dice.pick(&[0, 50, 50, 100]));
                }
            }
            let content = json!({
                "users": levels,
                "users_default": *dice.pick(&[0, 0, 50]),
                "invite": *dice.pick(&[0, 50]),
            });
            ("m.room.power_levels".to_owned(), String::new(), content)
        }
        12 => {
            let rule = *dice.pick(&["public", "public", "invite", "knock"]);
            let content = json!({ "join_rule": rule });
            ("m.room.join_rules".to_owned(), String::new(), content)
        }
        _ => {
            let event_type = *dice.pick(&["m.room.topic", "m.room.name", "org.example.state"]);
            let content = json!({ "value": dice.below(1_000) });
            (event_type.to_owned(), String::new(), content)
        }
    };
    (sender, event_type, state_key, content)
}

/// A room where Alice has said what applies, or has not.
fn begin(version: &RoomVersionId, dice: &mut Dice) -> (World, Vec<i64>) {
    if dice.below(4) == 0 {
        let mut world = World::new(version);
        let join = super::world::member(alice(), alice(), "join");
        let joined = world.must(1, &join, 1_001);
        return (world, vec![joined]);
    }
    let creators_are_named = !version
        .rules()
        .unwrap()
        .authorization
        .explicitly_privilege_room_creators;
    let mut levels = json!({ "users": { "@bob:example.org": 50 } });
    if creators_are_named {
        levels["users"][alice().as_str()] = json!(100);
    }
    let (world, last) = World::with_settings(version, levels);
    (world, vec![last])
}

/// Resolves by all means that there are, in two orders.
fn compare(world: &mut World, events: &[i64], seed: u64) {
    let mut roots: Vec<_> = events.iter().map(|event| world.after(*event)).collect();
    let ours = world.resolve(&roots).unwrap().root;
    roots.reverse();
    let reversed = world.resolve(&roots).unwrap().root;
    let version = world.version.clone();
    assert_eq!(
        ours, reversed,
        "version {version}, seed {seed}: the order of the forks counts"
    );
    let forks: Vec<StateMap> = roots.iter().map(|root| world.state_at(*root)).collect();
    let wanted = if version == RoomVersionId::V1 {
        version1::literally(world, &forks)
    } else {
        oracle(world, &forks)
    };
    let found = world.state_at(ours);
    assert_eq!(
        found, wanted,
        "version {version}, seed {seed}, after {events:?}"
    );
    assert_eq!(ours, world.root_of(&wanted));
}

fn live(version: &RoomVersionId, seed: u64) {
    let mut dice = Dice(seed);
    let users = users();
    let (mut world, mut events) = begin(version, &mut dice);
    let mut forks = 0;
    while events.len() < EVENTS {
        let mut prev = Vec::new();
        for _ in 0..*dice.pick(&[1, 1, 1, 2, 3]) {
            // Mostly what is new, at times what is old.
            let reach = if dice.below(8) == 0 { EVENTS } else { 6 };
            let newest = events.len().saturating_sub(1 + dice.below(reach));
            prev.push(events[newest]);
        }
        prev.sort_unstable();
        prev.dedup();
        if prev.len() > 1 {
            forks += 1;
            compare(&mut world, &prev, seed);
        }
        let (sender, event_type, state_key, content) = act(&mut dice, &users);
        let draft = Draft {
            sender: &sender,
            event_type: &event_type,
            state_key: Some(&state_key),
            content,
            // Some times are equal, and some run backwards.
            ts: 2_000 + u64::try_from(events.len() / 2 + dice.below(8)).unwrap(),
        };
        events.extend(world.add(&prev, &draft));
        if forks > 400 {
            break;
        }
    }
    for _ in 0..8 {
        let count = 2 + dice.below(3);
        let mut chosen: Vec<i64> = (0..count).map(|_| *dice.pick(&events)).collect();
        chosen.dedup();
        compare(&mut world, &chosen, seed);
    }
}

/// How many rooms of each version are tried.
const SEEDS: u64 = 4;

macro_rules! random_rooms {
    ($($name:ident: $version:literal),* $(,)?) => {$(
        #[test]
        fn $name() {
            for version in versions([$version]) {
                for seed in 0..SEEDS {
                    live(&version, seed);
                }
            }
        }
    )*};
}

random_rooms! {
    rooms_of_version_1_resolve_as_the_specification_says: 1,
    rooms_of_version_2_resolve_as_the_oracle_does: 2,
    rooms_of_version_3_resolve_as_the_oracle_does: 3,
    rooms_of_version_4_resolve_as_the_oracle_does: 4,
    rooms_of_version_5_resolve_as_the_oracle_does: 5,
    rooms_of_version_6_resolve_as_the_oracle_does: 6,
    rooms_of_version_7_resolve_as_the_oracle_does: 7,
    rooms_of_version_8_resolve_as_the_oracle_does: 8,
    rooms_of_version_9_resolve_as_the_oracle_does: 9,
    rooms_of_version_10_resolve_as_the_oracle_does: 10,
    rooms_of_version_11_resolve_as_the_oracle_does: 11,
    rooms_of_version_12_resolve_as_the_oracle_does: 12,
}
