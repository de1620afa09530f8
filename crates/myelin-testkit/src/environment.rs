//! Time and chance that a test controls.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use myelin_core::environment::{Chance, Clock};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z: any fixed day will do, as long as it is not today's.
const START_MS: u64 = 1_767_225_600_000;

/// A clock that stands still until the test moves it, or that goes with simulated time.
#[derive(Debug)]
pub struct TestClock {
    now_ms: AtomicU64,
    /// Since when it goes.
    going: OnceLock<Instant>,
}

impl TestClock {
    /// Moves it forward.
    pub fn advance(&self, time: Duration) {
        let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.now_ms.fetch_add(time_ms, Ordering::Relaxed);
    }

    /// From now on it goes with the time of the runtime, which in a simulation is simulated.
    pub fn go(&self) {
        self.going.get_or_init(Instant::now);
    }

    /// Sets it, backwards too.
    pub fn set_ms(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self {
            now_ms: AtomicU64::new(START_MS),
            going: OnceLock::new(),
        }
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        let gone = self.going.get().map(Instant::elapsed).unwrap_or_default();
        let gone_ms = u64::try_from(gone.as_millis()).unwrap_or(u64::MAX);
        self.now_ms.load(Ordering::Relaxed) + gone_ms
    }
}

/// Chance that a seed determines.
#[derive(Debug)]
pub struct SeededChance {
    generator: Mutex<StdRng>,
}

impl SeededChance {
    /// Two of one seed give the same bytes.
    pub fn new(seed: u64) -> Self {
        Self {
            generator: Mutex::new(StdRng::seed_from_u64(seed)),
        }
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        // The remainder favours small numbers by less than any test can see.
        usize::try_from(u64::from_le_bytes(bytes) % bound as u64).unwrap_or_default()
    }
}

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        self.generator.lock().fill_bytes(bytes);
    }
}
