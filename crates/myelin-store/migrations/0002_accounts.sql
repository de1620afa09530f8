-- Local users, their devices and tokens, and the server's own key.
CREATE TABLE users (
    -- The interned user id; the id itself stands here too, so that a session is one read.
    user_number {id},
    user_id {bytes} NOT NULL,
    -- A PHC string; NULL: no password opens this account.
    password_hash {bytes},
    created_ms {int} NOT NULL,
    -- NULL: active.
    deactivated_ms {int},
    admin {int} NOT NULL,
    guest {int} NOT NULL,
    version {int} NOT NULL
);
CREATE TABLE devices (
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL,
    display_name {bytes},
    created_ms {int} NOT NULL,
    -- The one access token that counts: a new login with the device replaces it.
    token_hash {bytes},
    version {int} NOT NULL,
    PRIMARY KEY (user_number, device_id)
){table_options};
-- Apart from devices, because it is written blindly, at most once a minute.
CREATE TABLE device_activity (
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL,
    last_seen_ms {int} NOT NULL,
    PRIMARY KEY (user_number, device_id)
){table_options};
CREATE TABLE access_tokens (
    -- SHA-256 of the token; the token itself is never stored.
    token_hash {bytes} NOT NULL PRIMARY KEY,
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL,
    created_ms {int} NOT NULL
){table_options};
CREATE TABLE signing_keys (
    -- 1 is made at first start; the highest number signs.
    number {id},
    key_version {bytes} NOT NULL,
    seed {bytes} NOT NULL,
    created_ms {int} NOT NULL
);
