//! Tables `auth_graph` and `auth_edges`: which accepted state events cite which as their auth events.
//!
//! State resolution reads them in both directions. A rejected event is not in here, so it can neither
//! take part in a resolution nor lengthen anybody's walk.

use std::collections::HashMap;

use myelin_core::{
    resolution::{AuthNode, Citing},
    trie::StateKey,
};

use crate::{OnConflict, Param, Read, Row, StoreError, StoreResult, Table, WriteSet, bytes, int};

static AUTH_GRAPH: Table = Table {
    name: "auth_graph",
    key: &[int("event")],
    values: &[
        int("type"),
        int("state_key"),
        int("generation"),
        int("power_levels"),
        bytes("auth_events"),
    ],
    version: None,
    on_conflict: OnConflict::Keep,
};

static AUTH_EDGES: Table = Table {
    name: "auth_edges",
    key: &[int("auth_event"), int("event")],
    values: &[],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// Bytes of an event's number.
const NUMBER_BYTES: usize = size_of::<i64>();

/// Places that are in a write set on its way, by the ids of the events.
pub type PendingPlaces = HashMap<String, AuthNode>;

/// The events that cite an event, besides which no more are asked for, are found by one statement for
/// all that are asked for.
const NEWEST: usize = 4;

/// A query for places in the graph: the table goes by the name `g`, what follows it is the argument.
macro_rules! select_places {
    ($rest:literal) => {
        concat!(
            "SELECT g.event, g.type, g.state_key, g.generation, g.power_levels, g.auth_events
             FROM auth_graph g ",
            $rest
        )
    };
}

/// The places of these events, in no particular order; events without one are left out.
pub async fn list(read: &mut Read, events: &[i64]) -> StoreResult<Vec<AuthNode>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let sql = select_places!("WHERE g.event = ANY($1)");
    let params = [Param::Ints(events.to_vec())];
    let rows = read.query(AUTH_GRAPH.name, sql, &params).await?;
    rows.iter().map(from_row).collect()
}

/// The places of the events with these ids, in no particular order; events without one are left out.
pub async fn list_by_ids(read: &mut Read, ids: &[&str]) -> StoreResult<Vec<(String, AuthNode)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql =
        "SELECT g.event, g.type, g.state_key, g.generation, g.power_levels, g.auth_events, i.id
               FROM event_ids i JOIN auth_graph g ON g.event = i.event WHERE i.id = ANY($1)";
    let ids = ids.iter().map(|id| id.as_bytes().to_vec().into()).collect();
    let rows = read
        .query(AUTH_GRAPH.name, sql, &[Param::BytesList(ids)])
        .await?;
    rows.iter()
        .map(|row| Ok((row.text(6)?, from_row(row)?)))
        .collect()
}

/// For each question the places of the events that cite, the newest first.
///
/// Cost: one statement for all questions for a few of the newest, one for each of the others.
pub async fn list_citing(
    read: &mut Read,
    questions: &[Citing],
) -> StoreResult<Vec<(Citing, Vec<AuthNode>)>> {
    let (first, further): (Vec<_>, Vec<_>) = questions
        .iter()
        .partition(|question| question.before.is_none() && question.limit == NEWEST);
    let mut found = list_newest_citing(read, &first).await?;
    let sql = select_places!(
        "JOIN auth_edges e ON e.event = g.event
         WHERE e.auth_event = $1 AND e.event < $2 ORDER BY e.event DESC LIMIT $3"
    );
    for question in &further {
        let before = question.before.unwrap_or(i64::MAX);
        let limit = i64::try_from(question.limit).unwrap_or(i64::MAX);
        let params = [question.event.into(), before.into(), limit.into()];
        let rows = read.query(AUTH_EDGES.name, sql, &params).await?;
        let places = rows.iter().map(from_row).collect::<StoreResult<_>>()?;
        found.push((*question, places));
    }
    for question in questions.iter().filter(|question| question.climb > 0) {
        found.extend(climb(read, question).await?);
    }
    Ok(found)
}

/// The newest event that cites the one asked for, the newest that cites that one, and so on, each as
/// the answer to a question for one.
async fn climb(read: &mut Read, question: &Citing) -> StoreResult<Vec<(Citing, Vec<AuthNode>)>> {
    let sql = "WITH RECURSIVE climb (cited, event, step) AS (
            SELECT CAST($1 AS BIGINT), (SELECT max(e.event) FROM auth_edges e
                WHERE e.auth_event = $1), CAST(1 AS BIGINT)
            UNION ALL
            SELECT climb.event, (SELECT max(e.event) FROM auth_edges e
                WHERE e.auth_event = climb.event), climb.step + 1
            FROM climb WHERE climb.event IS NOT NULL AND climb.step < $2
        )
        SELECT g.event, g.type, g.state_key, g.generation, g.power_levels, g.auth_events,
            climb.cited
        FROM climb JOIN auth_graph g ON g.event = climb.event ORDER BY climb.step";
    let steps = i64::try_from(question.climb).unwrap_or(i64::MAX);
    let params = [question.event.into(), steps.into()];
    let rows = read.query(AUTH_EDGES.name, sql, &params).await?;
    let answer = |row: &Row| {
        let newest = Citing {
            event: row.int(6)?,
            before: None,
            limit: 1,
            climb: 0,
        };
        Ok((newest, vec![from_row(row)?]))
    };
    rows.iter().map(answer).collect()
}

async fn list_newest_citing(
    read: &mut Read,
    questions: &[Citing],
) -> StoreResult<Vec<(Citing, Vec<AuthNode>)>> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT g.event,
            (SELECT e.event FROM auth_edges e WHERE e.auth_event = g.event
             ORDER BY e.event DESC LIMIT 1),
            (SELECT e.event FROM auth_edges e WHERE e.auth_event = g.event
             ORDER BY e.event DESC LIMIT 1 OFFSET 1),
            (SELECT e.event FROM auth_edges e WHERE e.auth_event = g.event
             ORDER BY e.event DESC LIMIT 1 OFFSET 2),
            (SELECT e.event FROM auth_edges e WHERE e.auth_event = g.event
             ORDER BY e.event DESC LIMIT 1 OFFSET 3)
         FROM auth_graph g WHERE g.event = ANY($1)";
    let cited = questions.iter().map(|question| question.event).collect();
    let rows = read
        .query(AUTH_EDGES.name, sql, &[Param::Ints(cited)])
        .await?;
    let mut citing = HashMap::new();
    for row in &rows {
        let columns = (1..=NEWEST).filter_map(|column| row.opt_int(column).transpose());
        citing.insert(row.int(0)?, columns.collect::<StoreResult<Vec<i64>>>()?);
    }
    let numbers: Vec<i64> = citing.values().flatten().copied().collect();
    let places = list(read, &numbers).await?.into_iter();
    let places: HashMap<i64, AuthNode> = places.map(|place| (place.event, place)).collect();
    let answer = |question: &Citing| {
        let citing = citing.get(&question.event).into_iter().flatten();
        let citing = citing.filter_map(|event| places.get(event).cloned());
        (*question, citing.collect())
    };
    Ok(questions.iter().map(answer).collect())
}

/// Writes the place of an accepted state event, in the set that stores the event.
pub fn insert(writes: &mut WriteSet, place: &AuthNode) {
    let auth_events: Vec<u8> = place
        .auth_events
        .iter()
        .flat_map(|event| event.to_be_bytes())
        .collect();
    writes.put(
        &AUTH_GRAPH,
        vec![place.event.into()],
        vec![
            place.key.event_type.into(),
            place.key.state_key.into(),
            place.generation.into(),
            place.power_levels.into(),
            auth_events.into(),
        ],
    );
    for auth_event in &place.auth_events {
        let key = vec![(*auth_event).into(), place.event.into()];
        writes.put(&AUTH_EDGES, key, Vec::new());
    }
}

fn from_row(row: &Row) -> StoreResult<AuthNode> {
    Ok(AuthNode {
        event: row.int(0)?,
        key: StateKey {
            event_type: row.int(1)?,
            state_key: row.int(2)?,
        },
        generation: row.int(3)?,
        power_levels: row.opt_int(4)?,
        auth_events: auth_events_at(row, 5)?,
    })
}

fn auth_events_at(row: &Row, column: usize) -> StoreResult<Vec<i64>> {
    let stored = row.bytes(column)?;
    let (numbers, rest) = stored.as_chunks::<NUMBER_BYTES>();
    if !rest.is_empty() {
        return Err(StoreError::Corrupt {
            table: AUTH_GRAPH.name,
            column,
            wanted: "the numbers of events",
            found: format!("{} bytes", stored.len()),
        });
    }
    Ok(numbers.iter().map(|it| i64::from_be_bytes(*it)).collect())
}

#[cfg(test)]
mod tests;
