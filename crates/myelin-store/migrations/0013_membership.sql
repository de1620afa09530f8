-- Invitations to rooms that this server is not in, and knocks at them.
CREATE TABLE outside_memberships (
    room {int} NOT NULL,
    user_number {int} NOT NULL,
    -- The number of the member event; it serves as the version.
    event {int} NOT NULL,
    room_version {bytes} NOT NULL,
    -- What the user is told of the room: a JSON array of stripped state.
    state {bytes} NOT NULL,
    PRIMARY KEY (room, user_number)
){table_options};
