-- What other servers have sent and was acknowledged, until it is worked off.
CREATE TABLE inbox (
    room {int} NOT NULL,
    id {bytes} NOT NULL,
    -- The interned name of the server that sent it.
    origin {int} NOT NULL,
    json {bytes} NOT NULL,
    received_ms {int} NOT NULL,
    -- Its place among those that were received in the same millisecond.
    place {int} NOT NULL,
    -- How often something that it needs could not be had, and when that is tried again.
    failures {int} NOT NULL,
    due_ms {int} NOT NULL,
    PRIMARY KEY (room, id, origin)
){table_options};
CREATE INDEX inbox_by_arrival ON inbox (room, received_ms, place);
CREATE INDEX inbox_by_due ON inbox (due_ms, room);

-- Transactions that were acknowledged, with the answer, so that a repetition gets the same one.
CREATE TABLE received_transactions (
    origin {int} NOT NULL,
    txn_id {bytes} NOT NULL,
    answer {bytes} NOT NULL,
    received_ms {int} NOT NULL,
    PRIMARY KEY (origin, txn_id)
){table_options};
CREATE INDEX received_transactions_by_age ON received_transactions (received_ms);

-- Where events are missing in a room: between two places of its order, before the event at the
-- upper one.
CREATE TABLE gaps (
    room {int} NOT NULL,
    -- The room order of the event before which something is missing.
    upper {int} NOT NULL,
    -- The room order of the newest event below, 0 for none.
    lower {int} NOT NULL,
    PRIMARY KEY (room, upper)
){table_options};
