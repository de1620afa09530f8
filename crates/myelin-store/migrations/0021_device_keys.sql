-- Keys of end-to-end encryption.

CREATE TABLE device_keys (
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL,
    version {int} NOT NULL,
    -- The object as it was uploaded.
    keys {bytes} NOT NULL,
    PRIMARY KEY (user_number, device_id)
){table_options};

CREATE TABLE one_time_keys (
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL,
    -- The interned name of the algorithm.
    algorithm {int} NOT NULL,
    -- Counts what the device has uploaded: keys are given out in this order.
    number {int} NOT NULL,
    key_id {bytes} NOT NULL,
    -- As JSON.
    value {bytes} NOT NULL,
    PRIMARY KEY (user_number, device_id, algorithm, number)
){table_options};

CREATE TABLE one_time_key_counters (
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL,
    -- The number of the next key; it only grows, so it serves as the version.
    next {int} NOT NULL,
    PRIMARY KEY (user_number, device_id)
){table_options};

CREATE TABLE fallback_keys (
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL,
    algorithm {int} NOT NULL,
    version {int} NOT NULL,
    key_id {bytes} NOT NULL,
    value {bytes} NOT NULL,
    -- 1: somebody has claimed it.
    used {int} NOT NULL,
    PRIMARY KEY (user_number, device_id, algorithm)
){table_options};

CREATE TABLE cross_signing_keys (
    user_number {int} NOT NULL,
    -- 1: master, 2: self-signing, 3: user-signing.
    usage {int} NOT NULL,
    version {int} NOT NULL,
    -- The object as it was uploaded.
    value {bytes} NOT NULL,
    PRIMARY KEY (user_number, usage)
){table_options};

-- Signatures that were uploaded apart from the keys that they are of.
CREATE TABLE key_signatures (
    -- Whose key is signed, and which: the device id, or the public cross-signing key.
    user_number {int} NOT NULL,
    key_id {bytes} NOT NULL,
    signer {int} NOT NULL,
    signing_key {bytes} NOT NULL,
    signature {bytes} NOT NULL,
    PRIMARY KEY (user_number, key_id, signer, signing_key)
){table_options};

CREATE INDEX log_device_lists ON log (pos) WHERE kind = 11;
