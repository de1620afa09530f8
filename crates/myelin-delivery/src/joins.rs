//! The devices of one of our users who has joined a room, for the servers that meet the user there
//! (spec: "Device Management").

use myelin_accounts::device_list;
use myelin_core::{membership::Membership, server::Server, trie::TYPE_MEMBER};
use myelin_rooms::Rooms;
use myelin_store::{LogEntry, LogKind, Read, StoreResult, device_lists, events, room_servers};
use ruma::UserId;

use crate::{edus::KeyChange, encryption::device_list_update, member_events::membership_of};

/// Most devices of one user that a server is told of at once. It asks for the others when it is told
/// of the next change, whose predecessor it does not know.
const DEVICES_MAX: usize = 50;

/// Whether an entry tells that one of our users is joined to a room.
pub(crate) fn is_join(entry: &LogEntry) -> bool {
    let membership = entry.data.first().copied().map(i64::from);
    entry.kind == LogKind::Membership
        && membership.and_then(Membership::from_number) == Some(Membership::Join)
}

/// What other servers are told when one of our users has joined a room, and which: those that share no
/// other room with the user, and have heard nothing of the user's devices so far. What a server that is
/// behind misses of it, it asks for when it needs it.
///
/// Cost: the servers of the user's rooms, and the user's devices.
pub(crate) async fn told(
    rooms: &Rooms,
    (entry, user): (&LogEntry, &str),
    own: i64,
) -> StoreResult<Option<(KeyChange, Vec<i64>)>> {
    let mut read = rooms.store().read();
    let join = (entry.subject, entry.reference, entry.pos);
    let servers = room_servers::list_newly_sharing(&mut read, join, own).await?;
    if servers.is_empty() || was_joined_before(rooms, &mut read, entry).await? {
        return Ok(None);
    }
    let change = whole_list(rooms, &mut read, (entry, user)).await?;
    Ok(change.map(|change| (change, servers)))
}

/// Whether the user was joined before the event, which has changed a name or a picture then.
async fn was_joined_before(rooms: &Rooms, read: &mut Read, entry: &LogEntry) -> StoreResult<bool> {
    let event = entry.data.get(1..).and_then(|bytes| bytes.try_into().ok());
    let event = event.map_or(0, i64::from_be_bytes);
    let events = events::list(read, &[event]).await?;
    let events: Vec<_> = events
        .iter()
        .filter(|event| event.event_type == TYPE_MEMBER)
        .collect();
    let replaced = rooms.replaced_by(read, entry.reference, &events).await?;
    Ok(replaced
        .values()
        .find_map(|before| membership_of(&before.json))
        == Some(Membership::Join))
}

/// All devices of a user that have keys, as updates of which each names the one before it.
async fn whole_list(
    rooms: &Rooms,
    read: &mut Read,
    (entry, user): (&LogEntry, &str),
) -> StoreResult<Option<KeyChange>> {
    let Ok(user_id) = <&UserId>::try_from(user) else {
        return Ok(None);
    };
    let (server, store): (&Server, _) = (rooms.server(), rooms.store());
    let mut list = device_list(server, store, user_id).await?;
    let changes = device_lists::list_of_user(read, entry.subject).await?;
    let changes = changes.iter().filter_map(|change| {
        let device = device_lists::device(change)?;
        let has_keys = list.devices.contains_key(device);
        has_keys.then_some((change.pos, device))
    });
    let mut changes: Vec<(i64, &str)> = changes.collect();
    changes.drain(..changes.len().saturating_sub(DEVICES_MAX));
    let mut before = 0;
    let edus = changes.into_iter().map(|(pos, device)| {
        let edu = device_list_update((user, device), (before, pos), &mut list);
        before = pos;
        edu.to_string().into()
    });
    let edus: Vec<_> = edus.collect();
    Ok((!edus.is_empty()).then(|| KeyChange::of_list(entry.pos, user, edus)))
}
