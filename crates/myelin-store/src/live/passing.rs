//! What passes: typing and presence, in memory alone. Typing wakes those who wait for its room.
//! Presence wakes nobody: whoever asks is told whose has changed, so that a change costs the same
//! whether ten share a room with its user or a hundred thousand.
//!
//! Where several nodes share a database, a notice takes effect on each of them when it comes back
//! from the database, under the sequence number that it was given there. PostgreSQL delivers
//! notifications in the order of their commits, so all nodes see the same sequence, and a token
//! that one of them has given means the same to the others. What a node has missed while it could
//! not listen is told again by those who were told by the clients, and runs out by itself.

mod outgoing;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    Live,
    notice::{self, Notice, Outbox},
    presence::{
        Lease, Presence, PresenceNews, PresenceState, PresenceUpdate, Presences, REMOTE_DEVICE,
    },
    typing::{Told, Typing, TypingNews, TypingUser},
};
use crate::{LogEntry, LogKind, room_servers::ServerChange};

/// How long the others wait for the node that was told by the client to say that time is over.
const GRACE_MS: i64 = 5_000;
/// How much longer than a poll claims the other nodes believe it.
const SLACK_MS: i64 = 60 * 1_000;
/// Most servers remembered as heard of; who is left out is tried when its time has come.
const HEARD_MAX: usize = 10_000;
/// The other nodes are told that often that a server was heard of.
const HEARD_EVERY_MS: i64 = 5_000;
/// How often [`Live::pass_time`] is called.
pub(crate) const TICK: Duration = Duration::from_millis(500);

/// What passes, and what the other nodes must be told of it.
#[derive(Debug)]
pub(super) struct Passing {
    state: Mutex<State>,
    /// None where this process is alone.
    outbox: Option<Outbox>,
    /// Somebody has begun to type, or ended, or another server was heard of.
    stirred: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The newest notice that has taken effect.
    sequence: i64,
    /// Everything from here on is known; None: nothing is yet.
    known_from: Option<i64>,
    typing: Typing,
    presence: Presences,
    /// Other servers that have been heard of.
    heard: BTreeSet<i64>,
    /// When each was last told of to the other nodes.
    heard_ms: HashMap<i64, i64>,
    /// The time at the last tick.
    now_ms: i64,
}

/// A user's own word about presence.
#[derive(Clone, Debug)]
pub struct NewPresence<'a> {
    /// The interned user id.
    pub user: i64,
    /// The device that says so.
    pub device: &'a str,
    /// What it is.
    pub state: PresenceState,
    /// What the user says about it.
    pub status_msg: Option<&'a str>,
    /// Until when it holds, unless the device is heard of again.
    pub until_ms: i64,
}

/// What another server says of one of its users.
#[derive(Clone, Copy, Debug)]
pub struct RemotePresence<'a> {
    /// The interned user id.
    pub user: i64,
    /// What the user is.
    pub state: PresenceState,
    /// The user's last act.
    pub active_ms: i64,
    /// What the user says about it.
    pub status_msg: Option<&'a str>,
    /// Until when it holds, unless it is said again.
    pub until_ms: i64,
}

/// A poll, which keeps its user's presence alive.
#[derive(Clone, Copy, Debug)]
pub struct PresencePoll<'a> {
    /// The interned user id.
    pub user: i64,
    /// The device that polls.
    pub device: &'a str,
    /// What it claims its user to be.
    pub state: PresenceState,
    /// Until when the next poll can be waited for.
    pub until_ms: i64,
}

impl Passing {
    pub(super) fn new(is_shared: bool) -> Self {
        Self {
            state: Mutex::default(),
            outbox: is_shared.then(Outbox::default),
            stirred: Notify::new(),
        }
    }
}

impl State {
    /// Lets a notice take effect. Returns the room whose typing has changed, if one has.
    fn apply(&mut self, notice: Notice, own: bool) -> Option<i64> {
        let sequence = self.sequence;
        match notice {
            Notice::Typing(room, user, until_ms) => {
                let typing = TypingUser {
                    room,
                    user,
                    until_ms,
                };
                let changed = self.typing.apply(sequence, typing, own);
                if let Some(forgotten) = self.typing.forget() {
                    self.known_from = self.known_from.max(Some(forgotten));
                }
                changed.then_some(room)
            }
            Notice::Presence(update) => {
                self.presence.apply(sequence, update, own);
                None
            }
            Notice::Heard(server) => {
                if self.heard.len() < HEARD_MAX {
                    self.heard.insert(server);
                }
                None
            }
            Notice::Hello => None,
        }
    }

    /// Everything that this node was told by clients.
    fn own_notices(&self) -> Vec<Notice> {
        let typing = self.typing.own().into_iter().map(Notice::typing);
        let presence = self.presence.own(self.now_ms).into_iter();
        typing.chain(presence.map(Notice::Presence)).collect()
    }

    /// Whether this memory reaches back to what was told up to `told`. On several nodes another
    /// one may be a little further, or this one may just not hear the others; of one node alone,
    /// what lies ahead is from before it was started.
    fn knows(&self, told: i64, is_shared: bool) -> bool {
        match self.known_from {
            None => is_shared,
            Some(from) => told >= from && (is_shared || told <= self.sequence),
        }
    }
}

impl Live {
    /// A user types in a room until a moment; None: no longer.
    pub fn set_typing(&self, now_ms: i64, (room, user): (i64, i64), until_ms: Option<i64>) {
        let until_ms = until_ms.unwrap_or_default();
        self.tell(now_ms, Notice::Typing(room, user, until_ms));
    }

    /// Who types in these rooms, where it has changed since `told`: the answer's `next` of the
    /// last time, or 0 for who was told that nobody does.
    pub fn typing_since(&self, told: i64, rooms: &HashSet<i64>) -> TypingNews {
        let state = self.passing.state.lock();
        let told = match told {
            0 => Told::Nobody,
            told if state.knows(told, self.passing.outbox.is_some()) => Told::UpTo(told),
            _ => Told::Unknown,
        };
        state.typing.news(told, rooms, state.sequence)
    }

    /// Sets a user's presence.
    pub fn set_presence(&self, now_ms: i64, new: &NewPresence<'_>) {
        let acts = new.state == PresenceState::Online;
        let update = PresenceUpdate {
            lease: Some(Lease {
                device: device_number(new.device),
                state: new.state,
                until_ms: new.until_ms,
            }),
            active_ms: if acts { now_ms } else { 0 },
            status: Some(new.status_msg.unwrap_or_default().to_owned()),
            ..PresenceUpdate::look(new.user, now_ms)
        };
        self.tell(now_ms, Notice::Presence(update));
    }

    /// Another server tells of one of its users.
    pub fn hear_presence(&self, now_ms: i64, heard: &RemotePresence<'_>) {
        let update = PresenceUpdate {
            lease: Some(Lease {
                device: REMOTE_DEVICE,
                state: heard.state,
                until_ms: heard.until_ms,
            }),
            active_ms: heard.active_ms,
            status: Some(heard.status_msg.unwrap_or_default().to_owned()),
            ..PresenceUpdate::look(heard.user, now_ms)
        };
        self.tell(now_ms, Notice::Presence(update));
    }

    /// A user polls.
    pub fn note_poll(&self, now_ms: i64, poll: PresencePoll<'_>) {
        let lease = Lease {
            device: device_number(poll.device),
            state: poll.state,
            until_ms: poll.until_ms,
        };
        let update = {
            let presence = &self.passing.state.lock().presence;
            presence.poll((poll.user, now_ms), lease, SLACK_MS)
        };
        self.tell_presence(now_ms, update);
    }

    /// A user has done something that others can see, or would not do asleep.
    pub fn note_act(&self, now_ms: i64, user: i64, device: &str) {
        let update = {
            let presence = &self.passing.state.lock().presence;
            presence.act((user, now_ms), device_number(device))
        };
        self.tell_presence(now_ms, update);
    }

    /// A user's presence as it is now; None: nothing is known.
    pub fn presence(&self, user: i64) -> Option<Presence> {
        self.passing.state.lock().presence.find(user)
    }

    /// Whose presence has changed since `told`, the answer's `next` of the last time: at most
    /// `limit` users, those who changed last. Who was told nothing yet (0), or by another memory,
    /// is told who is there.
    pub fn presence_since(&self, told: i64, limit: usize) -> PresenceNews {
        let state = self.passing.state.lock();
        if told > 0 && state.knows(told, self.passing.outbox.is_some()) {
            let users = state.presence.changed_since(told, limit);
            let next = state.sequence.max(told);
            return PresenceNews { users, next };
        }
        PresenceNews {
            users: state.presence.present(limit),
            next: state.sequence,
        }
    }

    /// Ends what time has ended. Called about twice a second.
    pub fn pass_time(&self, now_ms: i64) {
        let (typing, presence) = {
            let mut state = self.passing.state.lock();
            state.now_ms = now_ms;
            let typing = state.typing.expired(now_ms, GRACE_MS);
            (typing, state.presence.due(now_ms, GRACE_MS))
        };
        for typing in typing {
            self.tell(now_ms, Notice::typing(typing));
        }
        for update in presence {
            self.tell(now_ms, Notice::Presence(update));
        }
    }

    /// Who leaves a room no longer types in it. Called with what this node has committed.
    pub(super) fn end_typing_of_leavers(&self, entries: &[LogEntry]) {
        let left = entries.iter().filter_map(|entry| {
            // The first byte is the membership, and 0 is to be joined.
            let is_local = entry.kind == LogKind::Membership
                && entry.data.first().is_some_and(|byte| *byte != 0);
            if is_local {
                return Some((entry.subject, entry.reference));
            }
            Some((ServerChange::user_gone(entry)?, entry.subject))
        });
        for (user, room) in left {
            if self.passing.state.lock().typing.is_typing(room, user) {
                self.tell(0, Notice::Typing(room, user, 0));
            }
        }
    }

    /// Lets a message of some node take effect; `own` says that it was this one.
    pub(super) fn hear_notices(&self, sequence: i64, message: &str, own: bool) {
        let notices = notice::read(message);
        if notices.contains(&Notice::Hello) {
            self.tell_again();
        }
        let rooms: Vec<i64> = {
            let mut state = self.passing.state.lock();
            state.sequence = sequence;
            state.known_from.get_or_insert(sequence);
            let changed = notices.into_iter().map(|notice| state.apply(notice, own));
            changed.flatten().collect()
        };
        self.registry.wake(&rooms);
        self.stir(!rooms.is_empty());
    }

    /// Tells the others all that this node was told by clients.
    fn tell_again(&self) {
        if let Some(outbox) = &self.passing.outbox {
            for notice in self.passing.state.lock().own_notices() {
                outbox.push(notice);
            }
        }
    }

    /// This node can hear the others, after a time in which it could not.
    pub(super) fn begin_to_hear(&self) {
        if let Some(outbox) = &self.passing.outbox {
            self.passing.state.lock().known_from = None;
            outbox.push(Notice::Hello);
        }
    }

    /// Waits for something that the other nodes must be told.
    pub(super) async fn next_notices(&self) -> String {
        match &self.passing.outbox {
            Some(outbox) => outbox.next_message().await,
            None => std::future::pending().await,
        }
    }

    fn tell_presence(&self, now_ms: i64, update: Option<PresenceUpdate>) {
        if let Some(update) = update {
            self.tell(now_ms, Notice::Presence(update));
        }
    }

    /// Tells all nodes something: itself at once where it is alone, else when it comes back.
    fn tell(&self, now_ms: i64, notice: Notice) {
        if let Some(outbox) = &self.passing.outbox {
            outbox.push(notice);
            return;
        }
        let room = {
            let mut state = self.passing.state.lock();
            // The clock keeps the numbers of this process above those of the one before it.
            state.sequence = now_ms.max(state.sequence + 1);
            let sequence = state.sequence;
            state.known_from.get_or_insert(sequence);
            state.apply(notice, true)
        };
        if let Some(room) = room {
            self.registry.wake(&[room]);
        }
        self.stir(room.is_some());
    }
}

/// A number for a device, the same on all nodes (FNV-1a). Who makes two devices share one confuses
/// nobody's presence but the own.
fn device_number(device: &str) -> u64 {
    device.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
