//! Who types where.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Most rooms remembered in which nobody types any more.
const SILENT_MAX: usize = 10_000;

/// What was told of typing to somebody who asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// That nobody types anywhere.
    Nobody,
    /// Everything up to this sequence.
    UpTo(i64),
    /// Nobody knows, except that somebody typed: it was another node's memory, or an older one.
    Unknown,
}

/// What is new of typing in some rooms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypingNews {
    /// The rooms in which it has changed, with those who type there now, in the order of numbers.
    pub rooms: Vec<(i64, Vec<i64>)>,
    /// What to ask with the next time.
    pub next: i64,
}

/// Who types where, in all rooms.
#[derive(Debug, Default)]
pub(super) struct Typing {
    rooms: BTreeMap<i64, RoomTyping>,
    /// The rooms by the sequence of their last change.
    changes: BTreeSet<(i64, i64)>,
    silent: usize,
}

#[derive(Debug, Default)]
struct RoomTyping {
    changed: i64,
    users: BTreeMap<i64, Until>,
}

#[derive(Clone, Copy, Debug)]
struct Until {
    ms: i64,
    own: bool,
}

/// A user who types, until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TypingUser {
    pub(super) room: i64,
    pub(super) user: i64,
    /// 0: no longer.
    pub(super) until_ms: i64,
}

impl Typing {
    /// Takes in what a user does; `own` says that this node was told by the client. Returns
    /// whether others see a difference.
    pub(super) fn apply(&mut self, sequence: i64, typing: TypingUser, own: bool) -> bool {
        let TypingUser {
            room,
            user,
            until_ms,
        } = typing;
        let found = self.rooms.get_mut(&room);
        if until_ms == 0 {
            let Some(found) = found else {
                return false;
            };
            if found.users.remove(&user).is_none() {
                return false;
            }
            self.silent += usize::from(found.users.is_empty());
        } else {
            let until = Until { ms: until_ms, own };
            let found = self.rooms.entry(room).or_default();
            let was_silent = found.users.is_empty() && found.changed > 0;
            if found.users.insert(user, until).is_some() {
                return false;
            }
            self.silent -= usize::from(was_silent);
        }
        if let Some(found) = self.rooms.get_mut(&room) {
            self.changes.remove(&(found.changed, room));
            found.changed = sequence;
            self.changes.insert((sequence, room));
        }
        true
    }

    /// Forgets the rooms that have been silent longest, if there are too many of them. Returns the
    /// sequence below which nothing is known any more.
    pub(super) fn forget(&mut self) -> Option<i64> {
        if self.silent <= SILENT_MAX {
            return None;
        }
        let is_silent = |room: &i64| {
            let found = self.rooms.get(room);
            found.is_some_and(|found| found.users.is_empty())
        };
        let oldest = self.changes.iter().filter(|(_, room)| is_silent(room));
        // Half of them at once, so that this is rare.
        let forgotten: Vec<(i64, i64)> = oldest.take(SILENT_MAX / 2).copied().collect();
        for change in &forgotten {
            self.changes.remove(change);
            self.rooms.remove(&change.1);
        }
        self.silent -= forgotten.len();
        forgotten.last().map(|(sequence, _)| sequence + 1)
    }

    pub(super) fn is_typing(&self, room: i64, user: i64) -> bool {
        let found = self.rooms.get(&room);
        found.is_some_and(|found| found.users.contains_key(&user))
    }

    /// Those whose time is over: of other nodes only when these had `grace_ms` to say so.
    pub(super) fn expired(&self, now_ms: i64, grace_ms: i64) -> Vec<TypingUser> {
        let is_over = |until: &Until| until.ms + if until.own { 0 } else { grace_ms } <= now_ms;
        self.all(is_over)
            .map(|typing| TypingUser {
                until_ms: 0,
                ..typing
            })
            .collect()
    }

    /// Who types where, in the order of rooms and users.
    pub(super) fn now(&self) -> Vec<(i64, i64)> {
        let all = self.all(|_| true);
        all.map(|typing| (typing.room, typing.user)).collect()
    }

    /// Those of whom this node was told by their clients.
    pub(super) fn own(&self) -> Vec<TypingUser> {
        self.all(|until| until.own).collect()
    }

    /// What has changed in these rooms. Cost: the smaller of these and of those where somebody
    /// types or has typed lately.
    pub(super) fn news(&self, told: Told, rooms: &HashSet<i64>, sequence: i64) -> TypingNews {
        let known = self.common(rooms);
        let is_anybody_typing = known.iter().any(|(_, found)| !found.users.is_empty());
        let changed = known.iter().filter(|(_, found)| match told {
            Told::Nobody | Told::Unknown => !found.users.is_empty(),
            Told::UpTo(told) => found.changed > told,
        });
        let mut news: BTreeMap<i64, Vec<i64>> = changed
            .map(|(room, found)| (*room, found.users.keys().copied().collect()))
            .collect();
        if told == Told::Unknown {
            for room in rooms {
                news.entry(*room).or_default();
            }
        }
        let newest = match told {
            Told::UpTo(told) => sequence.max(told),
            Told::Nobody | Told::Unknown => sequence,
        };
        TypingNews {
            rooms: news.into_iter().collect(),
            next: if is_anybody_typing { newest } else { 0 },
        }
    }

    fn common(&self, rooms: &HashSet<i64>) -> Vec<(i64, &RoomTyping)> {
        if self.rooms.len() < rooms.len() {
            let known = self.rooms.iter().map(|(room, found)| (*room, found));
            known.filter(|(room, _)| rooms.contains(room)).collect()
        } else {
            let known = |room: &i64| Some((*room, self.rooms.get(room)?));
            rooms.iter().filter_map(known).collect()
        }
    }

    fn all(&self, wanted: impl Fn(&Until) -> bool) -> impl Iterator<Item = TypingUser> {
        let mut found = Vec::new();
        for (room, typing) in &self.rooms {
            for (user, until) in typing.users.iter().filter(|(_, until)| wanted(until)) {
                found.push(TypingUser {
                    room: *room,
                    user: *user,
                    until_ms: until.ms,
                });
            }
        }
        found.into_iter()
    }
}

#[cfg(test)]
mod tests;
