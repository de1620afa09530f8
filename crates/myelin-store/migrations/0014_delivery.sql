-- Which servers are in which room, and what has not reached them yet.

-- How many users of a server are joined to a room. A server that has left keeps its row, with 0: it
-- is told of what happened up to then.
CREATE TABLE room_servers (
    room {int} NOT NULL,
    server {int} NOT NULL,
    joined {int} NOT NULL,
    PRIMARY KEY (room, server)
){table_options};
CREATE INDEX room_servers_by_server ON room_servers (server, room);

-- The servers of all who are joined: what follows the first colon of a user id.
CREATE TABLE joined_servers (
    user_number {int} NOT NULL PRIMARY KEY,
    name {bytes} NOT NULL
){table_options};
INSERT INTO joined_servers (user_number, name)
    WITH RECURSIVE places (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM places WHERE n < 256)
    SELECT users.id, substr(users.value, 1 + (
        SELECT MIN(n) FROM places WHERE substr(users.value, n, 1) = CAST(':' AS {bytes})
    ))
    FROM interned users
    WHERE users.id IN (SELECT user_number FROM memberships WHERE membership = 0);
UPDATE sequences SET next = next + (
    SELECT COUNT(DISTINCT name) FROM joined_servers
    WHERE name NOT IN (SELECT value FROM interned)
) WHERE name = CAST('interned' AS {bytes});
INSERT INTO interned (id, value)
    SELECT (SELECT next FROM sequences WHERE name = CAST('interned' AS {bytes}))
        - ROW_NUMBER() OVER (ORDER BY name), name
    FROM (
        SELECT DISTINCT name FROM joined_servers WHERE name NOT IN (SELECT value FROM interned)
    ) AS missing;
INSERT INTO room_servers (room, server, joined)
    SELECT memberships.room, servers.id, COUNT(*)
    FROM memberships
    JOIN joined_servers ON joined_servers.user_number = memberships.user_number
    JOIN interned servers ON servers.value = joined_servers.name
    WHERE memberships.membership = 0
    GROUP BY memberships.room, servers.id;
DROP TABLE joined_servers;

-- How many of the joined users are of other servers.
ALTER TABLE rooms ADD COLUMN joined_remote {int} NOT NULL DEFAULT 0;
UPDATE rooms SET joined_remote = COALESCE((
    SELECT CAST(SUM(room_servers.joined) AS {int})
    FROM room_servers
    JOIN interned ON interned.id = room_servers.server
    WHERE room_servers.room = rooms.room
        AND interned.value <> (SELECT value FROM meta WHERE name = CAST('server_name' AS {bytes}))
), 0);

-- Servers that are behind the others. Who has no row has been sent everything up to the cursor of
-- the follower `federation`.
CREATE TABLE destinations (
    server {int} NOT NULL PRIMARY KEY,
    version {int} NOT NULL,
    -- Everything up to this position of the log has reached it, in all rooms.
    cursor {int} NOT NULL,
    -- It is being brought up to this position; 0: nobody has begun to.
    target {int} NOT NULL,
    -- The rooms below this number have been brought up to the target, and the room of this number
    -- up to the room cursor.
    room {int} NOT NULL,
    room_cursor {int} NOT NULL,
    -- Whether it was away for so long that it is told only the newest of each room.
    newest_only {int} NOT NULL,
    -- How many attempts in a row have failed, since when, and when the next one is due.
    failures {int} NOT NULL,
    failing_since_ms {int} NOT NULL,
    next_try_ms {int} NOT NULL
){table_options};

-- What happened before there was anybody to send it is not sent.
INSERT INTO followers (name, version, cursor, holder, until_ms)
    SELECT CAST('federation' AS {bytes}), 1, pos, 0, 0 FROM log_counter;
