-- What users of other servers have read that has not come here yet.
CREATE TABLE early_receipts (
    room {int} NOT NULL,
    event_id {bytes} NOT NULL,
    user_number {int} NOT NULL,
    -- As in receipts.
    thread {bytes} NOT NULL,
    ts_ms {int} NOT NULL,
    -- When it came; it is given up after a while.
    received_ms {int} NOT NULL,
    PRIMARY KEY (room, event_id, user_number, thread)
){table_options};
