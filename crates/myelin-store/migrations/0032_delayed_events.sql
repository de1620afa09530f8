-- Delayed events (MSC4140): what users want to be sent later, and for a while what became of it.
CREATE TABLE delayed_events (
    -- Drawn by chance: clients know it as the delay id.
    delayed {int} NOT NULL PRIMARY KEY,
    version {int} NOT NULL,
    sender {int} NOT NULL,
    room {int} NOT NULL,
    type {int} NOT NULL,
    state_key {int},
    content {bytes} NOT NULL,
    -- For how long the event is sticky (MSC4354); NULL: it is not.
    sticky_ms {int},
    delay_ms {int} NOT NULL,
    scheduled_ms {int} NOT NULL,
    -- When it is to be sent; NULL once that is decided.
    due_ms {int},
    finalised_ms {int},
    -- The event that it became.
    event {int},
    -- Why it became none: the body of an error; NULL: its sender cancelled it.
    error {bytes}
){table_options};
CREATE INDEX delayed_events_due ON delayed_events (due_ms, delayed) WHERE due_ms IS NOT NULL;
CREATE INDEX delayed_events_scheduled ON delayed_events (sender, due_ms, delayed)
    WHERE due_ms IS NOT NULL;
CREATE INDEX delayed_events_finalised ON delayed_events (finalised_ms, delayed)
    WHERE finalised_ms IS NOT NULL;
CREATE INDEX delayed_events_kept ON delayed_events (sender, finalised_ms, delayed)
    WHERE finalised_ms IS NOT NULL;

-- The delayed event that an event has been, which its sender is told.
ALTER TABLE events ADD COLUMN delayed {int};
