-- What was noted long ago is looked for in the order of its time.
CREATE INDEX notification_exceptions_by_time
    ON notification_exceptions (noted_ms, user_number, room, room_order);
