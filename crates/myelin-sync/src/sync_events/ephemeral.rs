//! What is told of a room besides its events: who types there, and who has read up to where.
//!
//! A room that comes whole brings the receipts nearest to its end and the user's own, at most 100
//! of each: a client shows receipts beside the messages that it has, and a large room has more
//! receipts than messages worth showing. From then on every change is told.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write,
};

use myelin_store::{
    Read, StoreResult,
    receipts::{self, Receipt},
};
use ruma::RoomId;

use super::{news::News, poll::Poll, state::Known};
use crate::{StreamToken, Syncs, filter::EventFilter, render::quoted};

/// Most receipts of others, and most of the user's own, with a room that comes whole.
const RECEIPTS_MAX: i64 = 100;
/// Most receipts in one query.
const CHUNK: usize = 500;

const TYPING: &str = "m.typing";
const RECEIPT: &str = "m.receipt";

/// Who types, in the rooms of which that is to be told.
#[derive(Debug, Default)]
pub(super) struct TypingNews {
    pub(super) rooms: BTreeMap<i64, Vec<i64>>,
    /// The part of the token that belongs to typing.
    pub(super) next: i64,
}

impl Syncs {
    /// Who types, where it has changed since the token or the user has entered the room. Rooms of
    /// which there is nothing else to tell are added to the news.
    pub(super) async fn typing_news(
        &self,
        (user, filter): (i64, &EventFilter),
        since: StreamToken,
        news: &mut News,
    ) -> StoreResult<TypingNews> {
        if !filter.allows_type(TYPING) {
            return Ok(TypingNews::default());
        }
        let live = self.store.live();
        let changed: HashSet<i64> = news.own.keys().copied().collect();
        // Before what is new: what ends in between is new then.
        let whole = if changed.is_empty() {
            Vec::new()
        } else {
            live.typing_since(0, &changed).rooms
        };
        let watch = self.watch(user).await?;
        let found = watch.with_rooms(|rooms, _| live.typing_since(since.typing, rooms));
        for (room, _) in &found.rooms {
            news.rooms.entry(*room).or_default();
        }
        Ok(TypingNews {
            rooms: whole.into_iter().chain(found.rooms).collect(),
            next: found.next,
        })
    }

    /// Who types in the user's rooms, for a client that knows nothing.
    pub(super) async fn typing_now(
        &self,
        user: i64,
        filter: &EventFilter,
    ) -> StoreResult<TypingNews> {
        let nothing = StreamToken::at(0);
        self.typing_news((user, filter), nothing, &mut News::default())
            .await
    }

    /// Typing and receipts of a room as a list of events in JSON, without its brackets: what is
    /// new, by the numbers of the receipts, or what comes with a whole room.
    pub(super) async fn ephemeral(
        &self,
        poll: &Poll,
        read: &mut Read,
        (room, room_id): (i64, &RoomId),
        (known, new): (Known, &[i64]),
    ) -> StoreResult<String> {
        let filter = &poll.request.filter.room.ephemeral;
        let mut out = String::new();
        if !filter.allows_room(room_id.as_str()) {
            return Ok(out);
        }
        if let Some(users) = poll.typing.rooms.get(&room) {
            let names = self.unignored(poll, users.iter().copied()).await?;
            let users = users.iter().filter_map(|user| names.get(user).cloned());
            // Writing to a string cannot fail.
            let _ = write!(
                out,
                r#"{{"type":"m.typing","content":{{"user_ids":[{}]}}}}"#,
                joined(users)
            );
        }
        if filter.allows_type(RECEIPT) {
            let receipts = match known {
                Known::Nothing => newest(read, room, poll.user()).await?,
                Known::All | Known::Events => listed(read, new).await?,
            };
            let users = receipts.iter().map(|receipt| receipt.key.user);
            let names = self.unignored(poll, users).await?;
            write_receipts(&mut out, &receipts, &names);
        }
        Ok(out)
    }

    /// The ids of these users as JSON strings, without those whom the user ignores.
    async fn unignored(
        &self,
        poll: &Poll,
        users: impl Iterator<Item = i64>,
    ) -> StoreResult<HashMap<i64, String>> {
        let mut users: Vec<i64> = users.collect();
        users.sort_unstable();
        users.dedup();
        let names = self.store.interned(&users).await?;
        let shown = users.into_iter().zip(names);
        let shown = shown.filter(|(_, name)| !poll.ignores(name));
        Ok(shown
            .map(|(user, name)| (user, quoted(&String::from_utf8_lossy(&name))))
            .collect())
    }
}

/// The receipts that the log calls by these numbers.
async fn listed(read: &mut Read, numbers: &[i64]) -> StoreResult<Vec<Receipt>> {
    let mut found = Vec::with_capacity(numbers.len());
    for chunk in numbers.chunks(CHUNK) {
        found.extend(receipts::list(read, chunk).await?);
    }
    Ok(found)
}

/// The receipts that come with a whole room.
async fn newest(read: &mut Read, room: i64, user: i64) -> StoreResult<Vec<Receipt>> {
    let mut found = receipts::list_newest(read, room, RECEIPTS_MAX).await?;
    found.retain(|receipt| receipt.key.user != user);
    found.extend(receipts::list_by_user(read, (room, user), RECEIPTS_MAX).await?);
    Ok(found)
}

/// Receipts for an event by their types.
type ByType<'a> = BTreeMap<&'static str, Vec<&'a Receipt>>;

/// Writes receipts, one event for each thread: in one event, a user's receipt for the whole room
/// and one for a thread could take each other's place.
fn write_receipts(out: &mut String, receipts: &[Receipt], names: &HashMap<i64, String>) {
    let mut threads: BTreeMap<Option<&str>, BTreeMap<&str, ByType<'_>>> = BTreeMap::new();
    let shown = receipts
        .iter()
        .filter(|receipt| names.contains_key(&receipt.key.user));
    for receipt in shown {
        let kind = if receipt.key.private {
            "m.read.private"
        } else {
            "m.read"
        };
        let thread = threads.entry(receipt.key.thread.as_deref()).or_default();
        let event = thread.entry(&receipt.event_id).or_default();
        event.entry(kind).or_default().push(receipt);
    }
    for events in threads.into_values() {
        if !out.is_empty() {
            out.push(',');
        }
        let events = events.into_iter().map(|(event_id, kinds)| {
            let kinds = kinds.into_iter();
            let kinds = kinds.map(|(kind, receipts)| of_kind(kind, &receipts, names));
            format!("{}:{{{}}}", quoted(event_id), joined(kinds))
        });
        let _ = write!(
            out,
            r#"{{"type":"m.receipt","content":{{{}}}}}"#,
            joined(events)
        );
    }
}

/// The receipts of one type for one event.
fn of_kind(kind: &str, receipts: &[&Receipt], names: &HashMap<i64, String>) -> String {
    let users = receipts.iter().filter_map(|receipt| {
        let name = names.get(&receipt.key.user)?;
        let thread = receipt.key.thread.as_deref();
        let thread = thread.map(|thread| format!(r#","thread_id":{}"#, quoted(thread)));
        let thread = thread.unwrap_or_default();
        Some(format!(r#"{name}:{{"ts":{}{thread}}}"#, receipt.ts_ms))
    });
    format!("\"{kind}\":{{{}}}", joined(users))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}
