//! What a simulated network does to the requests that it carries.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::SeededChance;

/// How long who asks waits for an answer that never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The state of a network; drawn from chance, so that one seed gives one course of things.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Where chance comes from.
    pub chance: Arc<SeededChance>,
    /// The longest way of a request or an answer, in milliseconds.
    pub latency_ms: usize,
    /// Of a thousand requests, how many are lost on their way, and as many answers.
    pub lost_of_1000: usize,
    /// Which part of a divided network a server is in; nothing passes between two parts.
    pub parts: BTreeMap<String, usize>,
}

impl Weather {
    /// A network that delays a little and loses nothing.
    pub fn calm(chance: Arc<SeededChance>) -> Self {
        Self {
            chance,
            latency_ms: 50,
            lost_of_1000: 0,
            parts: BTreeMap::new(),
        }
    }

    /// Whether the two are in parts that nothing passes between.
    pub(super) fn divides(&self, from: &str, to: &str) -> bool {
        let part = |name| self.parts.get(name).copied().unwrap_or_default();
        part(from) != part(to)
    }

    /// Lets a request or an answer travel; false if it is lost, which shows after a while.
    pub(super) async fn carry(&self) -> bool {
        let lost = self.chance.below(1000) < self.lost_of_1000;
        let way_ms = 1 + self.chance.below(self.latency_ms.max(1));
        sleep(Duration::from_millis(way_ms as u64)).await;
        if lost {
            sleep(PATIENCE).await;
        }
        !lost
    }
}
