//! Table `relations`: what events of a room say about others of it.

mod newest;

use bytes::Bytes;
use myelin_core::relation::{REFERENCE, Relation, THREAD};

pub use newest::{Newest, list_newest, list_newest_of_all};

use crate::{
    OnConflict, Param, Read, StoreResult, Table, WriteSet, bytes, events::StoredEvent, int, threads,
};

static RELATIONS: Table = Table {
    name: "relations",
    key: &[int("event")],
    values: &[
        bytes("id"),
        int("room"),
        int("room_order"),
        int("type"),
        int("sender"),
        int("origin_server_ts"),
        bytes("parent"),
        bytes("rel_type"),
        bytes("annotation"),
    ],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// Which events that say something about another one are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Children<'a> {
    /// The interned room id.
    pub room: i64,
    /// The id of the event that they say something about.
    pub parent: &'a str,
    /// Only this kind of relation.
    pub rel_type: Option<&'a str>,
    /// Only this interned type of event.
    pub event_type: Option<i64>,
    /// Also what is said about what is said, [`DEPTH_MAX`] deep. What leads there has to be of the
    /// kinds that are wanted, too.
    pub recurse: bool,
}

/// How many relations are followed from an event, if they are followed at all.
pub const DEPTH_MAX: i64 = 3;

/// Notes what an event says about another one, if it does, in the set that gives the event its place
/// in the room.
pub fn insert(writes: &mut WriteSet, event: &StoredEvent) {
    let Some(relation) = Relation::of_event(&event.json) else {
        return;
    };
    let values = vec![
        event.id.as_str().into(),
        event.room.into(),
        event.room_order.into(),
        event.event_type.into(),
        event.sender.into(),
        event.origin_server_ts.into(),
        relation.event_id.as_str().into(),
        relation.rel_type.as_str().into(),
        relation.key.as_deref().into(),
    ];
    writes.put(&RELATIONS, vec![event.event.into()], values);
    if relation.rel_type == THREAD {
        threads::enter(writes, (event.room, &relation.event_id), event.room_order);
    }
}

/// Forgets what an event said about another one, in the set that redacts it. What that leaves of a
/// thread is for [`threads::leave`].
pub fn delete(writes: &mut WriteSet, event: i64) {
    writes.delete(&RELATIONS, vec![event.into()]);
}

/// A query for the numbers of events that say something about another one.
macro_rules! children {
    ($rest:literal) => {
        concat!(
            "SELECT event FROM relations
             WHERE room = $1 AND parent = $2 AND (type = $4 OR $4 = 0) AND ",
            $rest,
            " LIMIT $5"
        )
    };
}

/// All that is said about an event, about that, and so on. In a room of version 1 or 2, where a server
/// chooses the ids of its events, that may go round in circles.
macro_rules! descendants {
    ($rest:literal) => {
        concat!(
            "WITH RECURSIVE descendants (event, id, room_order, depth) AS (
                SELECT event, id, room_order, 1 FROM relations
                WHERE room = $1 AND parent = $2
                AND (type = $4 OR $4 = 0) AND (rel_type = $6 OR $6 IS NULL)
                UNION ALL
                SELECT r.event, r.id, r.room_order, d.depth + 1
                FROM descendants d JOIN relations r ON r.room = $1 AND r.parent = d.id
                WHERE d.depth < $7
                AND (r.type = $4 OR $4 = 0) AND (r.rel_type = $6 OR $6 IS NULL)
             ) SELECT DISTINCT event, room_order FROM descendants WHERE ",
            $rest,
            " LIMIT $5"
        )
    };
}

/// The numbers of the newest events that say something about another one, of those below a place in
/// the room: at most `limit`, the newest first. With `recurse`, cost: all of them.
pub async fn list_before(
    read: &mut Read,
    children: &Children<'_>,
    before: i64,
    limit: i64,
) -> StoreResult<Vec<i64>> {
    let sql = match (children.recurse, children.rel_type) {
        (true, _) => descendants!("room_order < $3 ORDER BY room_order DESC"),
        (false, None) => children!("room_order < $3 ORDER BY room_order DESC"),
        (false, Some(_)) => children!(
            "rel_type = $6 AND room_order < $3
             ORDER BY room_order DESC"
        ),
    };
    list(read, sql, children, (before, limit)).await
}

/// The same of those from a place on, the oldest first.
pub async fn list_from(
    read: &mut Read,
    children: &Children<'_>,
    from: i64,
    limit: i64,
) -> StoreResult<Vec<i64>> {
    let sql = match (children.recurse, children.rel_type) {
        (true, _) => descendants!("room_order >= $3 ORDER BY room_order"),
        (false, None) => children!("room_order >= $3 ORDER BY room_order"),
        (false, Some(_)) => children!("rel_type = $6 AND room_order >= $3 ORDER BY room_order"),
    };
    list(read, sql, children, (from, limit)).await
}

async fn list(
    read: &mut Read,
    sql: &'static str,
    children: &Children<'_>,
    (bound, limit): (i64, i64),
) -> StoreResult<Vec<i64>> {
    let mut parameters: Vec<Param> = vec![
        children.room.into(),
        children.parent.into(),
        bound.into(),
        children.event_type.unwrap_or_default().into(),
        limit.into(),
    ];
    if children.recurse || children.rel_type.is_some() {
        parameters.push(children.rel_type.into());
    }
    if children.recurse {
        parameters.push(DEPTH_MAX.into());
    }
    let rows = read.query(RELATIONS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Which kinds of relations there are to these events, of the kinds named: each pair of an event's id
/// and a kind once.
pub async fn list_kinds(
    read: &mut Read,
    (room, parents): (i64, &[&str]),
    rel_types: &[&str],
) -> StoreResult<Vec<(String, String)>> {
    if parents.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT DISTINCT parent, rel_type FROM relations
               WHERE room = $1 AND parent = ANY($2) AND rel_type = ANY($3)";
    let parameters = [room.into(), names(parents), names(rel_types)];
    let rows = read.query(RELATIONS.name, sql, &parameters).await?;
    let pair = |row: &crate::Row| Ok((row.text(0)?, row.text(1)?));
    rows.iter().map(pair).collect()
}

/// Which of these events something is said about, by one of these senders and by a relation of one
/// of these kinds; None: by anybody, of any kind.
pub async fn list_parents(
    read: &mut Read,
    (room, parents): (i64, &[&str]),
    (senders, rel_types): (Option<&[i64]>, Option<&[&str]>),
) -> StoreResult<Vec<String>> {
    if parents.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT DISTINCT parent FROM relations
               WHERE room = $1 AND parent = ANY($2)
               AND (sender = ANY($3) OR $4 = 1) AND (rel_type = ANY($5) OR $6 = 1)";
    let is_any = |any: bool| Param::from(i64::from(any));
    let parameters = [
        room.into(),
        names(parents),
        Param::Ints(senders.unwrap_or_default().to_vec()),
        is_any(senders.is_none()),
        names(rel_types.unwrap_or_default()),
        is_any(rel_types.is_none()),
    ];
    let rows = read.query(RELATIONS.name, sql, &parameters).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// An event that refers to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The id of the event that it refers to.
    pub parent: String,
    /// Its own id.
    pub id: String,
    /// Its number.
    pub event: i64,
    /// Its place in the room.
    pub room_order: i64,
}

/// The events that refer to these, by none of these senders and not above a place in the room: the
/// oldest first, at most `limit`.
pub async fn list_references(
    read: &mut Read,
    (room, parents): (i64, &[&str]),
    (last, without): (i64, &[i64]),
    limit: i64,
) -> StoreResult<Vec<Reference>> {
    let sql = "SELECT parent, id, event, room_order FROM relations
               WHERE room = $1 AND parent = ANY($2) AND rel_type = $3
               AND room_order <= $4 AND NOT (sender = ANY($5))
               ORDER BY room_order LIMIT $6";
    let parameters = [
        room.into(),
        names(parents),
        REFERENCE.into(),
        last.into(),
        Param::Ints(without.to_vec()),
        limit.into(),
    ];
    let rows = read.query(RELATIONS.name, sql, &parameters).await?;
    let reference = |row: &crate::Row| {
        Ok(Reference {
            parent: row.text(0)?,
            id: row.text(1)?,
            event: row.int(2)?,
            room_order: row.int(3)?,
        })
    };
    rows.iter().map(reference).collect()
}

/// How many events these senders have in each of these threads, where they have any: the root's id and
/// the number.
pub async fn count_in_threads(
    read: &mut Read,
    (room, roots): (i64, &[&str]),
    senders: &[i64],
) -> StoreResult<Vec<(String, i64)>> {
    if senders.is_empty() || roots.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT parent, COUNT(*) FROM relations
               WHERE room = $1 AND parent = ANY($2) AND rel_type = $3 AND sender = ANY($4)
               GROUP BY parent";
    let parameters = [
        room.into(),
        names(roots),
        THREAD.into(),
        Param::Ints(senders.to_vec()),
    ];
    let rows = read.query(RELATIONS.name, sql, &parameters).await?;
    let pair = |row: &crate::Row| Ok((row.text(0)?, row.int(1)?));
    rows.iter().map(pair).collect()
}

/// The room order of the newest event in a thread but this one.
pub async fn find_newest_other(
    read: &mut Read,
    (room, root): (i64, &str),
    event: i64,
) -> StoreResult<Option<i64>> {
    let sql = "SELECT room_order FROM relations
               WHERE room = $1 AND parent = $2 AND rel_type = $3 AND event <> $4
               ORDER BY room_order DESC LIMIT 1";
    let parameters = [room.into(), root.into(), THREAD.into(), event.into()];
    let row = read.query_one(RELATIONS.name, sql, &parameters).await?;
    row.map(|row| row.int(0)).transpose()
}

/// Whether a user has annotated an event by events of this interned type with this key.
pub async fn is_annotated(
    read: &mut Read,
    (room, parent): (i64, &str),
    (sender, event_type): (i64, i64),
    key: &str,
) -> StoreResult<bool> {
    let sql = "SELECT 1 FROM relations
               WHERE room = $1 AND parent = $2 AND rel_type = $3 AND sender = $4
               AND type = $5 AND annotation = $6 LIMIT 1";
    let parameters = [
        room.into(),
        parent.into(),
        myelin_core::relation::ANNOTATION.into(),
        sender.into(),
        event_type.into(),
        key.into(),
    ];
    let row = read.query_one(RELATIONS.name, sql, &parameters).await?;
    Ok(row.is_some())
}

fn names(names: &[&str]) -> Param {
    let bytes = names
        .iter()
        .map(|name| Bytes::copy_from_slice(name.as_bytes()));
    Param::BytesList(bytes.collect())
}

#[cfg(test)]
pub(crate) mod tests;
