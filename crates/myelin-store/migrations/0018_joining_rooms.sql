-- Rooms of other servers that a user of this one is about to come into: what is sent of them waits
-- in the inbox.
CREATE TABLE joining_rooms (
    room {int} NOT NULL PRIMARY KEY,
    room_version {bytes} NOT NULL,
    -- A join that has not ended by then never will: its node was killed.
    until_ms {int} NOT NULL
){table_options};
