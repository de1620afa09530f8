//! What a server is told of a room that one of its users has joined.

use bytes::Bytes;
use myelin_core::event::Event;
use myelin_store::{
    Read, StoreError, StoreResult,
    events::{self, StoredEvent},
};

use super::HandshakeError;
use crate::Rooms;

/// The state of a room before an event, and what vouches for it, by number.
#[derive(Clone, Debug, Default)]
pub struct JoinAnswer {
    /// The numbers of the events of the state.
    pub state: Vec<i64>,
    /// The numbers of the events that vouch for them, and for the join.
    pub auth_chain: Vec<i64>,
}

impl Rooms {
    /// The state before an event that was taken into its room, with all that vouches for it.
    /// Cost: the size of the state.
    pub async fn join_answer(&self, join: &Event) -> Result<JoinAnswer, HandshakeError> {
        let mut read = self.store.read();
        let missing = StoreError::Missing { table: "events" };
        let number = events::find_number(&mut read, join.event_id.as_str()).await?;
        let stored = events::find(&mut read, number.ok_or(missing)?).await?;
        let stored = stored.ok_or(StoreError::Missing { table: "events" })?;
        let at = (stored.room, &stored.root_before);
        let state = self.state_entries(&mut read, at).await?;
        let state: Vec<i64> = state.into_iter().map(|(_, number)| number).collect();
        let mut of = state.clone();
        of.push(stored.event);
        let auth_chain = self.whole_auth_chain(&mut read, stored.room, &of).await?;
        Ok(JoinAnswer {
            state,
            auth_chain: auth_chain.into_iter().collect(),
        })
    }

    /// The JSON of events as servers send them to each other, separated by commas.
    pub async fn pdus(&self, numbers: &[i64]) -> StoreResult<String> {
        let mut read = self.store.read();
        let events = self.events_in_order(&mut read, numbers).await?;
        let pdus: Vec<&str> = events.iter().map(|event| &*event.json).collect();
        Ok(pdus.join(","))
    }

    /// What is told of a room to a user who has knocked at it, as servers send events to each other.
    pub async fn knock_state(&self, knock: &Event) -> Result<Vec<String>, HandshakeError> {
        let mut read = self.store.read();
        let number = events::find_number(&mut read, knock.event_id.as_str()).await?;
        let number = number.ok_or(StoreError::Missing { table: "events" })?;
        let stored = events::find(&mut read, number).await?;
        let stored = stored.ok_or(StoreError::Missing { table: "events" })?;
        let at = (stored.room, &stored.root_before);
        let told = self.told_state(&mut read, at).await?;
        Ok(told.into_iter().map(|event| event.json).collect())
    }

    /// What strangers are told of a room, at a root: the create event first.
    pub(crate) async fn told_state(
        &self,
        read: &mut Read,
        (room, root): (i64, &Bytes),
    ) -> StoreResult<Vec<StoredEvent>> {
        let keys = crate::state::TOLD.map(|event_type| myelin_core::trie::StateKey {
            event_type,
            state_key: myelin_store::EMPTY_STRING,
        });
        let numbers = self.state_numbers(read, (room, root), &keys).await?;
        let numbers: Vec<i64> = numbers.into_iter().flatten().collect();
        self.events_in_order(read, &numbers).await
    }
}
