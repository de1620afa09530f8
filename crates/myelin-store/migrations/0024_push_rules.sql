-- What users have changed of the predefined push rules.

CREATE TABLE push_rules (
    user_number {int} NOT NULL PRIMARY KEY,
    version {int} NOT NULL,
    rules {bytes} NOT NULL
){table_options};

-- What was changed again, until nobody needs to know what held before: an event counts by the rules
-- that held when it was logged.
CREATE TABLE replaced_push_rules (
    user_number {int} NOT NULL,
    version {int} NOT NULL,
    rules {bytes} NOT NULL,
    PRIMARY KEY (user_number, version)
){table_options};
