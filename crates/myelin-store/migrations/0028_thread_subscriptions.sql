-- Who has subscribed to which thread (MSC4306).
CREATE TABLE thread_subscriptions (
    user_number {int} NOT NULL,
    room {int} NOT NULL,
    -- The id of the event that the thread starts from.
    root {bytes} NOT NULL,
    version {int} NOT NULL,
    -- 0: not any more, 1: by a client, 2: by the user.
    state {int} NOT NULL,
    -- The place of the newest event of the room when the subscription was last ended.
    ended_at {int} NOT NULL,
    PRIMARY KEY (user_number, room, root)
){table_options};
CREATE INDEX thread_subscriptions_by_thread ON thread_subscriptions (room, root, user_number);
