//! Five servers in a storm, again and again: none fails for another reason than the network, and when
//! it is calm again those who are in a room agree on its state and on its events.
//!
//! `cargo xtask soak --from SEED --seeds 1` tells all that happened under one seed.

use myelin_testkit::simulate_federation;

/// Makes a test of each range of seeds, so that they run beside each other.
macro_rules! storms {
    ($($name:ident: $first:literal),+ $(,)?) => {$(
        #[test]
        fn $name() {
            for seed in $first..$first + 20 {
                survive(seed);
            }
        }
    )+};
}

storms! {
    storms_from_1: 1,
    storms_from_21: 21,
    storms_from_41: 41,
    storms_from_61: 61,
    storms_from_81: 81,
    storms_from_101: 101,
    storms_from_121: 121,
    storms_from_141: 141,
    storms_from_161: 161,
    storms_from_181: 181,
}

#[test]
fn seeds_that_have_failed() {
    // In all of these a room had two ends that nobody could tie together, or not everybody.
    for seed in [202, 249, 330, 492, 504, 549, 556, 1048, 1327, 3354] {
        survive(seed);
    }
}

#[test]
fn one_seed_tells_one_story_twice() {
    // In 97 servers wait for the same keys, and go on in one order.
    for seed in [7, 97] {
        let (first, second) = (simulate_federation(seed), simulate_federation(seed));
        for (first, second) in first.story.iter().zip(&second.story) {
            assert_eq!(first, second);
        }
        assert_eq!(first.story.len(), second.story.len());
    }
}

fn survive(seed: u64) {
    let course = simulate_federation(seed);
    let (failures, differences) = (&course.failures, &course.differences);
    assert!(failures.is_empty(), "seed {seed}: {failures:#?}");
    assert!(differences.is_empty(), "seed {seed}: {differences:#?}");
}
