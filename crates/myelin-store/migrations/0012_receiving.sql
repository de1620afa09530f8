-- Events of other servers.

-- What became of an event: 0 accepted; 1 outlier, known without its place in the room; 2 rejected;
-- 3 soft-failed. All but the accepted ones have the room order 0.
ALTER TABLE events ADD COLUMN status {int} NOT NULL DEFAULT 0;

-- Redactions that came before what they redact.
CREATE TABLE early_redactions (
    redacts {bytes} NOT NULL,
    -- The redaction.
    event {int} NOT NULL,
    PRIMARY KEY (redacts, event)
){table_options};
