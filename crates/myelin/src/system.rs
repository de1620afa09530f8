//! Time and chance of the real world, for everything that runs outside a simulation.

use std::time::{SystemTime, UNIX_EPOCH};

use myelin_core::environment::{Chance, Clock};
use rand::{TryRng, rngs::SysRng};

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is where the clock is handed in"
        )]
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 is not set yet; the time is then as unknown as at the epoch.
        since.map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
    }
}

/// The operating system's random number generator.
#[derive(Clone, Copy, Debug)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        SysRng
            .try_fill_bytes(bytes)
            .expect("the kernel's generator does not fail once it is seeded, which is before init");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_chance_are_real() {
        // 2024-01-01, before this was written.
        assert!(SystemClock.now_ms() > 1_704_067_200_000);
        let (mut first, mut second) = ([0; 32], [0; 32]);
        SystemChance.fill(&mut first);
        SystemChance.fill(&mut second);
        assert_ne!(first, second);
    }
}
