-- Rooms, their events and state. Numbers of rooms, users, types and state keys are interned strings.

-- One row a room, rewritten by each event: the head that the next event builds on.
CREATE TABLE rooms (
    room {int} NOT NULL PRIMARY KEY,
    -- The number of the newest event: unlike a counter it tells two lineages apart.
    version {int} NOT NULL,
    room_version {bytes} NOT NULL,
    -- Event ids, separated by newlines.
    extremities {bytes} NOT NULL,
    depth {int} NOT NULL,
    -- The room order of the newest live event.
    room_order {int} NOT NULL,
    -- The root of the current state.
    root {bytes} NOT NULL,
    joined {int} NOT NULL,
    invited {int} NOT NULL
){table_options};

CREATE TABLE events (
    event {int} NOT NULL PRIMARY KEY,
    id {bytes} NOT NULL,
    room {int} NOT NULL,
    room_order {int} NOT NULL,
    type {int} NOT NULL,
    -- NULL for events that are not state.
    state_key {int},
    sender {int} NOT NULL,
    depth {int} NOT NULL,
    origin_server_ts {int} NOT NULL,
    -- The root of the state before the event.
    root_before {bytes} NOT NULL,
    -- What the sender's device is told in `unsigned`: device id and transaction id.
    device {bytes},
    txn_id {bytes},
    -- One byte of form, then the canonical JSON.
    json {bytes} NOT NULL
);
CREATE INDEX events_by_order ON events (room, room_order);

CREATE TABLE event_ids (
    id {bytes} NOT NULL PRIMARY KEY,
    event {int} NOT NULL
){table_options};

CREATE TABLE memberships (
    room {int} NOT NULL,
    user_number {int} NOT NULL,
    membership {int} NOT NULL,
    event {int} NOT NULL,
    PRIMARY KEY (room, user_number)
){table_options};
CREATE INDEX memberships_by_user ON memberships (user_number, membership, room);

CREATE TABLE aliases (
    alias {bytes} NOT NULL PRIMARY KEY,
    room {int} NOT NULL,
    creator {int} NOT NULL
){table_options};
CREATE INDEX aliases_by_room ON aliases (room);

-- Nodes of the state trie: immutable, named by their content.
CREATE TABLE state_nodes (
    room {int} NOT NULL,
    hash {bytes} NOT NULL,
    node {bytes} NOT NULL,
    PRIMARY KEY (room, hash)
){table_options};

-- Requests already answered, so that a repetition gets the same answer.
CREATE TABLE transactions (
    user_number {int} NOT NULL,
    device {bytes} NOT NULL,
    -- The request's scope and its transaction id.
    txn {bytes} NOT NULL,
    -- The event, or the room, that it made.
    result {int} NOT NULL,
    created_ms {int} NOT NULL,
    PRIMARY KEY (user_number, device, txn)
){table_options};

-- The rooms that stand in the public directory.
CREATE TABLE published_rooms (
    room {int} NOT NULL PRIMARY KEY
){table_options};
