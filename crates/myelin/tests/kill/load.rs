//! Clients that send until they are told to stop or their server is gone.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use myelin_blackbox::User;

use crate::{observer::Observer, reading::is_unavailable};

/// Far more than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);

/// One message, and the event id if the server has acknowledged it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) user: usize,
    pub(crate) room: usize,
    pub(crate) txn_id: String,
    pub(crate) text: String,
    pub(crate) event_id: Option<String>,
}

/// What the clients and those who steer them tell each other.
#[derive(Default)]
pub(crate) struct Load {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    acknowledged: usize,
    /// The server is about to be killed, so a broken connection is no surprise.
    is_doomed: bool,
    is_database_back: bool,
    is_over: bool,
}

impl Load {
    /// The messages of one client, one after the other: the next one is sent when the one before
    /// is acknowledged. Ends with one that was not if the server is gone.
    pub(crate) fn send(
        &self,
        user: &mut User,
        index: usize,
        round: u32,
        rooms: &[String],
    ) -> Vec<Sent> {
        let mut all = Vec::new();
        for number in 0.. {
            if self.state().is_over {
                break;
            }
            // Most go to one room, where they meet.
            let room = usize::from(number % 4 == 3);
            let text = format!("{round} {index} {number}");
            let sent = Sent {
                user: index,
                room,
                txn_id: text.replace(' ', "-"),
                text,
                event_id: None,
            };
            let sent = self.send_one(user, &rooms[room], sent);
            let is_last = sent.event_id.is_none();
            all.push(sent);
            if is_last {
                break;
            }
        }
        all
    }

    fn send_one(&self, user: &mut User, room_id: &str, mut sent: Sent) -> Sent {
        loop {
            let answer = match user.send(room_id, &sent.txn_id, &sent.text) {
                Ok(answer) => answer,
                Err(error) => {
                    assert!(self.state().is_doomed, "the connection broke: {error}");
                    return sent;
                }
            };
            if answer.status != 503 {
                let answer = answer.expect_ok(&sent.text);
                sent.event_id = answer["event_id"].as_str().map(str::to_owned);
                assert!(sent.event_id.is_some(), "{answer}");
                self.state().acknowledged += 1;
                self.changed.notify_all();
                return sent;
            }
            assert!(answer.retry_after.is_some(), "503 without Retry-After");
            if !self.wait_for_database() {
                return sent;
            }
        }
    }

    /// Returns true when it is worth trying again, false if that is the next process's business.
    fn wait_for_database(&self) -> bool {
        let state = self.state();
        let state = if state.is_database_back {
            // The server may notice later than we.
            self.changed.wait_timeout(state, PAUSE).unwrap().0
        } else {
            let waiting =
                |state: &mut State| !(state.is_database_back || state.is_doomed || state.is_over);
            let waited = self.changed.wait_timeout_while(state, PATIENCE, waiting);
            let (state, outcome) = waited.unwrap();
            assert!(!outcome.timed_out(), "503 without a reason");
            state
        };
        !(state.is_doomed || state.is_over)
    }

    /// Follows the syncs until the load is over or the server is gone.
    pub(crate) fn observe(&self, observer: &mut Observer) {
        while !self.state().is_over {
            let Err(error) = observer.step(100) else {
                continue;
            };
            let state = self.state();
            if state.is_doomed {
                return;
            }
            assert!(is_unavailable(&error), "a sync failed: {error}");
            drop(self.changed.wait_timeout(state, PAUSE).unwrap());
        }
    }

    /// Ends everything when what it returns is dropped, and so in a panic, too, which would wait
    /// for the clients in vain otherwise.
    pub(crate) fn end_when_dropped(&self) -> impl Drop {
        End(self)
    }

    /// Waits until so many more messages are acknowledged.
    pub(crate) fn wait_for_more(&self, messages: usize) {
        let state = self.state();
        let enough = state.acknowledged + messages;
        let (state, outcome) = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.acknowledged < enough)
            .unwrap();
        drop(state);
        assert!(!outcome.timed_out(), "the clients do not get on");
    }

    pub(crate) fn doom(&self) {
        self.change(|state| state.is_doomed = true);
    }

    pub(crate) fn database_is_back(&self) {
        self.change(|state| state.is_database_back = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct End<'a>(&'a Load);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.is_over = true);
    }
}
