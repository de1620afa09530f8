//! What policy servers have answered, and which of them do not answer.

use std::{collections::HashMap, sync::Arc};

use myelin_core::event::{Event, PolicyServer};
use parking_lot::Mutex;
use ruma::{OwnedEventId, OwnedServerName};
use tokio::sync::OnceCell;

use super::PolicyError;

/// The most answers that a node remembers; more are forgotten together. What is stored with its
/// signature, or as refused, is not asked about again either way.
const ANSWERS_MAX: usize = 4_096;
/// The most rooms and servers that a node remembers.
const NAMES_MAX: usize = 4_096;
/// A policy server that did not answer is not asked about events of other servers for so long:
/// each of them would wait as long as the first.
const SILENT_MS: i64 = 10_000;

/// The signature.
type Answer = Result<String, PolicyError>;
type Question = (OwnedEventId, PolicyServer);

/// What a node knows of policy servers; all of it can be lost.
#[derive(Default)]
pub(crate) struct PolicyServers {
    answers: Mutex<HashMap<Question, Arc<OnceCell<Answer>>>>,
    /// Until when servers that did not answer are left alone.
    silent_until_ms: Mutex<HashMap<OwnedServerName, i64>>,
    /// The policy servers that rooms were last seen to use.
    used: Mutex<HashMap<i64, PolicyServer>>,
}

impl PolicyServers {
    /// The answer to a question, which is put by whoever comes first: `asked` is it.
    pub(super) async fn answer(
        &self,
        (policy, event): (&PolicyServer, &Event),
        asked: impl Future<Output = Answer>,
    ) -> Answer {
        let question = (event.event_id.clone(), policy.clone());
        let cell = {
            let mut answers = self.answers.lock();
            if answers.len() >= ANSWERS_MAX && !answers.contains_key(&question) {
                answers.clear();
            }
            Arc::clone(answers.entry(question.clone()).or_default())
        };
        let answer = cell.get_or_init(|| asked).await.clone();
        if answer.as_ref().is_err_and(is_passing) {
            let mut answers = self.answers.lock();
            // Another may have put the question anew.
            if answers
                .get(&question)
                .is_some_and(|kept| Arc::ptr_eq(kept, &cell))
            {
                answers.remove(&question);
            }
        }
        answer
    }

    /// Remembers whether a policy server answers.
    pub(super) fn heard(&self, policy: &PolicyServer, answer: &Answer, now_ms: i64) {
        if matches!(answer, Err(PolicyError::Silent { .. })) {
            self.is_slow(policy, now_ms);
        } else {
            self.silent_until_ms.lock().remove(&policy.via);
        }
    }

    /// Leaves a policy server alone for a while.
    pub(super) fn is_slow(&self, policy: &PolicyServer, now_ms: i64) {
        let mut silent = self.silent_until_ms.lock();
        if silent.len() >= NAMES_MAX {
            silent.clear();
        }
        silent.insert(policy.via.clone(), now_ms + SILENT_MS);
    }

    /// Why a policy server is not asked about the events of other servers now.
    pub(super) fn silence(&self, policy: &PolicyServer, now_ms: i64) -> Option<PolicyError> {
        let silent = self.silent_until_ms.lock();
        let until_ms = silent.get(&policy.via).copied();
        until_ms
            .filter(|until_ms| now_ms < *until_ms)
            .map(|_| PolicyError::Silent {
                server: policy.via.to_string(),
                reason: "it has just not answered".to_owned(),
            })
    }

    /// Remembers which policy server a room uses.
    pub(super) fn note(&self, room: i64, policy: Option<&PolicyServer>) {
        let mut used = self.used.lock();
        match policy {
            Some(policy) => {
                if used.len() >= NAMES_MAX && !used.contains_key(&room) {
                    used.clear();
                }
                used.insert(room, policy.clone());
            }
            None => {
                used.remove(&room);
            }
        }
    }

    /// The policy server that a room was last seen to use here.
    pub(super) fn last_used(&self, room: i64) -> Option<PolicyServer> {
        self.used.lock().get(&room).cloned()
    }
}

/// Whether another attempt may be answered otherwise.
fn is_passing(error: &PolicyError) -> bool {
    match error {
        PolicyError::Silent { .. } => true,
        PolicyError::Refused { status, .. } => *status == 429,
        PolicyError::Unusable { .. } => false,
    }
}
