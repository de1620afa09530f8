//! How a head moves on by an event: its state, what stands beside it, its row.

use std::sync::Arc;

use bytes::Bytes;
use myelin_core::{
    event::Event,
    json,
    membership::Membership,
    trie::{
        Apply, StateKey, TYPE_CREATE, TYPE_HISTORY_VISIBILITY, TYPE_JOIN_RULES, TYPE_MEMBER,
        TYPE_POWER_LEVELS,
    },
};
use myelin_store::{
    EMPTY_STRING, LogKind, LogWrite, Read, StoreError, WriteSet, deliveries,
    departures::{self, Departure},
    directory,
    events::{self, StoredEvent},
    forgotten_rooms,
    memberships::{self, MembershipMove, UserMembership},
    open_rooms::{self, Aspect},
    state_nodes,
};
use ruma::UserId;

use super::{AppendError, Draft, facts};
use crate::{
    Rooms,
    head::{Head, StateEvent},
    numbers::EventNumbers,
};

/// Enters a state event into the trie and into what stands beside it.
pub(super) async fn advance_state(
    rooms: &Rooms,
    head: &mut Head,
    read: &mut Read,
    writes: &mut WriteSet,
    (event, number, numbers): (&Arc<Event>, i64, EventNumbers),
) -> Result<(), AppendError> {
    let Some(state_key) = numbers.state_key else {
        return Ok(());
    };
    let room = head.row.room;
    let key = StateKey {
        event_type: numbers.event_type,
        state_key,
    };
    let before = if numbers.event_type == TYPE_MEMBER {
        head.member(read, state_key).await?
    } else {
        None
    };
    let apply =
        Apply::new(head.root()?, vec![(key, Some(number))]).map_err(|_| StoreError::Malformed {
            table: "interned",
            reason: "there are more event types than the state trie can name",
        })?;
    let (root, nodes) = state_nodes::drive(&rooms.store, read, room, &head.pending, apply).await?;
    for (hash, node) in nodes {
        if head.pending.contains_key(&hash) {
            continue;
        }
        state_nodes::insert(writes, room, hash, &node);
        head.pending.insert(hash, Arc::from(node));
    }
    head.row.root = Bytes::from(root.to_bytes());
    head.pending_events.insert(number, Arc::clone(event));
    if numbers.event_type == TYPE_MEMBER {
        advance_member(rooms, head, writes, (before, event, number, numbers));
    } else if state_key == EMPTY_STRING {
        facts::record(writes, room, (numbers.event_type, event));
        advance_settings(head, writes, (event, numbers.event_type));
    }
    Ok(())
}

/// Keeps what the next events and the other tables need of the room's settings. An event of such a
/// type with a state key that is not empty sets nothing.
fn advance_settings(
    head: &mut Head,
    writes: &mut WriteSet,
    (event, event_type): (&Arc<Event>, i64),
) {
    let says = |key: &str, value: &str| {
        let content = json::parse_object(event.content.get().as_bytes());
        let found = content.ok().and_then(|mut content| content.remove(key));
        found.is_some_and(|found| found.as_str() == Some(value))
    };
    let room = head.row.room;
    match event_type {
        TYPE_CREATE => head.create = Some(Arc::clone(event)),
        TYPE_POWER_LEVELS => head.power_levels = Some(Arc::clone(event)),
        TYPE_JOIN_RULES => {
            open_rooms::upsert(writes, room, Aspect::Joining, says("join_rule", "public"));
            head.join_rules = Some(Arc::clone(event));
        }
        TYPE_HISTORY_VISIBILITY => {
            let is_open = says("history_visibility", "world_readable");
            open_rooms::upsert(writes, room, Aspect::Reading, is_open);
        }
        _ => {}
    }
}

/// Keeps the membership tables and the counts beside a new member event.
fn advance_member(
    rooms: &Rooms,
    head: &mut Head,
    writes: &mut WriteSet,
    (before, event, number, numbers): (StateEvent, &Arc<Event>, i64, EventNumbers),
) {
    // A member event whose state key names no user is refused by the rules of every room version.
    let (Some(user), Some(server)) = (numbers.state_key, numbers.member_server) else {
        return;
    };
    let membership = Membership::of_content(&event.content).unwrap_or(Membership::Leave);
    let before = before.and_then(|event| Membership::of_content(&event.content));
    let moved = MembershipMove {
        membership: UserMembership {
            room: head.row.room,
            user,
            membership,
            event: number,
        },
        room_order: head.row.room_order,
        before,
        server,
        is_remote: !is_about_local(rooms, event),
    };
    memberships::record(writes, &moved);
    let more = moved.more_joined();
    head.row.joined += more;
    head.row.joined_remote += if moved.is_remote { more } else { 0 };
    if more != 0 {
        directory::add_joined(writes, head.row.room, more);
    }
    let is_invited = |membership| i64::from(membership == Some(Membership::Invite));
    head.row.invited += is_invited(Some(membership)) - is_invited(before);
    head.remember_member(user, Some(Arc::clone(event)));
    if before == Some(Membership::Join) && membership != Membership::Join {
        departures::upsert(
            writes,
            &Departure {
                room: head.row.room,
                user,
                event: number,
                room_order: head.row.room_order,
                root: head.row.root.clone(),
            },
        );
    }
    if !moved.is_remote {
        if before.is_some() && !matches!(membership, Membership::Leave | Membership::Ban) {
            forgotten_rooms::delete(writes, user, head.row.room);
        }
        let mut data = vec![u8::try_from(membership.as_number()).unwrap_or_default()];
        data.extend_from_slice(&number.to_be_bytes());
        let (subject, reference) = (user, head.row.room);
        writes.log(LogWrite {
            kind: LogKind::Membership,
            subject,
            reference,
            data: data.into(),
        });
    }
}

/// Whether the state key names a user of this server.
fn is_about_local(rooms: &Rooms, event: &Event) -> bool {
    let user = event.state_key.as_deref();
    let user = user.and_then(|id| <&UserId>::try_from(id).ok());
    user.is_some_and(|id| rooms.server.is_local(id))
}

pub(super) fn advance_row(head: &mut Head, event: &Event, number: i64) {
    head.row.version = number;
    head.row.extremities = vec![event.event_id.to_string()];
    head.row.depth += 1;
    head.row.room_order += 1;
}

/// Leaves an event of our own to be sent to the other servers in the room. One that takes away a
/// user of another server, or that user's invitation, is sent there even if nobody else is.
pub(super) fn deliver(
    rooms: &Rooms,
    head: &Head,
    writes: &mut WriteSet,
    (event, number): (&Event, i64),
) {
    if !rooms.server.is_local(&event.sender) {
        return;
    }
    let takes_away = || {
        let membership = Membership::of_content(&event.content);
        event.type_str() == "m.room.member"
            && matches!(membership, Some(Membership::Leave | Membership::Ban))
            && !is_about_local(rooms, event)
    };
    if head.row.joined_remote > 0 || takes_away() {
        deliveries::insert(writes, head.row.room, number);
    }
}

pub(super) fn write_event(
    writes: &mut WriteSet,
    head: &Head,
    event: &Event,
    draft: &Draft<'_>,
    (number, root_before): (i64, Bytes),
) {
    let stored = StoredEvent {
        event: number,
        id: event.event_id.to_string(),
        room: head.row.room,
        room_order: head.row.room_order,
        event_type: draft.numbers.event_type,
        state_key: draft.numbers.state_key,
        sender: draft.numbers.sender,
        depth: head.row.depth,
        origin_server_ts: i64::try_from(event.origin_server_ts).unwrap_or(i64::MAX),
        root_before,
        device: draft.transaction.map(|(device, _)| device.to_owned()),
        txn_id: draft.transaction.map(|(_, txn_id)| txn_id.to_owned()),
        json: event.json.to_string(),
        redaction: None,
    };
    events::insert(writes, &stored);
    let (subject, reference, data) = (head.row.room, number, head.row.root.clone());
    writes.log(LogWrite {
        kind: LogKind::Event,
        subject,
        reference,
        data,
    });
}
