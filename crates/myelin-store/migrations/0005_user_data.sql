-- What users keep here beside their accounts, and the work over many rooms that requests leave behind.

CREATE TABLE jobs (
    kind {int} NOT NULL,
    -- The interned user id that the job is about.
    subject {int} NOT NULL,
    -- The fence: raised by each change, so that who lost the lease is stopped.
    version {int} NOT NULL,
    -- Everything up to this room number is done.
    cursor {int} NOT NULL,
    data {bytes} NOT NULL,
    -- 0: nobody works on it.
    holder {int} NOT NULL,
    -- Nobody but the holder takes it before: the lease's end, or the time of the next attempt.
    due_ms {int} NOT NULL,
    failures {int} NOT NULL,
    PRIMARY KEY (kind, subject)
){table_options};
CREATE INDEX jobs_by_due ON jobs (due_ms);

CREATE TABLE profiles (
    user_number {int} NOT NULL PRIMARY KEY,
    version {int} NOT NULL,
    displayname {bytes},
    avatar_url {bytes},
    -- The other fields: one JSON object.
    fields {bytes} NOT NULL
){table_options};

-- What clients keep on the server for their user. What was deleted stays as `{}`, to be told of.
CREATE TABLE account_data (
    user_number {int} NOT NULL,
    -- The interned string that names room and type.
    key_number {int} NOT NULL,
    version {int} NOT NULL,
    -- The interned room id; 0: for no room.
    room {int} NOT NULL,
    type {bytes} NOT NULL,
    content {bytes} NOT NULL,
    PRIMARY KEY (user_number, key_number)
){table_options};
CREATE INDEX account_data_by_room ON account_data (user_number, room);

-- Filters that clients have uploaded, named by their content.
CREATE TABLE filters (
    user_number {int} NOT NULL,
    filter_id {bytes} NOT NULL,
    created_ms {int} NOT NULL,
    definition {bytes} NOT NULL,
    PRIMARY KEY (user_number, filter_id)
){table_options};

-- Tokens by which users prove to other services who they are.
CREATE TABLE openid_tokens (
    -- SHA-256 of the token; the token itself is never stored.
    token_hash {bytes} NOT NULL PRIMARY KEY,
    user_number {int} NOT NULL,
    expires_ms {int} NOT NULL
){table_options};
CREATE INDEX openid_tokens_by_expiry ON openid_tokens (expires_ms);

-- The words by which users are found: of their localparts and of their display names.
CREATE TABLE directory_words (
    word {bytes} NOT NULL,
    user_number {int} NOT NULL,
    -- 1: the localpart, 2: the display name.
    source {int} NOT NULL,
    PRIMARY KEY (word, user_number, source)
){table_options};

-- Rooms whose members anybody may find: 1: anybody may join, 2: anybody may read.
CREATE TABLE open_rooms (
    room {int} NOT NULL,
    aspect {int} NOT NULL,
    is_open {int} NOT NULL,
    PRIMARY KEY (room, aspect)
){table_options};

-- What users have found inappropriate.
CREATE TABLE reports (
    report {id},
    received_ms {int} NOT NULL,
    reporter {int} NOT NULL,
    -- What it is about: a room, an event of a room, or a user.
    room {int},
    event {int},
    user_number {int},
    reason {bytes},
    score {int}
);
CREATE INDEX reports_by_time ON reports (received_ms, report);
