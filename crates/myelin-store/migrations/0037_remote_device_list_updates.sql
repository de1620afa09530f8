-- The last update of a user's devices that another server has sent: the next one names it, if none was
-- lost in between.
CREATE TABLE remote_device_list_updates (
    user_number {int} NOT NULL PRIMARY KEY,
    stream_id {int} NOT NULL
){table_options};
