-- What users have read, whom rate limits do not concern, and the order of what is not stored.

-- Counts the messages in which nodes tell each other who types and who is there.
INSERT INTO sequences (name, next) VALUES (CAST('live' AS {bytes}), 1);

CREATE TABLE receipts (
    room {int} NOT NULL,
    user_number {int} NOT NULL,
    -- 1: told to nobody but the user.
    private {int} NOT NULL,
    -- Empty: of the whole room; main: of what is in no thread; else the id of the thread's root.
    thread {bytes} NOT NULL,
    -- What the log calls this row.
    receipt {int} NOT NULL,
    event_id {bytes} NOT NULL,
    -- The event's place in the room; it only grows, so it serves as the version.
    room_order {int} NOT NULL,
    ts_ms {int} NOT NULL,
    PRIMARY KEY (room, user_number, private, thread)
){table_options};
CREATE UNIQUE INDEX receipts_by_number ON receipts (receipt);
CREATE INDEX receipts_by_order ON receipts (room, private, room_order);

CREATE TABLE rate_limit_exemptions (
    user_number {int} NOT NULL PRIMARY KEY,
    created_ms {int} NOT NULL
){table_options};
