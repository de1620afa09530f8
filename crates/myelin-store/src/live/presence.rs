//! Who is there. A user's devices hold leases, which their polls extend; without a lease a user is
//! offline, and without an act for a while unavailable.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Without an act for this long, who is online becomes unavailable (spec: "Idle timeout").
const IDLE_MS: i64 = 5 * 60 * 1_000;
/// Acts closer together than this are one.
const ACT_MS: i64 = 60 * 1_000;
/// Stands for all devices of a user of another server, which judges itself who is idle.
pub(super) const REMOTE_DEVICE: u64 = 0;
/// Most users remembered; those who are offline longest are forgotten first.
const USERS_MAX: usize = 200_000;

/// Whether a user is there. Of several devices the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PresenceState {
    /// Not connected.
    Offline,
    /// Connected, and idle.
    Unavailable,
    /// Connected and active.
    Online,
}

/// What is shown of a user's presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Whether the user is there.
    pub state: PresenceState,
    /// The user's last act, if one is known.
    pub last_active_ms: Option<i64>,
    /// What the user says about it.
    pub status_msg: Option<String>,
}

/// Whose presence has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceNews {
    /// The interned user ids, those who have changed last first.
    pub users: Vec<i64>,
    /// What to ask with the next time.
    pub next: i64,
}

/// A device's claim that its user is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) device: u64,
    pub(super) state: PresenceState,
    pub(super) until_ms: i64,
}

/// Something new about a user's presence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PresenceUpdate {
    pub(super) user: i64,
    /// The moment at which the presence is judged, on all nodes alike.
    pub(super) at_ms: i64,
    pub(super) lease: Option<Lease>,
    /// The last act; 0: none.
    pub(super) active_ms: i64,
    /// The user's new word about it; an empty one takes it back. None: it stays.
    pub(super) status: Option<String>,
}

impl PresenceUpdate {
    /// An update that says nothing but what time it is.
    pub(super) fn look(user: i64, at_ms: i64) -> Self {
        Self {
            user,
            at_ms,
            lease: None,
            active_ms: 0,
            status: None,
        }
    }

    /// This update with what an earlier one, which nobody was told of, said besides.
    pub(super) fn after(mut self, earlier: Self) -> Self {
        self.active_ms = self.active_ms.max(earlier.active_ms);
        self.status = self.status.or(earlier.status);
        self.lease = self.lease.or(earlier.lease);
        self
    }
}

/// The presence of all users who were there lately.
#[derive(Debug, Default)]
pub(super) struct Presences {
    users: BTreeMap<i64, UserPresence>,
    /// The users by the sequence of their last change.
    changes: BTreeSet<(i64, i64)>,
    /// When the passing of time alone may change something.
    deadlines: BTreeSet<(i64, i64)>,
}

#[derive(Debug)]
struct UserPresence {
    devices: BTreeMap<u64, Device>,
    active_ms: i64,
    status: Option<String>,
    shown: PresenceState,
    changed: i64,
    deadline_ms: i64,
}

#[derive(Clone, Copy, Debug)]
struct Device {
    state: PresenceState,
    until_ms: i64,
    own: bool,
}

impl UserPresence {
    fn new() -> Self {
        Self {
            devices: BTreeMap::new(),
            active_ms: 0,
            status: None,
            shown: PresenceState::Offline,
            changed: 0,
            deadline_ms: i64::MAX,
        }
    }

    fn take(&mut self, update: PresenceUpdate, own: bool) {
        let at_ms = update.at_ms;
        self.devices.retain(|_, device| device.until_ms > at_ms);
        if let Some(lease) = update.lease {
            let device = Device {
                state: lease.state,
                until_ms: lease.until_ms,
                own,
            };
            if lease.until_ms > at_ms && lease.state != PresenceState::Offline {
                self.devices.insert(lease.device, device);
            } else {
                self.devices.remove(&lease.device);
            }
        }
        self.active_ms = self.active_ms.max(update.active_ms);
        if let Some(status) = update.status {
            self.status = Some(status).filter(|status| !status.is_empty());
        }
    }

    fn state_at(&self, at_ms: i64) -> PresenceState {
        let is_idle = at_ms - self.active_ms > IDLE_MS;
        let live = self.devices.iter();
        live.filter(|(_, device)| device.until_ms > at_ms)
            .map(|(number, device)| match device.state {
                PresenceState::Online if is_idle && *number != REMOTE_DEVICE => {
                    PresenceState::Unavailable
                }
                state => state,
            })
            .max()
            .unwrap_or(PresenceState::Offline)
    }

    /// When time alone changes something.
    fn deadline(&self, at_ms: i64) -> i64 {
        let leases = self.devices.values().map(|device| device.until_ms);
        let idle = self.active_ms + IDLE_MS + 1;
        let next = leases.chain([idle]).filter(|deadline| *deadline > at_ms);
        let is_there = !self.devices.is_empty();
        next.min().filter(|_| is_there).unwrap_or(i64::MAX)
    }
}

impl Presences {
    /// Takes in an update; `own` says that this node was told by the client. Returns whether
    /// others see a difference.
    pub(super) fn apply(&mut self, sequence: i64, update: PresenceUpdate, own: bool) -> bool {
        let (user, at_ms) = (update.user, update.at_ms);
        let says_nothing = update.lease.is_none() && update.status.is_none();
        if says_nothing && update.active_ms == 0 && !self.users.contains_key(&user) {
            return false;
        }
        let found = self.users.entry(user).or_insert_with(UserPresence::new);
        let status_before = found.status.clone();
        found.take(update, own);
        let deadline_ms = found.deadline(at_ms);
        if deadline_ms != found.deadline_ms {
            self.deadlines.remove(&(found.deadline_ms, user));
            found.deadline_ms = deadline_ms;
            if deadline_ms < i64::MAX {
                self.deadlines.insert((deadline_ms, user));
            }
        }
        let state = found.state_at(at_ms);
        if state == found.shown && found.status == status_before {
            return false;
        }
        self.changes.remove(&(found.changed, user));
        found.shown = state;
        found.changed = sequence;
        self.changes.insert((sequence, user));
        self.forget();
        true
    }

    /// The update that a poll makes; None: it tells nothing new. `until_ms` is when this poll's
    /// claim ends, `slack_ms` how much longer the others are told, so that most polls tell nothing.
    pub(super) fn poll(
        &self,
        (user, at_ms): (i64, i64),
        lease: Lease,
        slack_ms: i64,
    ) -> Option<PresenceUpdate> {
        let found = self.users.get(&user);
        let device = found.and_then(|found| found.devices.get(&lease.device));
        let is_known = device
            .is_some_and(|known| known.state == lease.state && known.until_ms >= lease.until_ms);
        if is_known {
            return None;
        }
        let was_there = found.is_some_and(|found| found.shown != PresenceState::Offline);
        // Who comes online acts; who stays so does not.
        let acts = !was_there && lease.state == PresenceState::Online;
        Some(PresenceUpdate {
            lease: Some(Lease {
                until_ms: lease.until_ms + slack_ms,
                ..lease
            }),
            active_ms: if acts { at_ms } else { 0 },
            ..PresenceUpdate::look(user, at_ms)
        })
    }

    /// The update that an act makes; None: it is too close to the last one. An idle device that
    /// acts is online again.
    pub(super) fn act(&self, (user, at_ms): (i64, i64), device: u64) -> Option<PresenceUpdate> {
        let found = self.users.get(&user);
        let known = found.and_then(|found| found.devices.get(&device));
        let idle = known.filter(|known| known.state == PresenceState::Unavailable);
        let is_recent = found.is_some_and(|found| at_ms - found.active_ms < ACT_MS);
        if is_recent && idle.is_none() {
            return None;
        }
        Some(PresenceUpdate {
            lease: idle.map(|idle| Lease {
                device,
                state: PresenceState::Online,
                until_ms: idle.until_ms,
            }),
            active_ms: at_ms,
            ..PresenceUpdate::look(user, at_ms)
        })
    }

    /// A user's presence as it is now.
    pub(super) fn find(&self, user: i64) -> Option<Presence> {
        let found = self.users.get(&user)?;
        Some(Presence {
            state: found.shown,
            last_active_ms: Some(found.active_ms).filter(|active_ms| *active_ms > 0),
            status_msg: found.status.clone(),
        })
    }

    /// Those whose presence has changed after a sequence, at most `limit`, the last first.
    pub(super) fn changed_since(&self, sequence: i64, limit: usize) -> Vec<i64> {
        let after = (sequence.saturating_add(1), i64::MIN);
        let changes = self.changes.range(after..).rev();
        changes.take(limit).map(|(_, user)| *user).collect()
    }

    /// Those who are there, at most `limit`, who has changed last first.
    pub(super) fn present(&self, limit: usize) -> Vec<i64> {
        let is_there = |user: &i64| {
            let found = self.users.get(user);
            found.is_some_and(|found| found.shown != PresenceState::Offline)
        };
        let users = self.changes.iter().rev().map(|(_, user)| *user);
        users.filter(is_there).take(limit).collect()
    }

    /// Looks at those whom time alone may have changed: of other nodes only when these had
    /// `grace_ms` to say so.
    pub(super) fn due(&self, now_ms: i64, grace_ms: i64) -> Vec<PresenceUpdate> {
        let is_own = |user: &i64| {
            let found = self.users.get(user);
            found.is_some_and(|found| found.devices.values().any(|device| device.own))
        };
        self.deadlines
            .range(..=(now_ms, i64::MAX))
            .filter(|(deadline, user)| *deadline + grace_ms <= now_ms || is_own(user))
            .map(|(_, user)| PresenceUpdate::look(*user, now_ms))
            .collect()
    }

    /// Everything that this node was told by clients.
    pub(super) fn own(&self, at_ms: i64) -> Vec<PresenceUpdate> {
        let mut updates = Vec::new();
        for (user, found) in &self.users {
            for (device, own) in found.devices.iter().filter(|(_, device)| device.own) {
                updates.push(PresenceUpdate {
                    user: *user,
                    at_ms,
                    lease: Some(Lease {
                        device: *device,
                        state: own.state,
                        until_ms: own.until_ms,
                    }),
                    active_ms: found.active_ms,
                    status: found.status.clone(),
                });
            }
        }
        updates
    }

    fn forget(&mut self) {
        if self.users.len() <= USERS_MAX {
            return;
        }
        let is_offline = |user: &i64| {
            let found = self.users.get(user);
            found.is_none_or(|found| found.devices.is_empty())
        };
        let oldest = self.changes.iter().filter(|(_, user)| is_offline(user));
        let forgotten: Vec<(i64, i64)> = oldest.take(USERS_MAX / 10).copied().collect();
        for change in forgotten {
            self.changes.remove(&change);
            self.users.remove(&change.1);
        }
    }
}

#[cfg(test)]
mod tests;
