//! What nodes tell each other of things that are not logged, and how it is written down.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{presence::PresenceUpdate, typing::TypingUser};

/// Most bytes of notices in one message: PostgreSQL takes 8,000.
const MESSAGE_BYTES: usize = 7_000;
/// Most notices that wait while the database is away. What is lost then is told again by clients.
const WAITING_MAX: usize = 20_000;

/// One thing that a node tells all nodes, itself included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Notice {
    /// A user types, or no longer does: room, user, until.
    #[serde(rename = "t")]
    Typing(i64, i64, i64),
    /// A user's presence.
    #[serde(rename = "p")]
    Presence(PresenceUpdate),
    /// Another server has made a request.
    #[serde(rename = "s")]
    Heard(i64),
    /// A node has begun to listen: all others tell it what they know.
    #[serde(rename = "h")]
    Hello,
}

/// Of several notices with one key the last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NoticeKey {
    Hello,
    Heard(i64),
    Typing(i64, i64),
    Presence(i64, Option<u64>),
}

impl Notice {
    pub(super) fn typing(typing: TypingUser) -> Self {
        Self::Typing(typing.room, typing.user, typing.until_ms)
    }

    fn key(&self) -> NoticeKey {
        match self {
            Self::Hello => NoticeKey::Hello,
            Self::Heard(server) => NoticeKey::Heard(*server),
            Self::Typing(room, user, _) => NoticeKey::Typing(*room, *user),
            Self::Presence(update) => {
                NoticeKey::Presence(update.user, update.lease.map(|lease| lease.device))
            }
        }
    }
}

/// The notices of a message. One that this version does not know is passed over.
pub(super) fn read(message: &str) -> Vec<Notice> {
    let lines = message.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Notices that the other nodes have not been told yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Mutex<BTreeMap<NoticeKey, Notice>>,
    filled: Notify,
}

impl Outbox {
    pub(super) fn push(&self, notice: Notice) {
        let mut waiting = self.waiting.lock();
        let key = notice.key();
        let notice = match (notice, waiting.remove(&key)) {
            (Notice::Presence(update), Some(Notice::Presence(earlier))) => {
                Notice::Presence(update.after(earlier))
            }
            (notice, _) => notice,
        };
        if waiting.len() < WAITING_MAX {
            waiting.insert(key, notice);
        }
        self.filled.notify_one();
    }

    /// Waits for notices, and takes as many as one message holds.
    pub(super) async fn next_message(&self) -> String {
        loop {
            let message = self.take();
            if !message.is_empty() {
                return message;
            }
            self.filled.notified().await;
        }
    }

    fn take(&self) -> String {
        let mut waiting = self.waiting.lock();
        let mut message = String::new();
        while let Some(first) = waiting.first_entry() {
            let line = serde_json::to_string(first.get()).unwrap_or_default();
            if !message.is_empty() && message.len() + line.len() >= MESSAGE_BYTES {
                break;
            }
            first.remove();
            if line.len() < MESSAGE_BYTES {
                message.push_str(&line);
                message.push('\n');
            }
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_of_each_key_is_sent_in_messages_of_bounded_size() {
        let outbox = Outbox::default();
        let mut wanted = Vec::new();
        for room in 0..2_000 {
            outbox.push(Notice::Typing(room, 7, 1));
            outbox.push(Notice::Typing(room, 7, 2));
            wanted.push(Notice::Typing(room, 7, 2));
        }
        let mut found = Vec::new();
        while found.len() < wanted.len() {
            let message = outbox.next_message().await;
            assert!(message.len() <= MESSAGE_BYTES);
            found.extend(read(&message));
        }
        assert_eq!(found, wanted);
        assert!(outbox.take().is_empty());
    }

    #[test]
    fn a_merged_update_keeps_what_the_earlier_one_said() {
        let outbox = Outbox::default();
        let status = PresenceUpdate {
            active_ms: 5,
            status: Some("away".to_owned()),
            ..PresenceUpdate::look(7, 5)
        };
        outbox.push(Notice::Presence(status.clone()));
        outbox.push(Notice::Presence(PresenceUpdate::look(7, 6)));
        let merged = PresenceUpdate { at_ms: 6, ..status };
        assert_eq!(read(&outbox.take()), [Notice::Presence(merged)]);
    }

    #[test]
    fn what_a_newer_version_says_is_passed_over() {
        let message = "{\"t\":[1,2,3]}\n{\"new\":1}\nnonsense\n\"h\"\n";
        assert_eq!(read(message), [Notice::Typing(1, 2, 3), Notice::Hello]);
    }
}
