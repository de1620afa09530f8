//! Waiting for what another process does.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Nothing takes this long unless it never comes, even where many want the processors.
const PATIENCE: Duration = Duration::from_mins(2);

const PAUSE: Duration = Duration::from_millis(50);

/// Asks again and again until there is an answer, and returns it.
///
/// # Panics
///
/// If none comes, with what was awaited and what was seen instead the last time.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(
                started.elapsed() < PATIENCE,
                "waited in vain until {what}; last seen: {seen}"
            ),
        }
        thread::sleep(PAUSE);
    }
}
