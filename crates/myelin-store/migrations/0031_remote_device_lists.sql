-- What other servers have told of their users' devices.

-- How often a user's devices have changed, as far as we hear of it, or may have changed unheard.
CREATE TABLE remote_device_list_changes (
    user_number {int} NOT NULL PRIMARY KEY,
    changes {int} NOT NULL
){table_options};

CREATE TABLE remote_device_lists (
    user_number {int} NOT NULL PRIMARY KEY,
    -- How many changes there had been before it was asked for: of fewer than there are now it is of
    -- no use any more.
    changes {int} NOT NULL,
    told_ms {int} NOT NULL,
    -- As JSON.
    list {bytes} NOT NULL
){table_options};
