-- Backups of the keys of encrypted rooms.

CREATE TABLE key_backups (
    user_number {int} NOT NULL,
    -- Counts the user's backups; the numbers of those that were deleted are not used again.
    backup {int} NOT NULL,
    version {int} NOT NULL,
    algorithm {bytes} NOT NULL,
    -- A JSON object.
    auth_data {bytes} NOT NULL,
    -- Counts the changes of the keys in it.
    etag {int} NOT NULL,
    count {int} NOT NULL,
    deleted {int} NOT NULL,
    PRIMARY KEY (user_number, backup)
){table_options};

CREATE TABLE backed_up_keys (
    user_number {int} NOT NULL,
    backup {int} NOT NULL,
    -- The interned room id.
    room {int} NOT NULL,
    session_id {bytes} NOT NULL,
    first_message_index {int} NOT NULL,
    forwarded_count {int} NOT NULL,
    is_verified {int} NOT NULL,
    -- A JSON object.
    session_data {bytes} NOT NULL,
    PRIMARY KEY (user_number, backup, room, session_id)
){table_options};
