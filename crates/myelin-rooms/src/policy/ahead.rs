//! Asking about many events of a room at once, before each is received.

use std::time::Duration;

use myelin_core::event::{Event, PolicyServer, is_exempt_from_policy};
use myelin_store::{
    StoreResult,
    events::{self, Status},
};
use ruma::RoomVersionId;
use tokio::{task::JoinSet, time::timeout};

use super::{RECEIVED_WITHIN, has_signed};
use crate::Rooms;

/// Events that a policy server is asked about at once.
const AT_ONCE: usize = 16;
/// How long that may take for all of them; a policy server that is slower is left alone.
const ALL_WITHIN: Duration = Duration::from_secs(5);

impl Rooms {
    /// Lets the policy server of a room, if one was seen there, sign those of these events that it
    /// has not signed. A batch of them then takes little longer than one, so a slow policy server
    /// does not keep other rooms from being worked on. What is answered is found by whoever
    /// receives the events. False: it is not known yet whether the room uses a policy server.
    pub(crate) async fn ask_ahead(
        &self,
        (room, version): (i64, &RoomVersionId),
        received: impl IntoIterator<Item = &Event>,
    ) -> StoreResult<bool> {
        let Some(policy) = self.policy.last_used(room) else {
            return Ok(false);
        };
        let is_unsigned = |event: &&Event| {
            !is_exempt_from_policy(event.type_str(), event.state_key.as_deref())
                && !has_signed(&policy, event, version)
        };
        let mut unsigned: Vec<Event> = received.into_iter().filter(is_unsigned).cloned().collect();
        if unsigned.len() < 2 || self.policy.silence(&policy, self.now_ms()).is_some() {
            return Ok(true);
        }
        // What was received before will not be looked at again.
        let ids: Vec<&str> = unsigned
            .iter()
            .map(|event| event.event_id.as_str())
            .collect();
        let known = events::list_by_ids(&mut self.store.read(), &ids).await?;
        let is_done = |event: &Event| {
            let known = known
                .iter()
                .find(|known| event.event_id.as_str() == known.id);
            known.is_some_and(|known| known.status != Status::Outlier)
        };
        unsigned.retain(|event| !is_done(event));
        let all = self.ask_all((&policy, version), unsigned);
        if timeout(ALL_WITHIN, all).await.is_err() {
            self.policy.is_slow(&policy, self.now_ms());
        }
        Ok(true)
    }

    async fn ask_all(
        &self,
        (policy, version): (&PolicyServer, &RoomVersionId),
        unsigned: Vec<Event>,
    ) {
        let mut asked = JoinSet::new();
        for event in unsigned {
            if asked.len() >= AT_ONCE {
                asked.join_next().await;
            }
            let (rooms, policy, version) = (self.clone(), policy.clone(), version.clone());
            asked.spawn(async move { rooms.ask_early((&policy, &version), &event).await });
        }
        while asked.join_next().await.is_some() {}
    }

    /// Asks about one event. The answer is remembered.
    async fn ask_early(&self, policy: (&PolicyServer, &RoomVersionId), event: &Event) {
        let signed = self.ask_policy_server(policy, event, RECEIVED_WITHIN);
        if let Err(error) = signed.await {
            tracing::debug!(event_id = %event.event_id, %error, "asked in vain");
        }
    }
}
