-- Messages between devices, until they have arrived.

-- Their order is that of their entries in the log.
CREATE TABLE to_device (
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL,
    -- What the log calls this row.
    message {int} NOT NULL,
    -- The event as the device is shown it.
    event {bytes} NOT NULL,
    PRIMARY KEY (user_number, device_id, message)
){table_options};

CREATE TABLE to_device_queues (
    user_number {int} NOT NULL,
    device_id {bytes} NOT NULL,
    -- How many messages the device was ever sent.
    sent {int} NOT NULL,
    -- How many there were when somebody last looked whether too many wait.
    looked_at {int} NOT NULL,
    PRIMARY KEY (user_number, device_id)
){table_options};
