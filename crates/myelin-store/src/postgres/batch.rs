//! One batch in one transaction and two flushes: what it asks, then what it writes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio_postgres::{Client, Error, Statement};

use super::{
    call::{Call, arrays, by_table, send},
    connector::{Connector, RawConnection, driven},
    errors::{failed, is_lost},
    log_rows::{has_latest, log_arguments},
    pending::Pending,
    plan::{Claim, Decision, Delta, Facts, Folded, Questions, RowKey, Stage, decide},
    texts::{BOOKS, LOCK_BOOKS, Verb, log, text},
    values::{Argument, to_row},
};
use crate::{
    CrashPlan, CrashPoint, StoreError, StoreResult, Table, Value, WriteSet,
    statements::all_columns, submission::lost,
};

/// Every statement of the committer finds its rows by key. A plan made while a table was empty
/// would still read the whole of it when it has grown.
const SETTINGS: &str = "SET jit = off;
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET plan_cache_mode = force_generic_plan;
    SET default_transaction_isolation = 'read committed';
    SET idle_in_transaction_session_timeout = '10s'";

/// The committer's connection. The committer drives it itself: every hop to another task would
/// come twice in each commit.
pub(super) struct Connection {
    /// None once it was lost.
    raw: Option<RawConnection>,
    session: Session,
}

/// The connection's client with its prepared statements.
struct Session {
    client: Client,
    statements: HashMap<(&'static str, Verb), Statement>,
    books: Books,
    /// How rows are claimed.
    claim: Verb,
}

struct Books {
    lock: Statement,
    log: Statement,
    log_latest: Statement,
    update: Statement,
}

/// Why a transaction was not committed, or not surely.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused a statement; everything was rolled back.
    Refused(Error),
    /// It failed otherwise, and would again; everything was rolled back.
    Failed(StoreError),
    /// The connection was lost before COMMIT was sent.
    Lost(StoreError),
    /// The connection was lost in or after COMMIT.
    InDoubt(Pending),
}

impl Connection {
    pub(super) async fn open(connector: &Connector) -> StoreResult<Self> {
        let (client, raw) = connector.connect().await?;
        let mut raw = Some(raw);
        let session = driven(&mut raw, Session::open(client)).await;
        let session = session.map_err(failed)?;
        Ok(Self { raw, session })
    }

    /// The number of the node's last committed batch and the position after it. Waits for a
    /// transaction of a lost connection to end.
    pub(super) async fn last_batch(&mut self, node: i64) -> Result<(i64, i64), Error> {
        let Session { client, books, .. } = &self.session;
        let row = driven(&mut self.raw, client.query_one(&books.lock, &[&node])).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// Checks, writes and commits the sets. The second value is the position after the batch.
    pub(super) async fn transact(
        &mut self,
        sets: &[&WriteSet],
        books: (i64, i64),
        claim: Verb,
        crash: Option<&Arc<CrashPlan>>,
    ) -> Result<(Pending, i64), Failure> {
        self.session.claim = claim;
        driven(&mut self.raw, self.session.transact(sets, books, crash)).await
    }
}

impl Session {
    async fn open(client: Client) -> Result<Self, Error> {
        client.batch_execute(SETTINGS).await?;
        let books = Books {
            lock: client.prepare(LOCK_BOOKS).await?,
            log: client.prepare(&log(false)).await?,
            log_latest: client.prepare(&log(true)).await?,
            update: client.prepare(BOOKS).await?,
        };
        Ok(Self {
            client,
            statements: HashMap::new(),
            books,
            claim: Verb::Claim,
        })
    }

    async fn transact(
        &mut self,
        sets: &[&WriteSet],
        (node, batch): (i64, i64),
        crash: Option<&Arc<CrashPlan>>,
    ) -> Result<(Pending, i64), Failure> {
        let strikes = |point| crash.is_some_and(|crash| crash.strikes(point));
        let result = self.write(sets, (node, batch), &strikes).await;
        if let Err(Failure::Refused(_) | Failure::Failed(_)) = &result
            && let Err(error) = self.client.batch_execute("ROLLBACK").await
        {
            return Err(Failure::Lost(failed(error)));
        }
        result
    }

    async fn write(
        &mut self,
        sets: &[&WriteSet],
        (node, batch): (i64, i64),
        strikes: &(dyn Fn(CrashPoint) -> bool + Sync),
    ) -> Result<(Pending, i64), Failure> {
        let questions = Questions::new(sets);
        let (facts, asked) = self.ask(&questions, node).await?;
        let decision = decide(sets, &questions, facts);
        if strikes(CrashPoint::AfterChecks) {
            return Err(Failure::Lost(lost()));
        }
        let Decision { outcomes, stages } = decision;
        let passing = sets
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.is_some());
        let log: Vec<_> = passing.flat_map(|(set, _)| &set.log).collect();
        let entries = i64::try_from(log.len()).unwrap_or(i64::MAX);
        let mut calls = self.writes(&stages).await?;
        if strikes(CrashPoint::AfterRows) {
            send(&self.client, &calls).await.map_err(refused)?;
            return Err(Failure::Lost(lost()));
        }
        calls.push(if log.is_empty() {
            let books = [batch, node].map(|number| Argument::One(number.into()));
            Call::Rows(self.books.update.clone(), books.into())
        } else {
            let books = &self.books;
            let statement = if has_latest(&log) {
                &books.log_latest
            } else {
                &books.log
            };
            Call::Rows(statement.clone(), log_arguments(&log, batch, node))
        });
        if strikes(CrashPoint::BeforeCommit) {
            send(&self.client, &calls).await.map_err(refused)?;
            return Err(Failure::Lost(lost()));
        }
        calls.push(Call::Text("COMMIT"));
        let mut pending = Pending {
            outcomes,
            entries,
            statements: asked.statements + calls.len() as u64,
            rows: asked.rows + log.len() as u64,
        };
        let answers = match send(&self.client, &calls).await {
            Err(error) if is_lost(&error) => return Err(Failure::InDoubt(pending)),
            answers => answers.map_err(refused)?,
        };
        if strikes(CrashPoint::AfterCommit) {
            return Err(Failure::InDoubt(pending));
        }
        pending.rows += answers.iter().map(|answer| answer.count).sum::<u64>();
        let logged = answers
            .iter()
            .rev()
            .nth(1)
            .and_then(|answer| answer.rows.first());
        let position = match logged {
            Some(row) => row.try_get(0).map_err(refused)?,
            None => 0,
        };
        Ok((pending, position))
    }

    /// The first flush: locks what is expected, claims what shall be absent, finds what is taken.
    async fn ask<'a>(
        &mut self,
        questions: &Questions<'a>,
        node: i64,
    ) -> Result<(Facts<'a>, Asked), Failure> {
        let locks = by_table(questions.expected.iter().map(|(key, table)| (*key, *table)));
        let claims = by_table(questions.claims.iter().map(|(key, claim)| (*key, claim)));
        let calls = self.questions(questions, &locks, &claims, node).await?;
        let answers = send(&self.client, &calls).await.map_err(refused)?;
        let statements = calls.len() as u64;
        // After BEGIN and the books.
        let mut answers = answers.into_iter().skip(2);
        let mut facts = Facts::default();
        for (rows, answer) in locks.iter().zip(&mut answers) {
            for row in answer.rows {
                let place: i64 = row.try_get(0).map_err(refused)?;
                let version: i64 = row.try_get(1).map_err(refused)?;
                let place = usize::try_from(place - 1).ok();
                let key = place.and_then(|place| rows.get(place));
                facts.versions.extend(key.map(|(key, _)| (*key, version)));
            }
        }
        for ((key, (table, _)), answer) in questions.takes.iter().zip(&mut answers) {
            let rows = answer.rows.iter().map(|row| to_row(table.name, row));
            let rows: StoreResult<_> = rows.collect();
            facts.takes.insert(*key, rows.map_err(Failure::Failed)?);
        }
        let mut rows = 0;
        for (claims, answer) in claims.iter().zip(&mut answers) {
            rows += answer.count;
            if answer.count < claims.len() as u64 {
                facts.refused.extend(self.refused_claims(claims).await?);
            }
        }
        Ok((facts, Asked { statements, rows }))
    }

    /// The claims that met a row.
    async fn refused_claims<'a>(
        &mut self,
        claims: &[(RowKey<'a>, &Claim<'a>)],
    ) -> Result<Vec<RowKey<'a>>, Failure> {
        let table = claims[0].1.table;
        let statement = self.prepare(table, Verb::Claimed).await?;
        let keys = claims.iter().map(|(key, _)| (key.1, &[][..]));
        let call = [Call::Rows(statement, arrays(table.key, keys, claims.len()))];
        let answers = send(&self.client, &call).await.map_err(refused)?;
        let mut won = HashSet::new();
        for row in answers.iter().flat_map(|answer| &answer.rows) {
            won.insert(row.try_get::<_, i64>(0).map_err(refused)?);
        }
        let places = claims.iter().zip(1_i64..);
        let lost = places.filter(|(_, place)| !won.contains(place));
        Ok(lost.map(|((key, _), _)| *key).collect())
    }

    /// The statements of the first flush.
    async fn questions<'c, 'a: 'c>(
        &mut self,
        questions: &Questions<'a>,
        locks: &[Vec<(RowKey<'a>, &'static Table)>],
        claims: &[Vec<(RowKey<'a>, &'c Claim<'a>)>],
        node: i64,
    ) -> Result<Vec<Call<'c>>, Failure> {
        let own = Argument::One(node.into());
        let mut calls = vec![
            Call::Text("BEGIN"),
            Call::Rows(self.books.lock.clone(), vec![own]),
        ];
        for rows in locks {
            let table = rows[0].1;
            let statement = self.prepare(table, Verb::Lock).await?;
            let keys = rows.iter().map(|(key, _)| (key.1, &[][..]));
            calls.push(Call::Rows(statement, arrays(table.key, keys, rows.len())));
        }
        for ((_, prefix), (table, count)) in &questions.takes {
            let statement = self.prepare(table, Verb::Take(prefix.len())).await?;
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            let arguments = prefix.iter().cloned().chain([Value::Int(count)]);
            calls.push(Call::Rows(
                statement,
                arguments.map(Argument::One).collect(),
            ));
        }
        for rows in claims {
            let table = rows[0].1.table;
            let statement = self.prepare(table, self.claim).await?;
            let values = rows.iter().map(|(key, claim)| (key.1, &claim.values[..]));
            let columns: Vec<_> = all_columns(table).copied().collect();
            calls.push(Call::Count(statement, arrays(&columns, values, rows.len())));
        }
        Ok(calls)
    }

    /// The statements of the second flush but the last.
    async fn writes<'s>(&mut self, stages: &'s [Stage<'_>]) -> Result<Vec<Call<'s>>, Failure> {
        let mut calls = Vec::new();
        for stage in stages {
            for deletion in stage.deletions {
                let verb = Verb::DeleteRange(deletion.prefix.len());
                let statement = self.prepare(deletion.table, verb).await?;
                let range = [Value::Int(deletion.from), Value::Int(deletion.to)];
                let arguments = deletion.prefix.iter().cloned().chain(range);
                calls.push(Call::Count(
                    statement,
                    arguments.map(Argument::One).collect(),
                ));
            }
            let mut rows: Vec<_> = stage.rows().map(|row| (verb(row.delta), row)).collect();
            // Stable: rows stay sorted by key.
            rows.sort_by_key(|(verb, row)| (row.wave, row.table.name, *verb));
            let same = |(verb, row): &(Verb, Folded<'_>), (other, next): &(Verb, Folded<'_>)| {
                verb == other && row.wave == next.wave && row.table.name == next.table.name
            };
            for rows in rows.chunk_by(same) {
                let (verb, Folded { table, .. }) = rows[0];
                let statement = self.prepare(table, verb).await?;
                let written = rows.iter().map(|(_, row)| (row.key, values(row.delta)));
                let width = table.key.len() + values(rows[0].1.delta).len();
                let columns: Vec<_> = all_columns(table).take(width).copied().collect();
                calls.push(Call::Count(
                    statement,
                    arrays(&columns, written, rows.len()),
                ));
            }
        }
        Ok(calls)
    }

    async fn prepare(&mut self, table: &Table, verb: Verb) -> Result<Statement, Failure> {
        if let Some(statement) = self.statements.get(&(table.name, verb)) {
            return Ok(statement.clone());
        }
        let statement = self
            .client
            .prepare(&text(table, verb))
            .await
            .map_err(refused)?;
        self.statements
            .insert((table.name, verb), statement.clone());
        Ok(statement)
    }
}

/// What the first flush has done.
struct Asked {
    statements: u64,
    rows: u64,
}

fn refused(error: Error) -> Failure {
    if is_lost(&error) {
        Failure::Lost(failed(error))
    } else {
        Failure::Refused(error)
    }
}

fn verb(delta: &Delta<'_>) -> Verb {
    match delta {
        Delta::Delete => Verb::Delete,
        Delta::Write(write, _) => Verb::Write(*write),
    }
}

fn values<'s>(delta: &'s Delta<'_>) -> &'s [Value] {
    match delta {
        Delta::Delete => &[],
        Delta::Write(_, values) => values,
    }
}
