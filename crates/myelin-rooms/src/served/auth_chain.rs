//! The auth chain of events: what they refer to in `auth_events`, and what that refers to.

use std::collections::BTreeSet;

use myelin_store::{Read, StoreResult, events};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Rooms;

/// Events that are loaded together.
const CHUNK: usize = 500;

impl Rooms {
    /// The numbers of the events of a room that vouch for these, these excepted. Cost: the size of
    /// both.
    pub(super) async fn auth_chain(
        &self,
        read: &mut Read,
        room: i64,
        of: &[i64],
    ) -> StoreResult<Vec<i64>> {
        let mut chain = self.whole_auth_chain(read, room, of).await?;
        for number in of {
            chain.remove(number);
        }
        Ok(chain.into_iter().collect())
    }

    /// The same with those of them that vouch for others of them.
    pub(crate) async fn whole_auth_chain(
        &self,
        read: &mut Read,
        room: i64,
        of: &[i64],
    ) -> StoreResult<BTreeSet<i64>> {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut chain = BTreeSet::new();
        let mut next: Vec<i64> = of.to_vec();
        let given: BTreeSet<i64> = of.iter().copied().collect();
        while !next.is_empty() {
            let mut wanted = Vec::new();
            for chunk in next.chunks(CHUNK) {
                let loaded = events::list(read, chunk).await?;
                let cited = loaded.iter().flat_map(|event| auth_events(&event.json));
                wanted.extend(cited.filter(|id| seen.insert(id.clone())));
            }
            next.clear();
            for chunk in wanted.chunks(CHUNK) {
                let ids: Vec<&str> = chunk.iter().map(String::as_str).collect();
                let loaded = events::list_by_ids(read, &ids).await?;
                let in_room = loaded.iter().filter(|event| event.room == room);
                let new = in_room
                    .map(|event| event.event)
                    .filter(|number| chain.insert(*number));
                // What those cite that were given is known already.
                next.extend(new.filter(|number| !given.contains(number)));
            }
        }
        Ok(chain)
    }
}

/// The ids in `auth_events`.
fn auth_events(json: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Citing<'a> {
        #[serde(borrow)]
        auth_events: Vec<&'a RawValue>,
    }
    let citing: Option<Citing<'_>> = serde_json::from_str(json).ok();
    ids_in(citing.map(|citing| citing.auth_events).unwrap_or_default())
}

/// Event ids; room versions 1 and 2 write each as a pair with its hashes.
pub(super) fn ids_in(references: Vec<&RawValue>) -> Vec<String> {
    let id = |reference: &RawValue| {
        let text = reference.get();
        let pair = || {
            let pair: Option<(String, serde::de::IgnoredAny)> = serde_json::from_str(text).ok();
            pair.map(|(id, _)| id)
        };
        serde_json::from_str(text).ok().or_else(pair)
    };
    references.into_iter().filter_map(id).collect()
}
