//! Tables `push_rules` and `replaced_push_rules`: what users have changed of the predefined push
//! rules, now and until now.
//!
//! Each change writes a log entry of kind [`LogKind::PushRules`]: its subject is the user, its
//! reference the version of the rules that held until then, which stay in the second table until
//! whoever counts by them has passed that entry.

use bytes::Bytes;

use crate::{
    LogKind, LogWrite, OnConflict, Param, RangeDeletion, Read, StoreResult, Table, WriteSet, bytes,
    int,
};

static PUSH_RULES: Table = Table {
    name: "push_rules",
    key: &[int("user_number")],
    values: &[int("version"), bytes("rules")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

static REPLACED: Table = Table {
    name: "replaced_push_rules",
    key: &[int("user_number"), int("version")],
    values: &[bytes("rules")],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// The version of rules that nobody ever changed.
const UNCHANGED: i64 = 0;

/// What a user has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRules {
    /// Raised by each change.
    pub version: i64,
    /// The differences, in JSON.
    pub rules: Bytes,
}

/// What a user has changed, if that is anything.
pub async fn find(read: &mut Read, user: i64) -> StoreResult<Option<StoredRules>> {
    let sql = "SELECT version, rules FROM push_rules WHERE user_number = $1";
    let row = read.query_one(PUSH_RULES.name, sql, &[user.into()]).await?;
    row.map(|row| {
        Ok(StoredRules {
            version: row.int(0)?,
            rules: row.bytes(1)?,
        })
    })
    .transpose()
}

/// What these users had changed when the log was at a position: user and rules, in the order of the
/// users. Who had changed nothing is left out. Cost: for each user who ever changed something a
/// look at the user's log since then.
pub async fn list_at(read: &mut Read, users: &[i64], pos: i64) -> StoreResult<Vec<(i64, Bytes)>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT c.user_number, c.rules, c.held, p.rules FROM (
                   SELECT r.user_number, r.rules, (
                       SELECT l.reference FROM log l
                       WHERE l.subject = r.user_number AND l.pos > $2 AND l.kind = $3
                       ORDER BY l.pos LIMIT 1
                   ) AS held
                   FROM push_rules r WHERE r.user_number = ANY($1)
               ) c
               LEFT JOIN replaced_push_rules p
                   ON p.user_number = c.user_number AND p.version = c.held
               ORDER BY c.user_number";
    let kind = (LogKind::PushRules as i64).into();
    let parameters = [Param::Ints(users.to_vec()), pos.into(), kind];
    let rows = read.query(PUSH_RULES.name, sql, &parameters).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let rules = match row.opt_int(2)? {
            None => Some(row.bytes(1)?),
            Some(_) => row.opt_bytes(3)?,
        };
        if let Some(rules) = rules {
            found.push((row.int(0)?, rules));
        }
    }
    Ok(found)
}

/// Writes what a user has changed, tells the user's clients, and falls if it is not what was read
/// (None: nothing was changed until then).
pub fn put(writes: &mut WriteSet, user: i64, before: Option<&StoredRules>, rules: Bytes) {
    let version = before.map(|before| before.version);
    writes.expect(&PUSH_RULES, vec![user.into()], version);
    let held = version.unwrap_or(UNCHANGED);
    let values = vec![(held + 1).into(), rules.into()];
    writes.put(&PUSH_RULES, vec![user.into()], values);
    if let Some(before) = before {
        let key = vec![user.into(), held.into()];
        writes.put(&REPLACED, key, vec![before.rules.clone().into()]);
    }
    writes.log(LogWrite {
        kind: LogKind::PushRules,
        subject: user,
        reference: held,
        data: Bytes::new(),
    });
}

/// Forgets what held before a change, once it is of no use.
pub fn delete_replaced(writes: &mut WriteSet, user: i64, version: i64) {
    writes.delete(&REPLACED, vec![user.into(), version.into()]);
}

/// Deletes what a user has changed, without a word to their clients: for users who are gone.
pub fn delete_of_user(writes: &mut WriteSet, user: i64) {
    writes.delete(&PUSH_RULES, vec![user.into()]);
    writes.delete_range(RangeDeletion {
        table: &REPLACED,
        prefix: vec![user.into()],
        from: i64::MIN,
        to: i64::MAX,
    });
}

#[cfg(test)]
mod tests;
