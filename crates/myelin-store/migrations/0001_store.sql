-- What the store itself needs: the log, the committer's books, interning and followers.
CREATE TABLE log (
    pos {id},
    kind {int} NOT NULL,
    subject {int} NOT NULL,
    reference {int} NOT NULL,
    data {bytes} NOT NULL,
    latest {int} NOT NULL
);
CREATE INDEX log_subject ON log (subject, pos);
CREATE UNIQUE INDEX log_latest ON log (subject, reference, kind) WHERE latest = 1;
CREATE TABLE log_counter (
    id {int} NOT NULL PRIMARY KEY,
    pos {int} NOT NULL
){table_options};
INSERT INTO log_counter (id, pos) VALUES (1, 0);
CREATE TABLE batches (
    node {int} NOT NULL PRIMARY KEY,
    batch {int} NOT NULL,
    -- The log counter after the batch, for who must find out what became of it.
    pos {int} NOT NULL
){table_options};
CREATE TABLE sequences (
    name {bytes} NOT NULL PRIMARY KEY,
    next {int} NOT NULL
){table_options};
CREATE TABLE interned (
    id {id},
    value {bytes} NOT NULL UNIQUE
);
-- The usual types of state events have fixed ids, so that they are near each other in state tries.
INSERT INTO interned (id, value) VALUES
    (1, CAST('m.room.create' AS {bytes})),
    (2, CAST('m.room.member' AS {bytes})),
    (3, CAST('m.room.power_levels' AS {bytes})),
    (4, CAST('m.room.join_rules' AS {bytes})),
    (5, CAST('m.room.history_visibility' AS {bytes})),
    (6, CAST('m.room.canonical_alias' AS {bytes})),
    (7, CAST('m.room.name' AS {bytes})),
    (8, CAST('m.room.topic' AS {bytes})),
    (9, CAST('m.room.avatar' AS {bytes})),
    (10, CAST('m.room.encryption' AS {bytes})),
    (11, CAST('m.room.guest_access' AS {bytes})),
    (12, CAST('m.room.tombstone' AS {bytes})),
    (13, CAST('m.room.third_party_invite' AS {bytes})),
    (14, CAST('m.room.server_acl' AS {bytes})),
    (15, CAST('m.room.pinned_events' AS {bytes})),
    (16, CAST('' AS {bytes}));
CREATE TABLE followers (
    name {bytes} NOT NULL PRIMARY KEY,
    version {int} NOT NULL,
    cursor {int} NOT NULL,
    holder {int} NOT NULL,
    until_ms {int} NOT NULL
){table_options};
