//! How a head moves on by an event: its state, what stands beside it, its row.

pub(crate) mod facts;

use std::sync::Arc;

use bytes::Bytes;
use myelin_core::{
    event::Event,
    json,
    membership::Membership,
    trie::{
        Apply, Difference, NodeHash, Root, StateKey, TYPE_CREATE, TYPE_HISTORY_VISIBILITY,
        TYPE_JOIN_RULES, TYPE_MEMBER, TYPE_POWER_LEVELS,
    },
};
use myelin_store::{
    EMPTY_STRING, LogKind, LogWrite, Read, StoreError, StoreResult, WriteSet, deliveries,
    departures::{self, Departure},
    directory,
    events::{Status, StoredEvent},
    forgotten_rooms,
    memberships::{self, MembershipMove, UserMembership},
    open_rooms::{self, Aspect},
    state_nodes,
};
use ruma::{OwnedUserId, UserId};

use crate::{
    Rooms,
    head::{Head, StateEvent},
    numbers::{EventNumbers, parse},
};

/// The largest depth that an event can have: larger numbers are not canonical JSON.
pub(crate) const DEPTH_MAX: i64 = (1 << 53) - 1;

/// What stands under a state key from now on.
struct Entry {
    key: StateKey,
    /// The event, with its number.
    event: Option<(Arc<Event>, i64)>,
    /// The number of the event that brings the change: the same, but where resolution decides.
    cause: i64,
}

/// Enters a state event into the trie and into what stands beside it.
pub(crate) async fn advance_state(
    rooms: &Rooms,
    head: &mut Head,
    read: &mut Read,
    writes: &mut WriteSet,
    (event, number, numbers): (&Arc<Event>, i64, EventNumbers),
) -> StoreResult<()> {
    let Some(state_key) = numbers.state_key else {
        return Ok(());
    };
    let room = head.row.room;
    let key = StateKey {
        event_type: numbers.event_type,
        state_key,
    };
    let apply = apply(head.root()?, key, number)?;
    let (root, nodes) = state_nodes::drive(&rooms.store, read, room, &head.pending, apply).await?;
    write_nodes(head, writes, nodes);
    head.row.root = Bytes::from(root.to_bytes());
    head.pending_events.insert(number, Arc::clone(event));
    let entry = Entry {
        key,
        event: Some((Arc::clone(event), number)),
        cause: number,
    };
    enter(rooms, head, (read, writes), entry).await
}

/// Moves the head to another state, whose nodes are written already: its cost is what the two
/// differ in. `cause` is the number of the event that brings it about.
pub(crate) async fn move_to_root(
    rooms: &Rooms,
    head: &mut Head,
    (read, writes): (&mut Read, &mut WriteSet),
    root: Root,
    cause: i64,
) -> StoreResult<()> {
    let difference = Difference::new(head.root()?, root);
    let room = head.row.room;
    let changes = state_nodes::drive(&rooms.store, read, room, &head.pending, difference).await?;
    head.row.root = Bytes::from(root.to_bytes());
    for change in changes {
        let event = match change.after {
            Some(number) => Some((head.load_event(read, number).await?, number)),
            None => None,
        };
        let entry = Entry {
            key: change.key,
            event,
            cause,
        };
        enter(rooms, head, (read, writes), entry).await?;
    }
    Ok(())
}

/// The machine that enters one event into a state.
pub(crate) fn apply(root: Root, key: StateKey, number: i64) -> StoreResult<Apply> {
    Apply::new(root, vec![(key, Some(number))]).map_err(|_| StoreError::Malformed {
        table: "interned",
        reason: "there are more event types than the state trie can name",
    })
}

/// Writes nodes of a state, unless a set before this one does.
pub(crate) fn write_nodes(
    head: &mut Head,
    writes: &mut WriteSet,
    nodes: impl IntoIterator<Item = (NodeHash, Vec<u8>)>,
) {
    for (hash, node) in nodes {
        if head.pending.contains_key(&hash) {
            continue;
        }
        state_nodes::insert(writes, head.row.room, hash, &node);
        head.pending.insert(hash, Arc::from(node));
    }
}

/// Keeps what stands beside the state: the settings that the head remembers, memberships, facts.
async fn enter(
    rooms: &Rooms,
    head: &mut Head,
    (read, writes): (&mut Read, &mut WriteSet),
    entry: Entry,
) -> StoreResult<()> {
    let StateKey {
        event_type,
        state_key,
    } = entry.key;
    if event_type == TYPE_MEMBER {
        let before = head.member(read, state_key).await?;
        advance_member(rooms, head, writes, (before, &entry)).await?;
    } else if state_key == EMPTY_STRING {
        let event = entry.event.map(|(event, _)| event);
        enter_setting(head, writes, (event, event_type));
    }
    Ok(())
}

/// Keeps what the directory and the head say of the state event of a type with the empty key; None:
/// the room has none.
pub(crate) fn enter_setting(
    head: &mut Head,
    writes: &mut WriteSet,
    (event, event_type): (StateEvent, i64),
) {
    facts::record(writes, head.row.room, (event_type, event.as_deref()));
    advance_settings(head, writes, (event, event_type));
}

/// Keeps what the next events and the other tables need of the room's settings. An event of such a
/// type with a state key that is not empty sets nothing.
fn advance_settings(head: &mut Head, writes: &mut WriteSet, (event, kind): (StateEvent, i64)) {
    let says = |key: &str, value: &str| {
        let content = event.as_ref().map(|event| event.content.get().as_bytes());
        let content = content.and_then(|content| json::parse_object(content).ok());
        let found = content.and_then(|mut content| content.remove(key));
        found.is_some_and(|found| found.as_str() == Some(value))
    };
    let room = head.row.room;
    match kind {
        TYPE_CREATE => head.create = event,
        TYPE_POWER_LEVELS => head.power_levels = event,
        TYPE_JOIN_RULES => {
            open_rooms::upsert(writes, room, Aspect::Joining, says("join_rule", "public"));
            head.join_rules = event;
        }
        TYPE_HISTORY_VISIBILITY => {
            let is_open = says("history_visibility", "world_readable");
            open_rooms::upsert(writes, room, Aspect::Reading, is_open);
        }
        kind if kind == head.policy_type => head.policy = event,
        _ => {}
    }
}

/// Keeps the membership tables and the counts beside a member event that has come or gone.
async fn advance_member(
    rooms: &Rooms,
    head: &mut Head,
    writes: &mut WriteSet,
    (before, entry): (StateEvent, &Entry),
) -> StoreResult<()> {
    let user = entry.key.state_key;
    let Some((server, is_remote)) = server_of(rooms, entry).await? else {
        // A member event whose state key names no user is refused by the rules of every room
        // version.
        return Ok(());
    };
    let of_event = |event: &Arc<Event>| Membership::of_content(&event.content);
    let event = entry.event.as_ref().map(|(event, _)| event);
    let membership = event.and_then(of_event).unwrap_or(Membership::Leave);
    let before = before.as_ref().and_then(of_event);
    let number = entry.event.as_ref().map(|(_, number)| *number);
    let moved = MembershipMove {
        membership: UserMembership {
            room: head.row.room,
            user,
            membership,
            event: number.unwrap_or(entry.cause),
        },
        room_order: head.row.room_order,
        before,
        server,
        is_remote,
    };
    memberships::record(writes, &moved);
    if number.is_none() {
        memberships::delete(writes, head.row.room, user);
    }
    let more = moved.more_joined();
    head.row.joined += more;
    head.row.joined_remote += if is_remote { more } else { 0 };
    if more != 0 {
        directory::add_joined(writes, head.row.room, more);
    }
    let is_invited = |membership| i64::from(membership == Some(Membership::Invite));
    head.row.invited += is_invited(Some(membership)) - is_invited(before);
    head.remember_member(user, event.cloned());
    if before == Some(Membership::Join) && membership != Membership::Join {
        departures::upsert(
            writes,
            &Departure {
                room: head.row.room,
                user,
                event: entry.cause,
                room_order: head.row.room_order,
                root: head.row.root.clone(),
            },
        );
    }
    if !is_remote {
        tell_user(writes, &moved);
    }
    Ok(())
}

/// The interned server of the user whom a member event is about, and whether that is another one.
async fn server_of(rooms: &Rooms, entry: &Entry) -> StoreResult<Option<(i64, bool)>> {
    let named = entry
        .event
        .as_ref()
        .and_then(|(event, _)| event.state_key.clone());
    let id = if let Some(id) = named {
        id.into_bytes().into()
    } else {
        let strings = rooms.store.interned(&[entry.key.state_key]).await?;
        strings.into_iter().next().unwrap_or_default()
    };
    let Some(user) = parse::<OwnedUserId>(&id) else {
        return Ok(None);
    };
    // Interned with the event, so this is a look into memory.
    let numbers = rooms.store.intern(&[user.server_name().as_bytes()]).await?;
    let is_remote = !rooms.server.is_local(&user);
    Ok(numbers.first().map(|server| (*server, is_remote)))
}

/// A user of this server learns of a membership wherever the user is looking.
fn tell_user(writes: &mut WriteSet, moved: &MembershipMove) {
    let UserMembership {
        room,
        user,
        membership,
        event,
    } = moved.membership;
    if moved.before.is_some() && !matches!(membership, Membership::Leave | Membership::Ban) {
        forgotten_rooms::delete(writes, user, room);
    }
    let mut data = vec![u8::try_from(membership.as_number()).unwrap_or_default()];
    data.extend_from_slice(&event.to_be_bytes());
    writes.log(LogWrite {
        kind: LogKind::Membership,
        subject: user,
        reference: room,
        data: data.into(),
    });
}

/// Moves the row on to an event that has no others beside it.
pub(crate) fn advance_row(head: &mut Head, event: &Event, number: i64) {
    head.row.version = number;
    head.row.extremities = vec![event.event_id.to_string()];
    let depth = i64::try_from(event.depth).unwrap_or(DEPTH_MAX);
    head.row.depth = head.row.depth.max(depth.min(DEPTH_MAX));
    head.row.room_order += 1;
}

/// What the row of an event holds that the event does not say.
pub(crate) struct NewRow<'a> {
    pub(crate) number: i64,
    pub(crate) numbers: EventNumbers,
    pub(crate) root_before: Bytes,
    /// The sending device and its transaction id.
    pub(crate) transaction: Option<(&'a str, &'a str)>,
}

/// An event at the newest place of the room.
pub(crate) fn newest(head: &Head, event: &Event, row: NewRow<'_>) -> StoredEvent {
    StoredEvent {
        event: row.number,
        id: event.event_id.to_string(),
        room: head.row.room,
        room_order: head.row.room_order,
        event_type: row.numbers.event_type,
        state_key: row.numbers.state_key,
        sender: row.numbers.sender,
        depth: i64::try_from(event.depth).map_or(DEPTH_MAX, |depth| depth.min(DEPTH_MAX)),
        origin_server_ts: i64::try_from(event.origin_server_ts).unwrap_or(i64::MAX),
        status: Status::Accepted,
        root_before: row.root_before,
        device: row.transaction.map(|(device, _)| device.to_owned()),
        txn_id: row.transaction.map(|(_, txn_id)| txn_id.to_owned()),
        delayed: None,
        json: event.json.to_string(),
        redaction: None,
    }
}

/// Tells everybody that the head has moved by this event.
pub(crate) fn log_event(writes: &mut WriteSet, head: &Head, number: i64) {
    let (subject, reference, data) = (head.row.room, number, head.row.root.clone());
    writes.log(LogWrite {
        kind: LogKind::Event,
        subject,
        reference,
        data,
    });
}

/// Leaves an event of our own to be sent to the other servers in the room. One that takes away a
/// user of another server, or that user's invitation, is sent there even if nobody else is.
pub(crate) fn deliver(
    rooms: &Rooms,
    head: &Head,
    writes: &mut WriteSet,
    (event, number): (&Event, i64),
) {
    if !rooms.server.is_local(&event.sender) {
        return;
    }
    let is_about_local = || {
        let user = event.state_key.as_deref();
        let user = user.and_then(|id| <&UserId>::try_from(id).ok());
        user.is_some_and(|id| rooms.server.is_local(id))
    };
    let takes_away = || {
        let membership = Membership::of_content(&event.content);
        event.type_str() == "m.room.member"
            && matches!(membership, Some(Membership::Leave | Membership::Ban))
            && !is_about_local()
    };
    if head.row.joined_remote > 0 || takes_away() {
        deliveries::insert(writes, head.row.room, number);
    }
}
