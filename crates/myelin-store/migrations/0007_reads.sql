-- The newest event that ended a user's being joined to a room: where the history ends that a user
-- who is not joined now may still see. Kept while the user is back, and deleted by forgetting.
CREATE TABLE departures (
    room {int} NOT NULL,
    user_number {int} NOT NULL,
    event {int} NOT NULL,
    room_order {int} NOT NULL,
    -- The root of the state after the event.
    root {bytes} NOT NULL,
    PRIMARY KEY (room, user_number)
){table_options};

-- For `timestamp_to_event`. The room order is the time's own order nearly always, but not when a
-- clock was set back, and never across servers.
CREATE INDEX events_by_time ON events (room, origin_server_ts, room_order);
