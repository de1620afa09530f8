-- Sticky events (MSC4354), while they are sticky, and a little longer.
CREATE TABLE sticky_events (
    event {int} NOT NULL PRIMARY KEY,
    version {int} NOT NULL,
    room {int} NOT NULL,
    sender {int} NOT NULL,
    -- Until when it is sticky.
    until_ms {int} NOT NULL,
    -- Whether a user of this server has sent it.
    own {int} NOT NULL,
    -- Whether it waits to be judged anew: the room has refused it so far.
    soft_failed {int} NOT NULL
){table_options};
CREATE INDEX sticky_events_by_room ON sticky_events (room, until_ms);
CREATE INDEX sticky_events_by_expiry ON sticky_events (until_ms);
