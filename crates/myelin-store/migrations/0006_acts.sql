-- What changes rooms: redactions, forgotten rooms.

-- The number of the event that redacted this one; NULL: the event is whole.
ALTER TABLE events ADD COLUMN redacted_by {int};

-- What redacted events said, until it is deleted for good.
CREATE TABLE redacted_originals (
    event {int} NOT NULL PRIMARY KEY,
    -- As in `events`.
    json {bytes} NOT NULL,
    expires_ms {int} NOT NULL
){table_options};
CREATE INDEX redacted_originals_by_expiry ON redacted_originals (expires_ms);

-- Rooms that users have left and do not want to hear of again, until they are invited or join.
CREATE TABLE forgotten_rooms (
    user_number {int} NOT NULL,
    room {int} NOT NULL,
    PRIMARY KEY (user_number, room)
){table_options};
