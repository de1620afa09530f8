-- What accounts need beyond a password: states that an operator sets, refresh tokens, interactive
-- authentication, tokens that let people register or log in.
ALTER TABLE users ADD COLUMN locked {int} NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN suspended {int} NOT NULL DEFAULT 0;
-- When the user asked for erasure; NULL: never.
ALTER TABLE users ADD COLUMN erased_ms {int};
-- The version of the terms of service that was accepted at registration.
ALTER TABLE users ADD COLUMN terms_version {bytes};

-- The refresh token that goes with `token_hash`.
ALTER TABLE devices ADD COLUMN refresh_hash {bytes};
-- What a refresh has handed out and nobody has used so far; its use ends the two above.
ALTER TABLE devices ADD COLUMN next_token_hash {bytes};
ALTER TABLE devices ADD COLUMN next_refresh_hash {bytes};
-- The refresh token before `refresh_hash`: whoever shows it is late, but no stranger.
ALTER TABLE devices ADD COLUMN spent_refresh_hash {bytes};

-- NULL: never.
ALTER TABLE access_tokens ADD COLUMN expires_ms {int};
-- 1: this is the device's `next_token_hash`.
ALTER TABLE access_tokens ADD COLUMN is_next {int} NOT NULL DEFAULT 0;

CREATE TABLE refresh_tokens (
    -- SHA-256, as of all tokens.
    token_hash {bytes} NOT NULL PRIMARY KEY,
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL
){table_options};

-- From where a device logged in or refreshed its tokens last.
CREATE TABLE device_addresses (
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL,
    address {bytes},
    user_agent {bytes},
    PRIMARY KEY (user_number, device_id)
){table_options};

-- User-Interactive Authentication that has begun. No password is ever in here.
CREATE TABLE uia_sessions (
    id_hash {bytes} NOT NULL PRIMARY KEY,
    -- SHA-256 over what the request wants; it may not change on the way.
    request {bytes} NOT NULL,
    -- What is to be done, for the user's eyes.
    act {bytes} NOT NULL,
    -- NULL: nobody is logged in, because they register.
    user_number {int},
    -- Stages by spaces, flows by newlines.
    flows {bytes} NOT NULL,
    -- Stages by spaces.
    completed {bytes} NOT NULL,
    registration_token {bytes},
    -- The version of the terms that was shown.
    terms_version {bytes},
    expires_ms {int} NOT NULL,
    version {int} NOT NULL
){table_options};
CREATE INDEX uia_sessions_by_expiry ON uia_sessions (expires_ms);
CREATE INDEX uia_sessions_by_user ON uia_sessions (user_number, expires_ms);
CREATE INDEX uia_sessions_by_registration_token ON uia_sessions (registration_token, expires_ms);

-- Invitations to register. Not hashed: the operator looks them up to hand them on.
CREATE TABLE registration_tokens (
    token {bytes} NOT NULL PRIMARY KEY,
    -- NULL: any number.
    uses_allowed {int},
    completed {int} NOT NULL,
    created_ms {int} NOT NULL,
    -- NULL: never.
    expires_ms {int},
    -- Raised by each use that begins or ends.
    version {int} NOT NULL
){table_options};

-- Tokens that log in once.
CREATE TABLE login_tokens (
    token_hash {bytes} NOT NULL PRIMARY KEY,
    user_number {int} NOT NULL,
    expires_ms {int} NOT NULL
){table_options};
CREATE INDEX login_tokens_by_expiry ON login_tokens (expires_ms);

-- Nonces of shared-secret registration that were used; until they expire, nobody may use them again.
CREATE TABLE used_nonces (
    nonce_hash {bytes} NOT NULL PRIMARY KEY,
    expires_ms {int} NOT NULL
){table_options};
CREATE INDEX used_nonces_by_expiry ON used_nonces (expires_ms);
