-- Sticky events of one sender are shown in a room at a bounded rate (MSC4354).
-- Since when it is shown; NULL: it waits.
ALTER TABLE sticky_events ADD COLUMN shown_ms {int};
UPDATE sticky_events SET shown_ms = 0 WHERE soft_failed = 0;
CREATE INDEX sticky_events_by_sender ON sticky_events (room, sender, event);
CREATE INDEX sticky_events_waiting ON sticky_events (room, sender, event) WHERE shown_ms IS NULL;
