//! Table `memberships`: who is what in which room, by room and by user.

use myelin_core::membership::Membership;

use crate::{
    OnConflict, Param, Read, Row, StoreError, StoreResult, Table, WriteSet, int,
    remote_device_lists, room_servers,
};

// Written only together with a room's head, whose expectation orders the writers.
static MEMBERSHIPS: Table = Table {
    name: "memberships",
    key: &[int("room"), int("user_number")],
    values: &[int("membership"), int("event"), int("room_order")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// A user's membership of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserMembership {
    /// The interned room id.
    pub room: i64,
    /// The interned user id.
    pub user: i64,
    /// What the user is in the room.
    pub membership: Membership,
    /// The number of the member event.
    pub event: i64,
}

/// A user's membership of a room, if there ever was one.
pub async fn find(read: &mut Read, room: i64, user: i64) -> StoreResult<Option<UserMembership>> {
    let sql = "SELECT room, user_number, membership, event FROM memberships WHERE room = $1 AND user_number = $2";
    read.query_one(MEMBERSHIPS.name, sql, &[room.into(), user.into()])
        .await?
        .map(|row| from_row(&row))
        .transpose()
}

/// The room order since which a user is joined to a room: that of the member event, which may be newer
/// than the user's coming. None: the user is not joined.
pub async fn joined_since(read: &mut Read, room: i64, user: i64) -> StoreResult<Option<i64>> {
    let sql = "SELECT room_order FROM memberships
               WHERE room = $1 AND user_number = $2 AND membership = $3";
    let joined = Membership::Join.as_number().into();
    let parameters = [room.into(), user.into(), joined];
    let row = read.query_one(MEMBERSHIPS.name, sql, &parameters).await?;
    row.map(|row| row.int(0)).transpose()
}

/// A user's rooms with this membership, in the order of the rooms' numbers, without those that the
/// user has forgotten.
pub async fn list_by_user(
    read: &mut Read,
    user: i64,
    membership: Membership,
) -> StoreResult<Vec<UserMembership>> {
    let sql = "SELECT room, user_number, membership, event FROM memberships
               WHERE user_number = $1 AND membership = $2
               AND NOT EXISTS (
                   SELECT 1 FROM forgotten_rooms
                   WHERE forgotten_rooms.user_number = memberships.user_number
                   AND forgotten_rooms.room = memberships.room
               )
               ORDER BY room";
    let parameters = [user.into(), membership.as_number().into()];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(from_row).collect()
}

/// The rooms that a user has left because somebody else wanted it, in the order of their numbers,
/// without those that the user has forgotten.
pub async fn list_left_by_others(read: &mut Read, user: i64) -> StoreResult<Vec<UserMembership>> {
    let sql = "SELECT m.room, m.user_number, m.membership, m.event FROM memberships m
               JOIN events e ON e.event = m.event
               WHERE m.user_number = $1 AND m.membership = $2 AND e.sender <> $1
               AND NOT EXISTS (
                   SELECT 1 FROM forgotten_rooms f
                   WHERE f.user_number = m.user_number AND f.room = m.room
               )
               ORDER BY m.room";
    let parameters = [user.into(), Membership::Leave.as_number().into()];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(from_row).collect()
}

/// Rooms in which a user has one of these memberships: at most `limit`, in the order of their
/// numbers, after the room `after`. So work over all of a user's rooms can be done in slices.
pub async fn list_rooms_after(
    read: &mut Read,
    user: i64,
    memberships: &[Membership],
    (after, limit): (i64, i64),
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT room FROM memberships
               WHERE user_number = $1 AND membership = ANY($2) AND room > $3
               ORDER BY room LIMIT $4";
    let numbers = memberships.iter().map(|membership| membership.as_number());
    let parameters = [
        user.into(),
        Param::Ints(numbers.collect()),
        after.into(),
        limit.into(),
    ];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Users with this membership of a room: at most `limit`, in the order of their numbers.
pub async fn list_users(
    read: &mut Read,
    room: i64,
    membership: Membership,
    limit: i64,
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT user_number FROM memberships WHERE room = $1 AND membership = $2
               ORDER BY user_number LIMIT $3";
    let parameters = [room.into(), membership.as_number().into(), limit.into()];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// The same after one of them.
pub async fn list_users_after(
    read: &mut Read,
    room: i64,
    membership: Membership,
    (after, limit): (i64, i64),
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT user_number FROM memberships
               WHERE room = $1 AND membership = $2 AND user_number > $3
               ORDER BY user_number LIMIT $4";
    let parameters = [
        room.into(),
        membership.as_number().into(),
        after.into(),
        limit.into(),
    ];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Joined users of a room who have accounts here: at most `limit`, in the order of their numbers.
pub async fn list_joined_accounts(read: &mut Read, room: i64, limit: i64) -> StoreResult<Vec<i64>> {
    let sql = "SELECT memberships.user_number FROM memberships
               JOIN users ON users.user_number = memberships.user_number
               WHERE memberships.room = $1 AND memberships.membership = $2
               ORDER BY memberships.user_number LIMIT $3";
    let joined = Membership::Join.as_number();
    let parameters = [room.into(), joined.into(), limit.into()];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// The guests of this server with this membership of a room whose numbers are above the last one,
/// by number.
pub async fn list_guests_after(
    read: &mut Read,
    (room, last): (i64, i64),
    membership: Membership,
    limit: i64,
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT memberships.user_number FROM memberships
               JOIN users ON users.user_number = memberships.user_number AND users.guest = 1
               WHERE memberships.room = $1 AND memberships.user_number > $2
                   AND memberships.membership = $3
               ORDER BY memberships.user_number LIMIT $4";
    let parameters = [
        room.into(),
        last.into(),
        membership.as_number().into(),
        limit.into(),
    ];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// The first users with this membership of a room, at most `limit`, each with the room order of the
/// member event, in that order.
pub async fn list_first_users(
    read: &mut Read,
    room: i64,
    membership: Membership,
    limit: i64,
) -> StoreResult<Vec<(i64, i64)>> {
    let sql = "SELECT room_order, user_number FROM memberships WHERE room = $1 AND membership = $2
               ORDER BY room_order LIMIT $3";
    let parameters = [room.into(), membership.as_number().into(), limit.into()];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// The numbers of the member events of those who have one of these memberships of a room, in the
/// order in which they came to it.
pub async fn list_events(
    read: &mut Read,
    room: i64,
    memberships: &[Membership],
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT event FROM memberships WHERE room = $1 AND membership = ANY($2)
               ORDER BY room_order, user_number";
    let numbers = memberships.iter().map(|membership| membership.as_number());
    let parameters = [room.into(), Param::Ints(numbers.collect())];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Those of these users who are joined to a room that `viewer` is joined to, in the order of their
/// numbers. Cost: the rooms of these users.
pub async fn list_sharing(read: &mut Read, viewer: i64, users: &[i64]) -> StoreResult<Vec<i64>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT DISTINCT m.user_number FROM memberships m
               JOIN memberships v
                   ON v.room = m.room AND v.user_number = $1 AND v.membership = $2
               WHERE m.user_number = ANY($3) AND m.membership = $2
               ORDER BY m.user_number";
    let joined = Membership::Join.as_number();
    let parameters = [viewer.into(), joined.into(), Param::Ints(users.to_vec())];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Those of these users who are joined to a room, in the order of their numbers.
pub async fn list_joined(read: &mut Read, room: i64, users: &[i64]) -> StoreResult<Vec<i64>> {
    let sql = "SELECT user_number FROM memberships
               WHERE room = $1 AND user_number = ANY($2) AND membership = $3
               ORDER BY user_number";
    let joined = Membership::Join.as_number();
    let parameters = [room.into(), Param::Ints(users.to_vec()), joined.into()];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// What these users are in a room, in the order of their numbers; those who never were in it are left
/// out.
pub async fn list_among(
    read: &mut Read,
    room: i64,
    users: &[i64],
) -> StoreResult<Vec<(i64, Membership)>> {
    let sql = "SELECT room, user_number, membership, event FROM memberships
               WHERE room = $1 AND user_number = ANY($2) ORDER BY user_number";
    let parameters = [room.into(), Param::Ints(users.to_vec())];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter()
        .map(|row| from_row(row).map(|found| (found.user, found.membership)))
        .collect()
}

/// A membership that takes the place of another.
#[derive(Clone, Copy, Debug)]
pub struct MembershipMove {
    /// What it is now.
    pub membership: UserMembership,
    /// The room order of the member event.
    pub room_order: i64,
    /// What it was before; None: the user was never in the room.
    pub before: Option<Membership>,
    /// The interned name of the user's server.
    pub server: i64,
    /// Whether that is another server than this one.
    pub is_remote: bool,
}

impl MembershipMove {
    /// How many joined users the room has more by it: -1, 0 or 1.
    pub fn more_joined(&self) -> i64 {
        let is_joined = self.membership.membership == Membership::Join;
        i64::from(is_joined) - i64::from(self.before == Some(Membership::Join))
    }

    /// Whether an invitation or a knock of a user of another server ends without a join.
    fn takes_back(&self) -> bool {
        let was_asked = matches!(self.before, Some(Membership::Invite | Membership::Knock));
        let membership = self.membership.membership;
        self.is_remote && was_asked && matches!(membership, Membership::Leave | Membership::Ban)
    }
}

/// Users of a server who ever had a membership of a room, those joined now first, at most `limit`.
///
/// Cost: the members of the room. Asked only where a room's history is not for all of its members.
pub async fn list_users_of_server(
    read: &mut Read,
    room: i64,
    server: &str,
    limit: i64,
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT m.user_number FROM memberships m JOIN interned i ON i.id = m.user_number
               WHERE m.room = $1 AND length(i.value) > $4
               AND substr(i.value, CAST(length(i.value) - $4 + 1 AS INTEGER)) = $2
               ORDER BY m.membership, m.user_number LIMIT $3";
    let suffix = format!(":{server}");
    let bytes = i64::try_from(suffix.len()).unwrap_or(i64::MAX);
    let parameters = [
        room.into(),
        suffix.as_str().into(),
        limit.into(),
        bytes.into(),
    ];
    let rows = read.query(MEMBERSHIPS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Writes a membership, in the set that moves the room's head, and counts the user among those of
/// its server.
pub fn record(writes: &mut WriteSet, moved: &MembershipMove) {
    let UserMembership { room, user, .. } = moved.membership;
    upsert(writes, &moved.membership, moved.room_order);
    let more = moved.more_joined();
    if more != 0 {
        room_servers::add(writes, room, moved.server, more);
        if moved.is_remote {
            room_servers::log_one(writes, room, moved.server, (user, more > 0));
            if more > 0 {
                // Of what has changed meanwhile this server may not have been told.
                remote_device_lists::note_change(writes, user);
            }
        }
    } else if moved.takes_back() {
        // So that the server is known to be concerned, though it never was in the room.
        room_servers::add(writes, room, moved.server, 0);
    }
}

/// Writes a membership without counting it among those of its server: who writes many at once adds
/// up each server's for [`room_servers::add`], and tells of them with [`room_servers::log_many`].
pub fn upsert(writes: &mut WriteSet, membership: &UserMembership, room_order: i64) {
    let key = vec![membership.room.into(), membership.user.into()];
    let number = membership.membership.as_number();
    writes.put(
        &MEMBERSHIPS,
        key,
        vec![number.into(), membership.event.into(), room_order.into()],
    );
}

/// Takes a membership away that the state of the room does not have any more.
pub fn delete(writes: &mut WriteSet, room: i64, user: i64) {
    writes.delete(&MEMBERSHIPS, vec![room.into(), user.into()]);
}

fn from_row(row: &Row) -> StoreResult<UserMembership> {
    let number = row.int(2)?;
    let membership = Membership::from_number(number);
    Ok(UserMembership {
        room: row.int(0)?,
        user: row.int(1)?,
        membership: membership.ok_or_else(|| StoreError::Corrupt {
            table: MEMBERSHIPS.name,
            column: 2,
            wanted: "a membership",
            found: number.to_string(),
        })?,
        event: row.int(3)?,
    })
}

#[cfg(test)]
mod tests;
