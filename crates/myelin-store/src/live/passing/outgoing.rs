//! What passes and concerns other servers: who types, and which of them was heard of.

use super::{HEARD_EVERY_MS, HEARD_MAX, Live, Notice};

impl Live {
    /// Another server has made a request, so that it can be reached again if it could not be. The
    /// other nodes are told of each server once in a few seconds.
    pub fn note_heard(&self, now_ms: i64, server: i64) {
        if self.passing.outbox.is_some() {
            let mut state = self.passing.state.lock();
            let told_ms = state.heard_ms.get(&server);
            if told_ms.is_some_and(|told_ms| now_ms - told_ms < HEARD_EVERY_MS) {
                return;
            }
            if state.heard_ms.len() >= HEARD_MAX {
                state.heard_ms.clear();
            }
            state.heard_ms.insert(server, now_ms);
        }
        self.tell(now_ms, Notice::Heard(server));
    }

    /// The servers that were heard of since the last call.
    pub fn take_heard(&self) -> Vec<i64> {
        let heard = std::mem::take(&mut self.passing.state.lock().heard);
        heard.into_iter().collect()
    }

    /// Who types in which room, in the order of rooms and users.
    pub fn typing_now(&self) -> Vec<(i64, i64)> {
        self.passing.state.lock().typing.now()
    }

    /// Waits until somebody has begun to type or ended, or a server was heard of, since the last
    /// call. For one caller.
    pub async fn stirred(&self) {
        self.passing.stirred.notified().await;
    }

    pub(super) fn stir(&self, has_typing_changed: bool) {
        if has_typing_changed || !self.passing.state.lock().heard.is_empty() {
            self.passing.stirred.notify_one();
        }
    }
}
