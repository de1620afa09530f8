-- The graph of auth events, which state resolution walks: of accepted state events only.
CREATE TABLE auth_graph (
    event {int} NOT NULL PRIMARY KEY,
    type {int} NOT NULL,
    state_key {int} NOT NULL,
    -- 0 without auth events, else one more than the greatest among them.
    generation {int} NOT NULL,
    -- The power levels event among its auth events.
    power_levels {int},
    -- The numbers of its auth events, of eight bytes each.
    auth_events {bytes} NOT NULL
){table_options};

-- The same edges from below: which events cite one.
CREATE TABLE auth_edges (
    auth_event {int} NOT NULL,
    event {int} NOT NULL,
    PRIMARY KEY (auth_event, event)
){table_options};
