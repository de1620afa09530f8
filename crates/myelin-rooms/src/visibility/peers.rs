//! What another server may see of a room: what one of its users could.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use myelin_core::{
    membership::Membership,
    trie::{Lookup, StateKey, TYPE_HISTORY_VISIBILITY, TYPE_MEMBER, Together},
};
use myelin_store::{
    EMPTY_STRING, Read, StoreResult,
    events::{Status, StoredEvent},
    memberships,
};

use super::moments::{HistoryVisibility, membership_of_event};
use crate::{
    PeerView, Rooms,
    state::{corrupt, parse},
};

/// Users of one server who are looked at; those joined now come first.
const USERS_MAX: i64 = 1_000;
/// How many of them are looked up together.
const USERS_CHUNK: usize = 50;

impl Rooms {
    /// Whether the server may see each of these events, in their order. Events whose place in the
    /// room is not known are not shown to anybody.
    ///
    /// Cost: the way to the visibility in each state before one of them. Where that is not for all
    /// members, also the members of the room, once, and the ways to the server's users.
    pub(crate) async fn server_sees(
        &self,
        read: &mut Read,
        view: &mut PeerView,
        events: &[StoredEvent],
    ) -> StoreResult<Vec<bool>> {
        let has_place = |event: &StoredEvent| event.status != Status::Outlier;
        let placed = events.iter().filter(|event| has_place(event));
        let roots: BTreeSet<&Bytes> = placed.map(|event| &event.root_before).collect();
        let roots: Vec<&Bytes> = roots.into_iter().collect();
        let visibilities = self.visibilities(read, view.row.room, &roots).await?;
        let closed: Vec<(&Bytes, HistoryVisibility)> = roots
            .into_iter()
            .zip(visibilities)
            .filter(|(_, visibility)| {
                let closed = [HistoryVisibility::Joined, HistoryVisibility::Invited];
                closed.contains(visibility)
            })
            .collect();
        let hidden = self.hidden_roots(read, view, closed).await?;
        let server = format!(":{}", view.server);
        let mut seen = Vec::with_capacity(events.len());
        for event in events {
            let is_about = |user: i64| view.users.as_ref().is_some_and(|all| all.contains(&user));
            let is_own = event.event_type == TYPE_MEMBER && event.state_key.is_some_and(is_about);
            let opens = event.event_type == TYPE_HISTORY_VISIBILITY
                && event.state_key == Some(EMPTY_STRING)
                && is_open(HistoryVisibility::of_event(&event.json));
            let is_sender = || sender_ends_with(&event.json, &server);
            let is_shown = !hidden.contains(&event.root_before) || is_own || opens || is_sender();
            seen.push(has_place(event) && is_shown);
        }
        Ok(seen)
    }

    /// Whether the server had joined users in one of these states.
    ///
    /// Cost: the members of the room that are the server's, and the ways to them.
    pub(crate) async fn had_users_in(
        &self,
        read: &mut Read,
        view: &mut PeerView,
        roots: &[&Bytes],
    ) -> StoreResult<bool> {
        let joined = roots.iter().map(|root| (*root, HistoryVisibility::Joined));
        let hidden = self.hidden_roots(read, view, joined.collect()).await?;
        Ok(roots.iter().any(|root| !hidden.contains(*root)))
    }

    async fn visibilities(
        &self,
        read: &mut Read,
        room: i64,
        roots: &[&Bytes],
    ) -> StoreResult<Vec<HistoryVisibility>> {
        let key = StateKey {
            event_type: TYPE_HISTORY_VISIBILITY,
            state_key: EMPTY_STRING,
        };
        let mut lookups = Vec::with_capacity(roots.len());
        for root in roots {
            let lookup = Lookup::new(parse(root)?, &[key]);
            lookups.push(lookup.map_err(|error| corrupt(&error))?);
        }
        let found = self.walk(read, room, Together::new(lookups)).await?;
        let numbers: Vec<Option<i64>> = found
            .iter()
            .map(|found| found.first().copied().flatten())
            .collect();
        let unique: BTreeSet<i64> = numbers.iter().flatten().copied().collect();
        let unique: Vec<i64> = unique.into_iter().collect();
        let events = self.events_in_order(read, &unique).await?;
        let known: HashMap<i64, HistoryVisibility> = events
            .iter()
            .map(|event| (event.event, HistoryVisibility::of_event(&event.json)))
            .collect();
        let visibility =
            |number: Option<i64>| number.and_then(|number| known.get(&number).copied());
        let each = numbers.into_iter().map(visibility);
        Ok(each.map(Option::unwrap_or_default).collect())
    }

    /// The roots of those states in which the server had nobody who could see.
    async fn hidden_roots(
        &self,
        read: &mut Read,
        view: &mut PeerView,
        mut closed: Vec<(&Bytes, HistoryVisibility)>,
    ) -> StoreResult<BTreeSet<Bytes>> {
        if closed.is_empty() {
            return Ok(BTreeSet::new());
        }
        let room = view.row.room;
        if view.users.is_none() {
            let server = view.server.as_str();
            let found = memberships::list_users_of_server(read, room, server, USERS_MAX).await?;
            view.users = Some(found);
        }
        let users = view.users.clone().unwrap_or_default();
        for chunk in users.chunks(USERS_CHUNK) {
            let keys: Vec<StateKey> = chunk
                .iter()
                .map(|user| StateKey {
                    event_type: TYPE_MEMBER,
                    state_key: *user,
                })
                .collect();
            let mut lookups = Vec::with_capacity(closed.len());
            for (root, _) in &closed {
                let lookup = Lookup::new(parse(root)?, &keys);
                lookups.push(lookup.map_err(|error| corrupt(&error))?);
            }
            let found = self.walk(read, room, Together::new(lookups)).await?;
            let memberships = self.memberships_of(read, &found).await?;
            let of = |number: Option<i64>| memberships.get(&number?).copied();
            let left = closed.into_iter().zip(found);
            let left = left.filter(|((_, visibility), members)| {
                let mut members = members.iter().map(|number| of(*number));
                !members.any(|membership| lets_see(*visibility, membership))
            });
            closed = left.map(|(place, _)| place).collect();
            if closed.is_empty() {
                break;
            }
        }
        Ok(closed.into_iter().map(|(root, _)| root.clone()).collect())
    }

    async fn memberships_of(
        &self,
        read: &mut Read,
        found: &[Vec<Option<i64>>],
    ) -> StoreResult<HashMap<i64, Membership>> {
        let numbers: BTreeSet<i64> = found.iter().flatten().flatten().copied().collect();
        let numbers: Vec<i64> = numbers.into_iter().collect();
        let events = self.events_in_order(read, &numbers).await?;
        let each = events.iter();
        Ok(each
            .map(|event| (event.event, membership_of_event(&event.json)))
            .collect())
    }
}

/// Whether a user with this membership sees what is closed to others.
fn lets_see(visibility: HistoryVisibility, membership: Option<Membership>) -> bool {
    match visibility {
        HistoryVisibility::Invited => {
            matches!(membership, Some(Membership::Join | Membership::Invite))
        }
        _ => membership == Some(Membership::Join),
    }
}

fn is_open(visibility: HistoryVisibility) -> bool {
    matches!(
        visibility,
        HistoryVisibility::Shared | HistoryVisibility::WorldReadable
    )
}

fn sender_ends_with(json: &str, server: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Sent {
        sender: String,
    }
    serde_json::from_str(json).is_ok_and(|sent: Sent| sent.sender.ends_with(server))
}
