-- The room order of each member event, so that the first members of a room are found without
-- looking at all of them.
ALTER TABLE memberships ADD COLUMN room_order {int} NOT NULL DEFAULT 0;
UPDATE memberships SET room_order = COALESCE(
    (SELECT events.room_order FROM events WHERE events.event = memberships.event), 0
);
CREATE INDEX memberships_by_order ON memberships (room, membership, room_order);
