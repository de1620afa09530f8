//! Ephemeral messages that wait for one server: of several about the same thing the last counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use myelin_rooms::{EduPresence, EduReceipt, EduReceiptData, TypingEdu};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Most EDUs of one transaction (spec: "Transactions").
pub(crate) const EDUS_MAX: usize = 100;
/// Most users of one presence EDU.
const USERS_MAX: usize = 50;
/// Most receipts of one EDU: it stays far below what any server takes.
const RECEIPTS_MAX: usize = 100;

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
    /// The positions of the receipts.
    positions: BTreeSet<i64>,
}

/// What was taken for one transaction.
#[derive(Debug, Default)]
pub(crate) struct TakenEdus {
    pub(crate) edus: Vec<String>,
    /// The lowest position of a receipt in it.
    pub(crate) from: Option<i64>,
}

impl PendingEdus {
    pub(crate) fn is_empty(&self) -> bool {
        self.receipts.is_empty() && self.typing.is_empty() && self.presence.is_empty()
    }

    /// The lowest position of a receipt that waits.
    pub(crate) fn first_position(&self) -> Option<i64> {
        self.positions.first().copied()
    }

    /// How many receipts wait.
    pub(crate) fn receipts(&self) -> usize {
        self.positions.len()
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
            let from = taken.from.map_or(receipt.pos, |from| from.min(receipt.pos));
            taken.from = Some(from);
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
        assert_eq!((edus.first_position(), edus.receipts()), (Some(5), 2));
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
