//! EDUs that wait for one server: of several about the same thing the last counts. Those that must not
//! be lost are in the database, too.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use myelin_rooms::{EduPresence, EduReceipt, EduReceiptData, TypingEdu};
use myelin_store::to_device::Place;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Most EDUs of one transaction (spec: "Transactions").
pub(crate) const EDUS_MAX: usize = 100;
/// Most users of one presence EDU.
const USERS_MAX: usize = 50;
/// Most receipts of one EDU: it stays far below what any server takes.
const RECEIPTS_MAX: usize = 100;
/// Messages to devices above this many bytes wait for the next transaction.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// A receipt on its way.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    /// Its position in the log.
    pub(crate) pos: i64,
    pub(crate) room_id: Arc<str>,
    pub(crate) user_id: Arc<str>,
    pub(crate) thread: Option<Arc<str>>,
    pub(crate) event_id: Arc<str>,
    pub(crate) ts_ms: i64,
}

/// A change of a user's devices or cross-signing keys on its way.
#[derive(Clone, Debug)]
pub(crate) struct KeyChange {
    /// Its position in the log.
    pub(crate) pos: i64,
    /// Whose, and which device; None: the cross-signing keys.
    pub(crate) of: (Arc<str>, Option<Arc<str>>),
    /// The EDUs, far fewer than a transaction takes.
    pub(crate) edus: Vec<Arc<str>>,
}

impl KeyChange {
    /// All devices of a user, for who has not heard of them.
    pub(crate) fn of_list(pos: i64, user: &str, edus: Vec<Arc<str>>) -> Self {
        // No device has this id.
        let all = "".into();
        Self {
            pos,
            of: (user.into(), Some(all)),
            edus,
        }
    }
}

/// A message to devices on its way.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Where it stands in the queue of the server.
    pub(crate) place: Place,
    /// The EDU.
    pub(crate) edu: Arc<str>,
}

/// A room, and a thread in it.
type Thread = (Arc<str>, Option<Arc<str>>);

/// EDUs that wait.
#[derive(Debug, Default)]
pub(crate) struct PendingEdus {
    /// By room and thread, for an EDU has one receipt a user; then by user.
    receipts: BTreeMap<Thread, BTreeMap<Arc<str>, Receipt>>,
    /// By room and user: whether the user types.
    typing: BTreeMap<(Arc<str>, Arc<str>), bool>,
    presence: BTreeMap<Arc<str>, EduPresence>,
    /// Changes of keys by position, and where the change of each device stands.
    changes: BTreeMap<i64, KeyChange>,
    change_of: BTreeMap<(Arc<str>, Option<Arc<str>>), i64>,
    /// Messages in their order, and how long they are together.
    messages: VecDeque<Message>,
    message_bytes: usize,
    /// The positions of all that must not be lost: receipts, changes and messages.
    positions: BTreeSet<i64>,
}

/// What was taken for one transaction.
#[derive(Debug, Default)]
pub(crate) struct TakenEdus {
    pub(crate) edus: Vec<String>,
    /// The messages to devices among them.
    pub(crate) messages: Vec<Place>,
    /// The lowest position of what must not be lost.
    pub(crate) from: Option<i64>,
}

impl TakenEdus {
    fn note(&mut self, pos: i64) {
        self.from = Some(self.from.map_or(pos, |from| from.min(pos)));
    }
}

impl PendingEdus {
    pub(crate) fn is_empty(&self) -> bool {
        self.positions.is_empty() && self.typing.is_empty() && self.presence.is_empty()
    }

    /// The lowest position of what waits and must not be lost.
    pub(crate) fn first_position(&self) -> Option<i64> {
        self.positions.first().copied()
    }

    /// How many wait that must not be lost.
    pub(crate) fn durable(&self) -> usize {
        self.positions.len()
    }

    /// How long the messages to devices are together.
    pub(crate) fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    pub(crate) fn push_change(&mut self, change: KeyChange) {
        if let Some(before) = self.change_of.insert(change.of.clone(), change.pos) {
            self.changes.remove(&before);
            self.positions.remove(&before);
        }
        self.positions.insert(change.pos);
        self.changes.insert(change.pos, change);
    }

    pub(crate) fn push_changes(&mut self, changes: impl IntoIterator<Item = KeyChange>) {
        for change in changes {
            self.push_change(change);
        }
    }

    pub(crate) fn push_message(&mut self, message: Message) {
        self.positions.insert(message.place.pos);
        self.message_bytes += message.edu.len();
        self.messages.push_back(message);
    }

    pub(crate) fn push_receipt(&mut self, receipt: Receipt) {
        let key = (receipt.room_id.clone(), receipt.thread.clone());
        let of_thread = self.receipts.entry(key).or_default();
        self.positions.insert(receipt.pos);
        if let Some(before) = of_thread.insert(receipt.user_id.clone(), receipt) {
            self.positions.remove(&before.pos);
        }
    }

    pub(crate) fn push_typing(&mut self, room_id: Arc<str>, user_id: Arc<str>, typing: bool) {
        self.typing.insert((room_id, user_id), typing);
    }

    pub(crate) fn push_presence(&mut self, presence: EduPresence) {
        let user = presence.user_id.as_str().into();
        self.presence.insert(user, presence);
    }

    /// Forgets what is of use only at once.
    pub(crate) fn drop_passing(&mut self) {
        self.typing.clear();
        self.presence.clear();
    }

    /// As many as one transaction takes.
    pub(crate) fn take(&mut self) -> TakenEdus {
        let mut taken = TakenEdus::default();
        // Who is sent a message shall know of the device that has sent it.
        while let Some(entry) = self.changes.first_entry() {
            if taken.edus.len() + entry.get().edus.len() > EDUS_MAX {
                break;
            }
            let (pos, change) = entry.remove_entry();
            self.change_of.remove(&change.of);
            self.positions.remove(&pos);
            taken.note(pos);
            let edus = change.edus.iter().map(ToString::to_string);
            taken.edus.extend(edus);
        }
        self.take_messages(&mut taken);
        while taken.edus.len() < EDUS_MAX {
            let Some((key, typing)) = self.typing.pop_first() else {
                break;
            };
            let (room_id, user_id) = (key.0.to_string(), key.1.to_string());
            let content = TypingEdu {
                room_id,
                user_id,
                typing,
            };
            taken.edus.push(edu("m.typing", &content));
        }
        while taken.edus.len() < EDUS_MAX && !self.presence.is_empty() {
            let rest = match self.presence.keys().nth(USERS_MAX).cloned() {
                Some(key) => self.presence.split_off(&key),
                None => BTreeMap::new(),
            };
            let push = std::mem::replace(&mut self.presence, rest);
            let push: Vec<_> = push.into_values().collect();
            taken.edus.push(edu("m.presence", &json!({"push": push})));
        }
        while taken.edus.len() < EDUS_MAX && !self.receipts.is_empty() {
            self.take_receipts(&mut taken);
        }
        taken
    }

    fn take_messages(&mut self, taken: &mut TakenEdus) {
        let mut bytes = 0;
        while taken.edus.len() < EDUS_MAX
            && bytes < MESSAGE_BYTES_MAX
            && let Some(Message { place, edu }) = self.messages.pop_front()
        {
            bytes += edu.len();
            self.positions.remove(&place.pos);
            taken.note(place.pos);
            taken.messages.push(place);
            taken.edus.push(edu.to_string());
        }
        self.message_bytes -= bytes;
    }

    /// The receipts of one room or thread, as one EDU.
    fn take_receipts(&mut self, taken: &mut TakenEdus) {
        let Some(mut entry) = self.receipts.first_entry() else {
            return;
        };
        let room_id = entry.key().0.clone();
        let rest = match entry.get().keys().nth(RECEIPTS_MAX).cloned() {
            Some(user) => entry.get_mut().split_off(&user),
            None => BTreeMap::new(),
        };
        let of_users = std::mem::replace(entry.get_mut(), rest);
        if entry.get().is_empty() {
            entry.remove();
        }
        let mut users = Map::new();
        for (user_id, receipt) in of_users {
            self.positions.remove(&receipt.pos);
            taken.note(receipt.pos);
            let content = EduReceipt {
                event_ids: vec![receipt.event_id.to_string()],
                data: EduReceiptData {
                    ts: receipt.ts_ms,
                    thread_id: receipt.thread.map(|thread| thread.to_string()),
                },
            };
            users.insert(user_id.to_string(), json!(content));
        }
        let mut content = Map::new();
        content.insert(room_id.to_string(), json!({"m.read": users}));
        taken.edus.push(edu("m.receipt", &Value::from(content)));
    }
}

fn edu(edu_type: &str, content: &impl Serialize) -> String {
    json!({"edu_type": edu_type, "content": content}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(pos: i64, room: &str, user: &str, thread: Option<&str>) -> Receipt {
        Receipt {
            pos,
            room_id: room.into(),
            user_id: user.into(),
            thread: thread.map(Into::into),
            event_id: format!("$at{pos}").into(),
            ts_ms: pos,
        }
    }

    fn values(taken: &TakenEdus) -> Vec<Value> {
        let edus = taken.edus.iter();
        edus.map(|edu| serde_json::from_str(edu).expect("an EDU is JSON"))
            .collect()
    }

    #[test]
    fn of_several_about_the_same_the_last_is_sent() {
        let mut edus = PendingEdus::default();
        for typing in [true, false, true, false] {
            edus.push_typing("!a".into(), "@u".into(), typing);
        }
        edus.push_receipt(receipt(3, "!a", "@u", None));
        edus.push_receipt(receipt(5, "!a", "@u", None));
        edus.push_receipt(receipt(6, "!a", "@v", None));
        assert_eq!((edus.first_position(), edus.durable()), (Some(5), 2));
        let taken = edus.take();
        assert_eq!(taken.from, Some(5));
        let read = json!({"event_ids": ["$at5"], "data": {"ts": 5}});
        let other = json!({"event_ids": ["$at6"], "data": {"ts": 6}});
        let expected = [
            json!({"edu_type": "m.typing",
                   "content": {"room_id": "!a", "user_id": "@u", "typing": false}}),
            json!({"edu_type": "m.receipt",
                   "content": {"!a": {"m.read": {"@u": read, "@v": other}}}}),
        ];
        assert_eq!(values(&taken), expected);
        assert!(edus.is_empty() && edus.first_position().is_none());
    }

    #[test]
    fn receipts_of_threads_do_not_hide_each_other() {
        let mut edus = PendingEdus::default();
        edus.push_receipt(receipt(1, "!a", "@u", None));
        edus.push_receipt(receipt(2, "!a", "@u", Some("main")));
        edus.push_receipt(receipt(3, "!a", "@u", Some("$root")));
        let taken = edus.take();
        let threads: Vec<_> = values(&taken)
            .iter()
            .map(|edu| edu["content"]["!a"]["m.read"]["@u"]["data"]["thread_id"].clone())
            .collect();
        assert_eq!(threads, [Value::Null, json!("$root"), json!("main")]);
    }

    #[test]
    fn a_transaction_has_at_most_a_hundred() {
        let mut edus = PendingEdus::default();
        for user in 0..150 {
            edus.push_typing("!a".into(), format!("@{user}").into(), true);
        }
        for user in 0..120 {
            edus.push_receipt(receipt(user + 1, "!a", &format!("@{user:03}"), None));
        }
        assert_eq!(edus.take().edus.len(), 100);
        let taken = edus.take();
        assert_eq!(taken.edus.len(), 52);
        assert!(edus.is_empty());
        let counts = values(&taken)
            .into_iter()
            .filter_map(|edu| Some(edu["content"]["!a"]["m.read"].as_object()?.len()));
        assert_eq!(counts.collect::<Vec<_>>(), [100, 20]);
    }

    fn change(pos: i64, user: &str, device: Option<&str>) -> KeyChange {
        KeyChange {
            pos,
            of: (user.into(), device.map(Into::into)),
            edus: vec![pos.to_string().into()],
        }
    }

    #[test]
    fn the_devices_of_a_user_stay_together() {
        let mut edus = PendingEdus::default();
        let list = |count| (0..count).map(|number: i64| number.to_string().into());
        for (pos, user) in [(1, "@u"), (2, "@v"), (3, "@w")] {
            edus.push_change(KeyChange::of_list(pos, user, list(40).collect()));
        }
        edus.push_change(change(4, "@u", None));
        edus.push_change(change(5, "@u", Some("A")));
        for (first, count) in [(1, 80), (3, 42)] {
            let taken = edus.take();
            assert_eq!((taken.from, taken.edus.len()), (Some(first), count));
        }
        assert!(edus.is_empty());
    }

    #[test]
    fn the_last_change_of_each_device_comes_before_the_messages() {
        let mut edus = PendingEdus::default();
        for (pos, message) in [(1, 9), (2, 8)] {
            edus.push_message(Message {
                place: Place { pos, message },
                edu: format!("{message}").into(),
            });
        }
        edus.push_change(change(3, "@u", Some("A")));
        edus.push_change(change(4, "@u", Some("B")));
        edus.push_change(change(5, "@u", Some("A")));
        edus.push_change(change(6, "@u", None));
        assert_eq!((edus.first_position(), edus.durable()), (Some(1), 5));
        let taken = edus.take();
        let places: Vec<_> = taken.messages.iter().map(|place| place.message).collect();
        assert_eq!((taken.from, places), (Some(1), vec![9, 8]));
        assert_eq!(taken.edus, ["4", "5", "6", "9", "8"]);
        assert!(edus.is_empty() && edus.message_bytes() == 0);
    }

    #[test]
    fn long_messages_are_sent_by_several_transactions() {
        let mut edus = PendingEdus::default();
        for message in 0..40 {
            edus.push_message(Message {
                place: Place {
                    pos: message + 1,
                    message,
                },
                edu: "x".repeat(65_536).into(),
            });
        }
        assert_eq!(edus.message_bytes(), 40 * 65_536);
        let counts: Vec<_> = std::iter::from_fn(|| {
            let taken = edus.take();
            (!taken.edus.is_empty()).then_some((taken.from, taken.edus.len()))
        })
        .collect();
        assert_eq!(counts, [(Some(1), 16), (Some(17), 16), (Some(33), 8)]);
    }

    #[test]
    fn what_passes_is_dropped_and_receipts_stay() {
        let mut edus = PendingEdus::default();
        edus.push_typing("!a".into(), "@u".into(), true);
        edus.push_presence(EduPresence {
            user_id: "@u".to_owned(),
            presence: "online".to_owned(),
            status_msg: None,
            last_active_ago: 0,
            currently_active: true,
        });
        edus.push_receipt(receipt(1, "!a", "@u", None));
        edus.drop_passing();
        assert_eq!(edus.take().edus.len(), 1);
    }
}
