//! What the outside world hands in: time and chance.

/// The time of day. The binary reads the system's clock, the simulation a counter.
pub trait Clock: Send + Sync {
    /// Unix time in milliseconds.
    fn now_ms(&self) -> u64;
}

/// A source of random bytes: cryptographically secure in the binary, seeded in the simulation.
pub trait Chance: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}
