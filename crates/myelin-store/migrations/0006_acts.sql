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

-- Each room's size, and whether it stands in the public directory: so a page of the directory, the
-- largest rooms first, is a walk along one index.
CREATE TABLE directory (
    room {int} NOT NULL PRIMARY KEY,
    published {int} NOT NULL,
    joined {int} NOT NULL
){table_options};
INSERT INTO directory (room, published, joined)
    SELECT rooms.room, CASE WHEN published_rooms.room IS NULL THEN 0 ELSE 1 END, rooms.joined
    FROM rooms LEFT JOIN published_rooms ON published_rooms.room = rooms.room;
CREATE INDEX directory_by_size ON directory (joined, room) WHERE published = 1;
DROP TABLE published_rooms;

-- What the directory shows of a room, as its state has it now: one row for each thing it has.
CREATE TABLE room_facts (
    room {int} NOT NULL,
    fact {int} NOT NULL,
    value {bytes} NOT NULL,
    PRIMARY KEY (room, fact)
){table_options};

-- The room in which each user is told what the server has to say.
CREATE TABLE server_notice_rooms (
    user_number {int} NOT NULL PRIMARY KEY,
    room {int} NOT NULL
){table_options};
