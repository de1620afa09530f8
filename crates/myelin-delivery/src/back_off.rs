//! When a server that could not be reached is tried again.

/// The pause after the first failure; each further one doubles it.
const FIRST_MS: i64 = 5_000;
/// The longest pause while a server may still come back soon.
const LONGEST_MS: i64 = 60 * 60 * 1_000;
/// Who has not been reached for this long is parked: one attempt a day, unless it is heard of.
const PARKED_AFTER_MS: i64 = 3 * 24 * 60 * 60 * 1_000;
const PARKED_MS: i64 = 24 * 60 * 60 * 1_000;

/// The pause after `failures` in a row, the first of them `failing_ms` ago. `chance` spreads the
/// attempts by a fifth each way, so that servers which failed together do not come together.
pub(crate) fn pause_ms(failures: i64, failing_ms: i64, chance: u8) -> i64 {
    let pause_ms = if is_parked(failing_ms) {
        PARKED_MS
    } else {
        let doublings = (failures - 1).clamp(0, 20);
        (FIRST_MS << doublings).min(LONGEST_MS)
    };
    pause_ms * (800 + i64::from(chance) * 400 / 255) / 1_000
}

/// Whether a server that has failed for this long is taken to be gone.
pub(crate) fn is_parked(failing_ms: i64) -> bool {
    failing_ms >= PARKED_AFTER_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_end_at_a_day() {
        let middle = 127;
        let seconds = |failures, failing_ms| {
            let pause_ms = pause_ms(failures, failing_ms, middle);
            // What the middle of the spread lacks to the whole.
            (pause_ms + 50) / 1_000
        };
        for (failures, expected) in [(1, 4), (2, 9), (3, 19), (4, 39), (8, 639)] {
            let found = seconds(failures, 0);
            assert!(
                (expected..=expected + 1).contains(&found),
                "{failures}: {found}"
            );
        }
        for failures in [11, 30, i64::MAX] {
            assert!((3_590..=3_600).contains(&seconds(failures, PARKED_AFTER_MS - 1)));
        }
        assert!((86_200..=86_400).contains(&seconds(30, PARKED_AFTER_MS)));
    }

    #[test]
    fn chance_spreads_by_a_fifth_each_way() {
        assert_eq!(pause_ms(1, 0, 0), 4_000);
        assert_eq!(pause_ms(1, 0, 255), 6_000);
    }
}
