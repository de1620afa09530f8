//! Rate limits: how often one address or one user may ask for what is expensive or harmful.
//!
//! Each node counts for itself. Which endpoint counts as what stands in `limited.rs`.

mod limited;
mod places;

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use http::StatusCode;
use parking_lot::Mutex;
use ruma::{OwnedServerName, ServerName, api::error::ErrorCode};

use crate::MatrixError;

pub(crate) use limited::{Limited, limited};
pub(crate) use places::{Place, Places};

/// Most counters kept. When all of them are in use, counting begins anew: an attacker with that
/// many addresses is not stopped by counting addresses.
const COUNTERS_MAX: usize = 500_000;
/// Counters before those that have run out are looked for.
const SWEEP_FROM: usize = 10_000;

/// When a server that has too many requests here may come with the next one.
const PLACES_RETRY_MS: u64 = 5_000;

/// So many requests at once, and from then on so many in a second. Written `0.2/20`: one in five
/// seconds, after 20 at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds between two requests.
    interval_us: u64,
    burst: u64,
}

/// Text that is not a rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a rate; 0.2/20, one in five seconds after 20 at once, would be right")]
pub struct RateError(String);

impl Rate {
    const fn new(interval_us: u64, burst: u64) -> Self {
        Self { interval_us, burst }
    }

    /// How long a burst takes to be allowed again.
    const fn window_us(self) -> u64 {
        self.interval_us.saturating_mul(self.burst)
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let parse = || {
            let (per_second, burst) = text.split_once('/')?;
            let per_second: f64 = per_second.trim().parse().ok()?;
            let burst: u64 = burst.trim().parse().ok()?;
            let is_sensible =
                (0.000_01..=1_000_000.0).contains(&per_second) && (1..=1_000_000).contains(&burst);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the rate lies between the bounds just checked"
            )]
            let interval_us = (1_000_000.0 / per_second) as u64;
            is_sensible.then_some(Self { interval_us, burst })
        };
        parse().ok_or_else(|| RateError(text.to_owned()))
    }
}

/// The rate of each kind of request.
#[derive(Clone, Debug)]
pub struct RateLimits {
    /// Attempts to log in, of one address and for one account.
    pub login: Rate,
    /// Failed attempts to log in, of one address and for one account.
    pub failed_login: Rate,
    /// Registrations, of one address.
    pub registration: Rate,
    /// Events sent, of one user.
    pub messages: Rate,
    /// Rooms joined or knocked at, of one user.
    pub joins: Rate,
    /// Invitations, of one user.
    pub invites: Rate,
    /// Rooms created or upgraded, of one user.
    pub room_creation: Rate,
    /// Reports, of one user.
    pub reports: Rate,
    /// Requests of one other server; and those of one address that are not shown to be a server's.
    pub federation: Rate,
    /// All other changes, of one user, or of one address where there is no user.
    pub other: Rate,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            login: Rate::new(2_000_000, 30),
            failed_login: Rate::new(6_000_000, 10),
            registration: Rate::new(6_000_000, 20),
            messages: Rate::new(100_000, 100),
            joins: Rate::new(1_000_000, 30),
            invites: Rate::new(1_000_000, 50),
            room_creation: Rate::new(5_000_000, 30),
            reports: Rate::new(5_000_000, 10),
            federation: Rate::new(20_000, 500),
            other: Rate::new(50_000, 200),
        }
    }
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// See the fields of [`RateLimits`].
    Login,
    /// Failed attempts.
    FailedLogin,
    /// Registrations.
    Registration,
    /// Events.
    Messages,
    /// Joins and knocks.
    Joins,
    /// Invitations.
    Invites,
    /// New rooms.
    RoomCreation,
    /// Reports.
    Reports,
    /// Requests of other servers, or of who says to be one.
    Federation,
    /// Everything else.
    Other,
}

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// Who speaks from an address. Of IPv6 the first 64 bits count: one customer has all the rest.
    Address(IpAddr),
    /// A user, by the interned user id.
    User(i64),
    /// Whoever wants to get into this account.
    Account(String),
    /// Another server.
    Server(OwnedServerName),
}

impl Caller {
    /// The caller behind an address.
    pub(crate) fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// Counts requests.
pub(crate) struct Limiter {
    limits: Option<RateLimits>,
    places: Places,
    counters: Mutex<Counters>,
}

struct Counters {
    /// For each the moment, in microseconds, up to which it is used: a request moves it on by one
    /// interval, and none may be further ahead of now than a burst.
    used_until: HashMap<(Kind, Caller), u64>,
    sweep_at: usize,
}

impl Limiter {
    /// A limiter that has counted nothing; without limits it never refuses.
    pub(crate) fn new(limits: Option<RateLimits>) -> Self {
        Self {
            limits,
            places: Places::new(),
            counters: Mutex::new(Counters {
                used_until: HashMap::new(),
                sweep_at: SWEEP_FROM,
            }),
        }
    }

    /// Counts a request; refuses it with the milliseconds after which the next one is allowed.
    pub(crate) fn count(&self, kind: Kind, caller: Caller, now_ms: u64) -> Result<(), u64> {
        self.ask(kind, caller, now_ms, true)
    }

    /// Whether a request would be allowed, without counting it.
    pub(crate) fn check(&self, kind: Kind, caller: Caller, now_ms: u64) -> Result<(), u64> {
        self.ask(kind, caller, now_ms, false)
    }

    /// Waits until a request of a server may be worked on; refuses it if too many wait already.
    pub(crate) async fn place_of(&self, server: &ServerName) -> Result<Option<Place>, u64> {
        if self.limits.is_none() {
            return Ok(None);
        }
        let place = self.places.take(server).await;
        place.map(Some).ok_or(PLACES_RETRY_MS)
    }

    fn ask(&self, kind: Kind, caller: Caller, now_ms: u64, counts: bool) -> Result<(), u64> {
        let Some(limits) = &self.limits else {
            return Ok(());
        };
        let rate = limits.rate(kind);
        let now = now_ms.saturating_mul(1_000);
        let mut counters = self.counters.lock();
        let key = (kind, caller);
        let used_until = counters.used_until.get(&key).copied().unwrap_or(0);
        // What lies further ahead is from before the clock was set back, and counts no more.
        let used_until = if used_until > now.saturating_add(rate.window_us()) {
            now
        } else {
            used_until.max(now)
        };
        let next = used_until.saturating_add(rate.interval_us);
        let ahead = next.saturating_sub(now);
        if ahead > rate.window_us() {
            return Err((ahead - rate.window_us()).div_ceil(1_000));
        }
        if counts {
            counters.used_until.insert(key, next);
            counters.sweep(now);
        }
        Ok(())
    }
}

impl Counters {
    /// Drops the counters of those who have not asked for long enough to be as new.
    fn sweep(&mut self, now: u64) {
        if self.used_until.len() < self.sweep_at {
            return;
        }
        self.used_until.retain(|_, used_until| *used_until > now);
        if self.used_until.len() >= COUNTERS_MAX {
            self.used_until.clear();
        }
        self.sweep_at = (2 * self.used_until.len()).clamp(SWEEP_FROM, COUNTERS_MAX);
    }
}

impl RateLimits {
    fn rate(&self, kind: Kind) -> Rate {
        match kind {
            Kind::Login => self.login,
            Kind::FailedLogin => self.failed_login,
            Kind::Registration => self.registration,
            Kind::Messages => self.messages,
            Kind::Joins => self.joins,
            Kind::Invites => self.invites,
            Kind::RoomCreation => self.room_creation,
            Kind::Reports => self.reports,
            Kind::Federation => self.federation,
            Kind::Other => self.other,
        }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Limiter")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// 429 `M_LIMIT_EXCEEDED`, to be tried again after so many milliseconds.
pub(crate) fn too_many_requests(retry_after_ms: u64) -> MatrixError {
    MatrixError {
        retry_after_ms: Some(retry_after_ms),
        ..MatrixError::new(
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::LimitExceeded,
            "Too many requests; try again later.",
        )
    }
}

#[cfg(test)]
mod tests;
