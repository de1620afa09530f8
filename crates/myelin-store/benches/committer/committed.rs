//! The event as a write set of the store.

use myelin_store::{
    DatabaseUrl, LogKind, LogWrite, OnConflict, Store, StoreOptions, Table, Value, WriteSet, bytes,
    int,
};

use crate::event::{COUNTED, Event};

static ROOMS: Table = Table {
    name: "b_rooms",
    key: &[int("room")],
    values: &[int("version"), bytes("extremities"), int("depth")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};
static EVENTS: Table = Table {
    name: "b_events",
    key: &[int("event")],
    values: &[int("room"), int("sender"), bytes("json")],
    version: None,
    on_conflict: OnConflict::Replace,
};
static EVENT_IDS: Table = Table {
    name: "b_event_ids",
    key: &[bytes("id")],
    values: &[int("event")],
    version: None,
    on_conflict: OnConflict::Replace,
};
static TIMELINE: Table = Table {
    name: "b_timeline",
    key: &[int("room"), int("room_order")],
    values: &[int("event")],
    version: None,
    on_conflict: OnConflict::Replace,
};
static EDGES: Table = Table {
    name: "b_edges",
    key: &[int("event"), int("previous")],
    values: &[],
    version: None,
    on_conflict: OnConflict::Keep,
};
static TRANSACTIONS: Table = Table {
    name: "b_transactions",
    key: &[int("device"), bytes("txn_id")],
    values: &[int("event")],
    version: None,
    on_conflict: OnConflict::Replace,
};
static COUNTS: Table = Table {
    name: "b_counts",
    key: &[int("member"), int("room")],
    values: &[int("unread")],
    version: None,
    on_conflict: OnConflict::Replace,
};

pub(crate) async fn open(url: DatabaseUrl) -> Store {
    Store::open(StoreOptions::new(url, "bench"))
        .await
        .expect("a store")
}

/// What the event writes. A stale one expects a room of one event before.
pub(crate) fn write_set(event: &Event, is_stale: bool) -> WriteSet {
    let mut writes = WriteSet::new();
    let int = |value: i64| Value::Int(value);
    let (room, number) = (int(event.room), int(event.number));
    let before = event.version - 1 - i64::from(is_stale);
    let expected = (event.version > 1 || is_stale).then_some(before);
    writes.expect(&ROOMS, vec![room.clone()], expected);
    let head = vec![
        int(event.version),
        event.id.clone().into(),
        int(event.version),
    ];
    writes.put(&ROOMS, vec![room.clone()], head);
    let row = vec![room.clone(), int(1), event.json.clone().into()];
    writes.insert(&EVENTS, vec![number.clone()], row);
    writes.insert(
        &EVENT_IDS,
        vec![event.id.clone().into()],
        vec![number.clone()],
    );
    let order = vec![room.clone(), int(event.version)];
    writes.insert(&TIMELINE, order, vec![number.clone()]);
    writes.put(
        &EDGES,
        vec![number.clone(), int(event.number - 1)],
        Vec::new(),
    );
    let txn = vec![room.clone(), event.txn_id.clone().into()];
    writes.insert(&TRANSACTIONS, txn, vec![number]);
    for member in 0..COUNTED {
        writes.add(&COUNTS, vec![int(member), room.clone()], vec![int(1)]);
    }
    writes.log(LogWrite {
        kind: LogKind::Event,
        subject: event.room,
        reference: event.number,
        data: event.id.slice(..16),
    });
    writes
}
