-- Devices that wait, without a session, for their users to log in.
CREATE TABLE dehydrated_devices (
    user_number {int} NOT NULL PRIMARY KEY,
    version {int} NOT NULL,
    device_id {bytes} NOT NULL,
    -- The device, encrypted by its user: a JSON object.
    device_data {bytes} NOT NULL
){table_options};
