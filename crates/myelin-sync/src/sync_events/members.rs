//! Which members a device was sent, for lazy loading (spec: "Lazy-loading room members").

use std::hash::{DefaultHasher, Hash, Hasher};

use myelin_store::Generations;
use parking_lot::Mutex;

use crate::Viewer;

/// Members remembered in each of two generations, of all devices together.
const MEMBERS: usize = 250_000;
/// Devices remembered in each of two generations.
const DEVICES: usize = 25_000;

/// The member events that devices were sent by this node. All of it may be lost: then members are
/// sent again.
pub(crate) struct SentMembers {
    memory: Mutex<Memory>,
}

/// A user's number with the hash of the device's id: only the same user's devices can be mistaken
/// for each other.
type Device = (i64, u64);

struct Memory {
    /// The position from which on it is known what the device was sent.
    begun: Generations<Device, i64>,
    /// Device, room and user to the member event and the position of the answer it was in.
    sent: Generations<(Device, i64, i64), (i64, i64)>,
}

impl Default for SentMembers {
    fn default() -> Self {
        Self {
            memory: Mutex::new(Memory {
                begun: Generations::new(DEVICES),
                sent: Generations::new(MEMBERS),
            }),
        }
    }
}

impl SentMembers {
    /// A device begins anew: what it was sent before no longer counts.
    pub(super) fn begin(&self, viewer: &Viewer, position: i64) {
        if let Some(device) = device(viewer) {
            self.memory.lock().begun.insert(device, position);
        }
    }

    /// Keeps those members (user and member event) of a room that the device has not got yet.
    ///
    /// Only what was sent in an answer that the client has shown to have received counts: its
    /// token lies at or after that answer.
    pub(super) fn retain_new(
        &self,
        viewer: &Viewer,
        (room, since): (i64, i64),
        members: &mut Vec<(i64, i64)>,
    ) {
        let Some(device) = device(viewer) else {
            return;
        };
        let mut memory = self.memory.lock();
        let Some(begun) = memory.begun.get(&device) else {
            return;
        };
        members.retain(|(user, event)| {
            let sent = memory.sent.get(&(device, room, *user));
            sent.is_none_or(|(known, position)| {
                known != *event || position < begun || position > since
            })
        });
    }

    /// Remembers members of a room that an answer up to this position holds.
    pub(super) fn remember(
        &self,
        viewer: &Viewer,
        (room, position): (i64, i64),
        members: impl Iterator<Item = (i64, i64)>,
    ) {
        let Some(device) = device(viewer) else {
            return;
        };
        let mut memory = self.memory.lock();
        if memory.begun.get(&device).is_none() {
            memory.begun.insert(device, position);
        }
        for (user, event) in members {
            memory.sent.insert((device, room, user), (event, position));
        }
    }
}

fn device(viewer: &Viewer) -> Option<Device> {
    let id = viewer.device.as_ref()?;
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    Some((viewer.user, hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(user: i64, device: &str) -> Viewer {
        Viewer {
            user,
            device: Some(device.to_owned()),
        }
    }

    /// The users whose members the memory holds to be new to a client with this token.
    fn new_to(memory: &SentMembers, viewer: &Viewer, (room, since): (i64, i64)) -> Vec<i64> {
        let mut members = vec![(10, 100), (11, 111)];
        memory.retain_new(viewer, (room, since), &mut members);
        members.into_iter().map(|(user, _)| user).collect()
    }

    #[test]
    fn what_was_received_is_not_sent_again() {
        let memory = SentMembers::default();
        let phone = viewer(1, "phone");
        memory.begin(&phone, 5);
        assert_eq!(new_to(&memory, &phone, (7, 5)), [10, 11]);
        memory.remember(&phone, (7, 8), [(10, 100)].into_iter());
        assert_eq!(new_to(&memory, &phone, (7, 8)), [11]);
        assert_eq!(new_to(&memory, &phone, (7, 9)), [11]);
        assert_eq!(new_to(&memory, &phone, (8, 9)), [10, 11], "another room");
        assert_eq!(new_to(&memory, &viewer(1, "laptop"), (7, 9)), [10, 11]);
        assert_eq!(new_to(&memory, &viewer(2, "phone"), (7, 9)), [10, 11]);
    }

    #[test]
    fn an_answer_that_was_lost_does_not_count() {
        let memory = SentMembers::default();
        let phone = viewer(1, "phone");
        memory.begin(&phone, 5);
        memory.remember(&phone, (7, 8), [(10, 100)].into_iter());
        assert_eq!(new_to(&memory, &phone, (7, 6)), [10, 11], "it asks again");
    }

    #[test]
    fn another_member_event_is_new() {
        let memory = SentMembers::default();
        let phone = viewer(1, "phone");
        memory.remember(&phone, (7, 8), [(10, 99), (11, 111)].into_iter());
        assert_eq!(new_to(&memory, &phone, (7, 8)), [10]);
    }

    #[test]
    fn a_device_that_begins_anew_has_nothing() {
        let memory = SentMembers::default();
        let phone = viewer(1, "phone");
        memory.begin(&phone, 5);
        memory.remember(&phone, (7, 5), [(10, 100)].into_iter());
        memory.begin(&phone, 9);
        memory.remember(&phone, (7, 9), [(11, 111)].into_iter());
        assert_eq!(new_to(&memory, &phone, (7, 12)), [10]);
    }
}
