-- Redactions that take along what relates to their target, whenever it comes (MSC3912).
CREATE TABLE relation_redactions (
    -- The number of the redaction.
    redaction {int} NOT NULL PRIMARY KEY,
    room {int} NOT NULL,
    -- The id of the redacted event.
    target {bytes} NOT NULL,
    -- A list of relation types in JSON; none in it stands for all.
    rel_types {bytes} NOT NULL
){table_options};
CREATE INDEX relation_redactions_by_target ON relation_redactions (room, target);
