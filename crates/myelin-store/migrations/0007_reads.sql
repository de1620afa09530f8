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
