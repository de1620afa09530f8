-- Keys of other servers, each as long as it counts, and the answers that their servers signed.
CREATE TABLE remote_keys (
    server {bytes} NOT NULL,
    key_id {bytes} NOT NULL,
    public_key {bytes} NOT NULL,
    -- Signatures of a later time do not count.
    valid_until_ms {int} NOT NULL,
    PRIMARY KEY (server, key_id)
){table_options};
CREATE TABLE remote_key_answers (
    server {bytes} NOT NULL PRIMARY KEY,
    json {bytes} NOT NULL,
    fetched_ms {int} NOT NULL,
    valid_until_ms {int} NOT NULL
){table_options};
-- Until when one of our own keys counts; 0 for the newest.
ALTER TABLE signing_keys ADD COLUMN expired_ms {int} NOT NULL DEFAULT 0;
