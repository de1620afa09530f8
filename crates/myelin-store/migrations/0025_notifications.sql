-- What users are to be notified of, counted from the log by a follower.

-- Up to which event the rules have been asked about the events of a room.
CREATE TABLE evaluated_rooms (
    room {int} NOT NULL PRIMARY KEY,
    room_order {int} NOT NULL
){table_options};
-- What happened before there was anybody to count it is not counted.
INSERT INTO evaluated_rooms (room, room_order) SELECT room, room_order FROM rooms;
INSERT INTO followers (name, version, cursor, holder, until_ms)
    SELECT CAST('notifications' AS {bytes}), 1, pos, 0, 0 FROM log_counter;

-- Events that those are notified of who go by the predefined rules, whom the event does not name,
-- and who are not its sender: one row, however many they are.
CREATE TABLE notifying_events (
    room {int} NOT NULL,
    room_order {int} NOT NULL,
    -- main, or the id of the root of the thread that the event is in.
    thread {bytes} NOT NULL,
    event {int} NOT NULL,
    noted_ms {int} NOT NULL,
    highlight {int} NOT NULL,
    -- The interned list of actions.
    actions {int} NOT NULL,
    redacted {int} NOT NULL,
    -- How many such events the thread has up to this one, redacted ones as well, and how many of
    -- them stand out.
    notify_sum {int} NOT NULL,
    highlight_sum {int} NOT NULL,
    PRIMARY KEY (room, room_order)
){table_options};
CREATE INDEX notifying_events_by_thread ON notifying_events (room, thread, room_order);
CREATE INDEX notifying_events_redacted ON notifying_events (room, room_order) WHERE redacted = 1;

-- The newest such event of each thread.
CREATE TABLE notifying_threads (
    room {int} NOT NULL,
    thread {bytes} NOT NULL,
    room_order {int} NOT NULL,
    PRIMARY KEY (room, thread)
){table_options};
CREATE INDEX notifying_threads_by_order ON notifying_threads (room, room_order);

-- Users who are notified of an event in another way than the rows above say of them.
CREATE TABLE notification_exceptions (
    user_number {int} NOT NULL,
    room {int} NOT NULL,
    room_order {int} NOT NULL,
    thread {bytes} NOT NULL,
    event {int} NOT NULL,
    noted_ms {int} NOT NULL,
    notify {int} NOT NULL,
    highlight {int} NOT NULL,
    actions {bytes} NOT NULL,
    -- What the user's counts have more, or less, than the rows above say.
    more_notify {int} NOT NULL,
    more_highlight {int} NOT NULL,
    PRIMARY KEY (user_number, room, room_order)
){table_options};
CREATE INDEX notification_exceptions_by_event ON notification_exceptions (room, room_order);

-- From where on a user's counts go by the rows above (1), or by exceptions alone (0). Without a row
-- they always go by the rows above.
CREATE TABLE notification_modes (
    user_number {int} NOT NULL,
    room {int} NOT NULL,
    -- Holds for the events after this place.
    room_order {int} NOT NULL,
    follows {int} NOT NULL,
    PRIMARY KEY (user_number, room, room_order)
){table_options};

-- What a user has read without saying so: everything before the user's join (thread empty), and the
-- thread in which the user has sent something up to there.
CREATE TABLE notification_marks (
    user_number {int} NOT NULL,
    room {int} NOT NULL,
    thread {bytes} NOT NULL,
    room_order {int} NOT NULL,
    PRIMARY KEY (user_number, room, thread)
){table_options};
INSERT INTO notification_marks (user_number, room, thread, room_order)
    SELECT memberships.user_number, memberships.room, CAST('' AS {bytes}), rooms.room_order
    FROM memberships
    JOIN users ON users.user_number = memberships.user_number
    JOIN rooms ON rooms.room = memberships.room
    WHERE memberships.membership = 0;
