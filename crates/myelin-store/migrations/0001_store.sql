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
    batch {int} NOT NULL
){table_options};
CREATE TABLE sequences (
    name {bytes} NOT NULL PRIMARY KEY,
    next {int} NOT NULL
){table_options};
CREATE TABLE interned (
    id {id},
    value {bytes} NOT NULL UNIQUE
);
CREATE TABLE followers (
    name {bytes} NOT NULL PRIMARY KEY,
    version {int} NOT NULL,
    cursor {int} NOT NULL,
    holder {int} NOT NULL,
    until_ms {int} NOT NULL
){table_options};
