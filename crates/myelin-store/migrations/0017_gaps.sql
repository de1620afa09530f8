-- What of a gap is known: the ids of the events before it that are missing, separated by newlines
-- (NULL: nobody has noted them), and a version, because it is filled from several sides.
ALTER TABLE gaps ADD COLUMN missing {bytes};
ALTER TABLE gaps ADD COLUMN version {int} NOT NULL DEFAULT 0;
