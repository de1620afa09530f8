//! Table `thread_subscriptions`: who has subscribed to which thread (MSC4306).
//!
//! Each change writes a log entry of kind [`LogKind::ThreadSubscription`], which says what held until
//! then. Rows stay when a subscription ends: they say what an automatic one must not undo.

use bytes::{BufMut, BytesMut};

use crate::{
    LogKind, LogWrite, OnConflict, RangeDeletion, Read, Row, StoreError, StoreResult, Table, Value,
    WriteSet, bytes, int,
};

static SUBSCRIPTIONS: Table = Table {
    name: "thread_subscriptions",
    key: &[int("user_number"), int("room"), bytes("root")],
    values: &[int("version"), int("state"), int("ended_at")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// How a user has subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum Subscription {
    /// A client did so, because of an event.
    Automatic = 1,
    /// The user did.
    Manual = 2,
}

/// How a user stands to a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Raised by each change; 0: there was none.
    pub version: i64,
    /// None: not subscribed.
    pub subscription: Option<Subscription>,
    /// The place of the newest event of the room when a subscription was last ended.
    pub ended_at: i64,
}

/// A thread of a room, by the id of its root.
pub type Thread<'a> = (i64, &'a str);

/// How a user stands to a thread.
pub async fn find(read: &mut Read, user: i64, (room, root): Thread<'_>) -> StoreResult<Standing> {
    let sql = "SELECT version, state, ended_at FROM thread_subscriptions
               WHERE user_number = $1 AND room = $2 AND root = $3";
    let parameters = [user.into(), room.into(), root.into()];
    let row = read.query_one(SUBSCRIPTIONS.name, sql, &parameters).await?;
    row.map_or(Ok(Standing::default()), |row| from_row(&row))
}

/// Whether a user has ever subscribed to any thread.
pub async fn has_any(read: &mut Read, user: i64) -> StoreResult<bool> {
    let sql = "SELECT 1 FROM thread_subscriptions WHERE user_number = $1 LIMIT 1";
    let row = read
        .query_one(SUBSCRIPTIONS.name, sql, &[user.into()])
        .await?;
    Ok(row.is_some())
}

/// Who was subscribed to a thread when the log was at a position, in the order of their numbers.
/// Cost: for each user who ever subscribed to it a look at the user's log since then.
pub async fn list_subscribers_at(
    read: &mut Read,
    (room, root): Thread<'_>,
    pos: i64,
) -> StoreResult<Vec<i64>> {
    let sql = "SELECT s.user_number, s.state, (
                   SELECT l.data FROM log l
                   WHERE l.subject = s.user_number AND l.pos > $3 AND l.kind = $4
                   AND l.reference = $1 AND SUBSTR(l.data, 2) = $2
                   ORDER BY l.pos LIMIT 1
               ) FROM thread_subscriptions s
               WHERE s.room = $1 AND s.root = $2 ORDER BY s.user_number";
    let kind = (LogKind::ThreadSubscription as i64).into();
    let parameters = [room.into(), root.into(), pos.into(), kind];
    let rows = read.query(SUBSCRIPTIONS.name, sql, &parameters).await?;
    let mut found = Vec::new();
    for row in rows {
        let was_subscribed = match row.opt_bytes(2)? {
            Some(data) => data.first() == Some(&1),
            None => row.int(1)? > 0,
        };
        if was_subscribed {
            found.push(row.int(0)?);
        }
    }
    Ok(found)
}

/// Writes how a user stands to a thread from now on, and falls if it is not as it was read before.
pub fn put(
    writes: &mut WriteSet,
    user: i64,
    (room, root): Thread<'_>,
    (before, after): (&Standing, &Standing),
) {
    let key: Vec<Value> = vec![user.into(), room.into(), root.into()];
    let version = Some(before.version).filter(|version| *version > 0);
    writes.expect(&SUBSCRIPTIONS, key.clone(), version);
    let state = after.subscription.map_or(0, |kind| kind as i64);
    let values = vec![
        (before.version + 1).into(),
        state.into(),
        after.ended_at.into(),
    ];
    writes.put(&SUBSCRIPTIONS, key, values);
    let mut data = BytesMut::with_capacity(1 + root.len());
    data.put_u8(before.subscription.is_some().into());
    data.put_slice(root.as_bytes());
    writes.log(LogWrite {
        kind: LogKind::ThreadSubscription,
        subject: user,
        reference: room,
        data: data.freeze(),
    });
}

/// Deletes a user's subscriptions, without a word to their clients: for users who are gone.
pub fn delete_of_user(writes: &mut WriteSet, user: i64) {
    writes.delete_range(RangeDeletion {
        table: &SUBSCRIPTIONS,
        prefix: vec![user.into()],
        from: i64::MIN,
        to: i64::MAX,
    });
}

fn from_row(row: &Row) -> StoreResult<Standing> {
    let state = row.int(1)?;
    Ok(Standing {
        version: row.int(0)?,
        subscription: match state {
            0 => None,
            1 => Some(Subscription::Automatic),
            2 => Some(Subscription::Manual),
            _ => {
                return Err(StoreError::Corrupt {
                    table: SUBSCRIPTIONS.name,
                    column: 1,
                    wanted: "a kind of subscription",
                    found: state.to_string(),
                });
            }
        },
        ended_at: row.int(2)?,
    })
}

#[cfg(test)]
mod tests;
