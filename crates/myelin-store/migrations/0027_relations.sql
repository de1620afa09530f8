-- What events of a room say about others of it (spec: "Forming relationships between events"). The
-- event that something is said about need not be here, nor ever come.
CREATE TABLE relations (
    -- The event that says something, its id and what its row says of it.
    event {int} NOT NULL PRIMARY KEY,
    id {bytes} NOT NULL,
    room {int} NOT NULL,
    room_order {int} NOT NULL,
    type {int} NOT NULL,
    sender {int} NOT NULL,
    origin_server_ts {int} NOT NULL,
    -- The id of the event that something is said about, and the kind of relation.
    parent {bytes} NOT NULL,
    rel_type {bytes} NOT NULL,
    -- Of an annotation: with what it annotates.
    annotation {bytes}
){table_options};
CREATE INDEX relations_by_parent ON relations (room, parent, room_order);
CREATE INDEX relations_by_type ON relations (room, parent, rel_type, room_order);
CREATE INDEX relations_by_sender ON relations (room, parent, rel_type, sender, origin_server_ts);

-- The threads of a room, by the id of the event that they start from.
CREATE TABLE threads (
    room {int} NOT NULL,
    root {bytes} NOT NULL,
    -- The room order of the newest event in it.
    latest {int} NOT NULL,
    PRIMARY KEY (room, root)
){table_options};
CREATE INDEX threads_by_latest ON threads (room, latest);

-- How many events there are in a thread. A table of its own, because it is only ever added to.
CREATE TABLE thread_sizes (
    room {int} NOT NULL,
    root {bytes} NOT NULL,
    events {int} NOT NULL,
    PRIMARY KEY (room, root)
){table_options};
