//! The pass over the log: what is to be sent, and to whom.

use std::{collections::BTreeMap, sync::Arc};

use myelin_core::server::Server;
use myelin_rooms::Rooms;
use myelin_store::{
    LogEntry, LogKind, Store, StoreResult,
    deliveries::Delivery as Wanted,
    events::{self, StoredEvent},
    log, receipts,
    room_servers::{self, ServerChange},
    to_device,
};
use ruma::UserId;

use crate::{
    edus::{KeyChange, Message, Receipt},
    encryption, joins,
    member_events::takes_away,
    room_map::RoomMap,
    sticky,
    transaction::Pdu,
};

/// Most entries that one step takes on.
const STEP: usize = 200;
/// Entries read at once when this node's memory does not reach back far enough.
const READ: i64 = 1_000;

/// Something to be sent.
pub(crate) struct Outgoing {
    /// Its position in the log.
    pub(crate) pos: i64,
    /// What it is.
    pub(crate) item: Item,
    /// The servers that are told, this one excepted.
    pub(crate) servers: Vec<i64>,
}

/// What is sent.
pub(crate) enum Item {
    Pdu(Arc<Pdu>),
    Receipt(Receipt),
    KeyChange(KeyChange),
    Message(Message),
}

/// What the entries of a step refer to, by number.
struct Loaded {
    events: BTreeMap<i64, StoredEvent>,
    receipts: BTreeMap<i64, Receipt>,
    messages: BTreeMap<i64, Message>,
}

/// What a step of the pass has found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) outgoing: Vec<Outgoing>,
    /// Servers that an operator wants to be tried again.
    pub(crate) retries: Vec<i64>,
    /// Servers new in a room: room and server.
    pub(crate) newcomers: Vec<(i64, i64)>,
}

/// The reader of the log.
pub(crate) struct Pass {
    store: Store,
    server: Arc<Server>,
    /// The interned name of this server.
    own: i64,
    /// Everything up to here has been passed.
    pub(crate) read_to: i64,
    rooms: Rooms,
    servers: RoomMap,
    /// Whether there is any other server in any room. Until there is, nothing is read.
    pub(crate) has_others: bool,
}

impl Pass {
    pub(crate) async fn new(rooms: Rooms, cursor: i64) -> StoreResult<Self> {
        let (store, server) = (rooms.store().clone(), rooms.server().clone());
        let own = store.intern(&[server.name.as_bytes()]).await?;
        let own = own.first().copied().unwrap_or_default();
        let has_others = room_servers::exists_other(&mut store.read(), own).await?;
        Ok(Self {
            store,
            server,
            own,
            read_to: cursor,
            rooms,
            servers: RoomMap::default(),
            has_others,
        })
    }

    /// The interned name of this server.
    pub(crate) fn own(&self) -> i64 {
        self.own
    }

    /// Whether the log has more.
    pub(crate) fn has_more(&self) -> bool {
        self.store.live().position() > self.read_to
    }

    /// Passes the next entries.
    pub(crate) async fn step(&mut self) -> StoreResult<Found> {
        let (entries, read_to) = self.next().await?;
        let mut loaded = Loaded {
            events: self.events(&entries).await?,
            receipts: self.own_receipts(&entries).await?,
            messages: encryption::messages(&self.store, &entries).await?,
        };
        let mut found = Found::default();
        for entry in &entries {
            if let Some(change) = ServerChange::of(entry) {
                self.has_others = true;
                let newcomer = self.servers.pass(entry.subject, change);
                let newcomer = newcomer.map(|server| (entry.subject, server));
                found.newcomers.extend(newcomer);
            } else if let Some(Wanted::Retry(server)) = Wanted::of(entry) {
                found.retries.push(server);
            } else {
                found
                    .outgoing
                    .extend(self.outgoing(entry, &mut loaded).await?);
            }
        }
        for newcomer in &found.newcomers {
            sticky::send_to_newcomer(&self.store, &self.server, *newcomer).await?;
        }
        self.read_to = read_to;
        Ok(found)
    }

    /// What an entry wants to be sent.
    async fn outgoing(
        &mut self,
        entry: &LogEntry,
        loaded: &mut Loaded,
    ) -> StoreResult<Option<Outgoing>> {
        if let Some(Wanted::Event { event, only, .. }) = Wanted::of(entry) {
            // It may be here twice: for all, and for a server that has come.
            let Some(event) = loaded.events.get(&event).cloned() else {
                return Ok(None);
            };
            let mut outgoing = self.event(entry.pos, event).await?;
            if let Some(server) = only {
                outgoing.servers = vec![server];
            }
            return Ok(Some(outgoing));
        }
        if entry.kind == LogKind::Receipt {
            return match loaded.receipts.remove(&entry.reference) {
                Some(receipt) => self.receipt(entry, receipt).await.map(Some),
                None => Ok(None),
            };
        }
        if let Some(server) = to_device::server_of(entry) {
            let message = loaded.messages.remove(&entry.reference);
            return Ok(message.map(|message| Outgoing {
                pos: entry.pos,
                item: Item::Message(message),
                servers: vec![server],
            }));
        }
        self.key_change(entry).await
    }

    /// A change of the keys of one of our users, for those who share a room with the user now; or the
    /// devices of one who has come into a room, for those who do from now on.
    async fn key_change(&self, entry: &LogEntry) -> StoreResult<Option<Outgoing>> {
        let Some(user) = self.local_user(entry.subject).await? else {
            return Ok(None);
        };
        if joins::is_join(entry) {
            let told = joins::told(&self.rooms, (entry, &user), self.own).await?;
            return Ok(told.map(|(change, servers)| Outgoing {
                pos: entry.pos,
                item: Item::KeyChange(change),
                servers,
            }));
        }
        let mut read = self.store.read();
        let servers = room_servers::list_sharing(&mut read, entry.subject, self.own).await?;
        if servers.is_empty() {
            return Ok(None);
        }
        let change = encryption::key_change(&self.server, &self.store, (entry, &user)).await?;
        Ok(change.map(|change| Outgoing {
            pos: entry.pos,
            item: Item::KeyChange(change),
            servers,
        }))
    }

    /// The events that the entries want to be sent, by number.
    async fn events(&self, entries: &[LogEntry]) -> StoreResult<BTreeMap<i64, StoredEvent>> {
        let wanted = entries.iter().filter_map(Wanted::of);
        let numbers: Vec<i64> = wanted
            .filter_map(|wanted| match wanted {
                Wanted::Event { event, .. } => Some(event),
                Wanted::Retry(_) => None,
            })
            .collect();
        let events = events::list(&mut self.store.read(), &numbers).await?;
        Ok(events
            .into_iter()
            .map(|event| (event.event, event))
            .collect())
    }

    async fn receipt(&mut self, entry: &LogEntry, receipt: Receipt) -> StoreResult<Outgoing> {
        Ok(Outgoing {
            pos: entry.pos,
            item: Item::Receipt(receipt),
            servers: self.servers(entry.subject, entry.pos).await?,
        })
    }

    /// The other servers in a room, as of where the pass is.
    pub(crate) async fn servers(&mut self, room: i64, pos: i64) -> StoreResult<Vec<i64>> {
        let mut servers = self.servers.servers(&self.store, room, pos).await?;
        servers.retain(|server| *server != self.own);
        Ok(servers)
    }

    /// Whether a user is one of this server's, and the user's id.
    pub(crate) async fn local_user(&self, user: i64) -> StoreResult<Option<Arc<str>>> {
        let name = self.store.interned(&[user]).await?;
        let name = name.first().and_then(|name| std::str::from_utf8(name).ok());
        let is_local = |name: &&str| server_of(name) == Some(self.server.name.as_str());
        Ok(name.filter(is_local).map(Into::into))
    }

    /// An interned string, which is UTF-8.
    pub(crate) async fn name(&self, number: i64) -> StoreResult<Arc<str>> {
        let name = self.store.interned(&[number]).await?;
        let name = name.first().map(|name| String::from_utf8_lossy(name));
        Ok(name.unwrap_or_default().into())
    }

    /// The entries that tell something to be sent, and how far they reach.
    async fn next(&self) -> StoreResult<(Vec<LogEntry>, i64)> {
        let position = self.store.live().position();
        if position <= self.read_to {
            return Ok((Vec::new(), self.read_to));
        }
        let (mut taken, mut has_others) = (0, self.has_others);
        let entries = self.store.live().entries_since(self.read_to, &mut |entry| {
            let is_wanted = is_wanted(entry, &mut has_others);
            taken += usize::from(is_wanted);
            is_wanted && taken <= STEP
        });
        if let Some(entries) = entries {
            let last = entries.last().map_or(position, |entry| entry.pos);
            let read_to = if taken > STEP {
                last
            } else {
                last.max(position)
            };
            return Ok((entries, read_to));
        }
        let mut read = self.store.read();
        let mut entries = log::list(&mut read, self.read_to, position, READ).await?;
        let is_whole = i64::try_from(entries.len()).is_ok_and(|found| found < READ);
        let last = entries.last().map_or(position, |entry| entry.pos);
        let mut has_others = self.has_others;
        entries.retain(|entry| is_wanted(entry, &mut has_others));
        Ok((entries, if is_whole { position } else { last }))
    }

    /// An event, with the servers that it goes to: those in the room, and the one whose user it
    /// takes away, but not the one that it came from.
    async fn event(&mut self, pos: i64, event: StoredEvent) -> StoreResult<Outgoing> {
        let mut servers = self.servers(event.room, pos).await?;
        let taken_from = self.taken_from(&event).await?;
        if let Some(server) = taken_from.filter(|server| !servers.contains(server)) {
            servers.push(server);
        }
        let sender = self.name(event.sender).await?;
        if let Some(origin) =
            server_of(&sender).filter(|origin| **origin != *self.server.name.as_str())
        {
            let origin = self.store.find_interned(origin.as_bytes()).await?;
            servers.retain(|server| Some(*server) != origin);
        }
        Ok(Outgoing {
            pos,
            item: Item::Pdu(pdu(event)),
            servers,
        })
    }

    /// The server that loses a user by this event, or an invitation of one.
    async fn taken_from(&self, event: &StoredEvent) -> StoreResult<Option<i64>> {
        let Some(user) = takes_away(event) else {
            return Ok(None);
        };
        let user = self.name(user).await?;
        let Some(server) = server_of(&user).filter(|server| **server != *self.server.name.as_str())
        else {
            return Ok(None);
        };
        let Some(server) = self.store.find_interned(server.as_bytes()).await? else {
            return Ok(None);
        };
        let mut read = self.store.read();
        let is_known = room_servers::is_known(&mut read, event.room, server).await?;
        Ok(is_known.then_some(server))
    }

    /// The receipts of our own users among the entries, by number.
    async fn own_receipts(&self, entries: &[LogEntry]) -> StoreResult<BTreeMap<i64, Receipt>> {
        let receipts = entries
            .iter()
            .filter(|entry| entry.kind == LogKind::Receipt);
        let receipts: Vec<_> = receipts.cloned().collect();
        own_receipts(&self.store, self.server.name.as_str(), &receipts).await
    }
}

/// Whether an entry tells something to be sent. While there are no others, only what may bring them
/// does; `has_others` becomes true where they come, for the entries behind.
fn is_wanted(entry: &LogEntry, has_others: &mut bool) -> bool {
    match entry.kind {
        LogKind::RoomServer => {
            *has_others = true;
            true
        }
        LogKind::Delivery => true,
        LogKind::Receipt => *has_others,
        LogKind::DeviceList => *has_others && encryption::is_key_change(entry),
        LogKind::Membership => *has_others && joins::is_join(entry),
        LogKind::ToDevice => to_device::server_of(entry).is_some(),
        _ => false,
    }
}

/// The public receipts of our own users that these entries tell of, by number.
pub(crate) async fn own_receipts(
    store: &Store,
    own_name: &str,
    entries: &[LogEntry],
) -> StoreResult<BTreeMap<i64, Receipt>> {
    let numbers: Vec<i64> = entries.iter().map(|entry| entry.reference).collect();
    let positions: BTreeMap<i64, i64> = entries
        .iter()
        .map(|entry| (entry.reference, entry.pos))
        .collect();
    let found = receipts::list(&mut store.read(), &numbers).await?;
    let mut own = BTreeMap::new();
    for receipt in found.into_iter().filter(|receipt| !receipt.key.private) {
        let names = store
            .interned(&[receipt.key.room, receipt.key.user])
            .await?;
        let [room_id, user_id] = &names[..] else {
            continue;
        };
        let (room_id, user_id) = (text(room_id), text(user_id));
        if server_of(&user_id) != Some(own_name) {
            continue;
        }
        let receipt = (
            receipt.number,
            Receipt {
                pos: positions.get(&receipt.number).copied().unwrap_or_default(),
                room_id,
                user_id,
                thread: receipt.key.thread.map(Into::into),
                event_id: receipt.event_id.into(),
                ts_ms: receipt.ts_ms,
            },
        );
        own.insert(receipt.0, receipt.1);
    }
    Ok(own)
}

pub(crate) fn pdu(event: StoredEvent) -> Arc<Pdu> {
    Arc::new(Pdu {
        id: event.id,
        json: event.json,
    })
}

/// The server of a user id.
pub(crate) fn server_of(user_id: &str) -> Option<&str> {
    let user = <&UserId>::try_from(user_id).ok()?;
    Some(user.server_name().as_str())
}

fn text(bytes: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_stands_behind_the_first_other_server_is_wanted() {
        let entry = |kind| LogEntry {
            pos: 1,
            kind,
            subject: 7,
            reference: 0,
            data: Bytes::new(),
        };
        let mut has_others = false;
        for (kind, wanted) in [
            (LogKind::Receipt, false),
            (LogKind::Delivery, true),
            (LogKind::RoomServer, true),
            (LogKind::Receipt, true),
            (LogKind::Event, false),
        ] {
            assert_eq!(is_wanted(&entry(kind), &mut has_others), wanted, "{kind:?}");
        }
    }
}
