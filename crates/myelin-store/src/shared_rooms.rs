//! Table `memberships`, read about two users: the rooms in which both are.

use myelin_core::membership::Membership;

use crate::{Param, Read, StoreError, StoreResult};

const TABLE: &str = "memberships";

/// Rooms in which both users are joined: at most `limit` after the room `after`, in the order of
/// their numbers.
pub async fn list(
    read: &mut Read,
    (user, other): (i64, i64),
    (after, limit): (i64, i64),
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT a.room FROM memberships a
               JOIN memberships b ON b.room = a.room AND b.user_number = $2 AND b.membership = $3
               WHERE a.user_number = $1 AND a.membership = $3 AND a.room > $4
               ORDER BY a.room LIMIT $5";
    let joined = Membership::Join.as_number();
    let parameters = [user, other, joined, after, limit].map(Param::from);
    let rows = read.query(TABLE, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// In how many rooms both users are joined.
pub async fn count(read: &mut Read, (user, other): (i64, i64)) -> StoreResult<i64> {
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM memberships a
               JOIN memberships b ON b.room = a.room AND b.user_number = $2 AND b.membership = $3
               WHERE a.user_number = $1 AND a.membership = $3";
    let joined = Membership::Join.as_number();
    let parameters = [user, other, joined].map(Param::from);
    let row = read.query_one(TABLE, sql, &parameters).await?;
    row.ok_or(StoreError::Missing { table: TABLE })?.int(0)
}

/// Those of `others` who are joined to a room to which the user is joined. Cost: the rooms of the
/// others.
pub async fn list_sharing(read: &mut Read, user: i64, others: &[i64]) -> StoreResult<Vec<i64>> {
    let sql = "SELECT DISTINCT b.user_number FROM memberships b
               JOIN memberships a ON a.room = b.room AND a.user_number = $1 AND a.membership = $3
               WHERE b.user_number = ANY($2) AND b.membership = $3 ORDER BY b.user_number";
    let parameters = [
        user.into(),
        Param::Ints(others.to_vec()),
        Membership::Join.as_number().into(),
    ];
    let rows = read.query(TABLE, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

#[cfg(test)]
mod tests;
