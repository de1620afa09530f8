//! One batch in one transaction: what it asks, then what it writes. Two flushes, or one where this
//! node knows the answers from its own last commits and the database only has to confirm them.

mod statements;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio_postgres::{Client, Error, Statement};

use super::{
    beliefs::Beliefs,
    call::{Call, arrays, by_table, send},
    connector::{Connector, RawConnection, driven},
    errors::{failed, is_lost},
    log_rows::{has_latest, log_arguments},
    pending::Pending,
    plan::{Claim, Decision, Facts, Questions, RowKey, decide},
    texts::{BOOKS, LOCK_BOOKS, Verb, log},
    values::{Argument, to_row_after},
};
use crate::{
    CrashPlan, CrashPoint, LogWrite, StoreError, StoreResult, Table, WriteSet, submission::lost,
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
    beliefs: Beliefs,
}

struct Books {
    lock: Statement,
    log: Statement,
    log_latest: Statement,
    update: Statement,
}

/// Whether the crash that a test wants happens here.
type Strikes<'a> = &'a (dyn Fn(CrashPoint) -> bool + Sync);

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
            beliefs: Beliefs::default(),
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
        strikes: Strikes<'_>,
    ) -> Result<(Pending, i64), Failure> {
        let questions = Questions::new(sets);
        if let Some(facts) = self.beliefs.facts(&questions) {
            let believed = facts.versions.clone();
            let decision = decide(sets, &questions, facts);
            if decision.outcomes.iter().all(Option::is_some) {
                let checks = self.checks(&questions, &believed, node).await?;
                let done = (checks, Asked::default());
                let written = self.finish(sets, decision, done, (node, batch), strikes);
                match written.await {
                    Err(Failure::Refused(_)) => self.doubt(&questions).await?,
                    outcome => return outcome,
                }
            }
        }
        let (facts, asked) = self.ask(&questions, node).await?;
        self.beliefs.learn(&facts);
        let decision = decide(sets, &questions, facts);
        let done = (Vec::new(), asked);
        self.finish(sets, decision, done, (node, batch), strikes)
            .await
    }

    /// Writes and commits what was decided. `first` is sent before it, in the same flush.
    async fn finish(
        &mut self,
        sets: &[&WriteSet],
        decision: Decision<'_>,
        (first, asked): (Vec<Call<'_>>, Asked),
        books: (i64, i64),
        strikes: Strikes<'_>,
    ) -> Result<(Pending, i64), Failure> {
        if strikes(CrashPoint::AfterChecks) {
            return Err(Failure::Lost(lost()));
        }
        let Decision {
            outcomes,
            stages,
            versions,
        } = decision;
        let passing = sets.iter().zip(&outcomes);
        let passing = passing.filter_map(|(set, taken)| Some((set, taken.as_ref()?)));
        let log = passing.flat_map(|(set, taken)| set.entries(taken));
        let log: Vec<_> = log.collect();
        let mut calls = first;
        calls.extend(self.writes(&stages).await?);
        for (point, last) in [
            (CrashPoint::AfterRows, self.books.call(&log, books)),
            (CrashPoint::BeforeCommit, Call::Text("COMMIT")),
        ] {
            if strikes(point) {
                send(&self.client, &calls).await.map_err(refused)?;
                return Err(Failure::Lost(lost()));
            }
            calls.push(last);
        }
        let mut pending = Pending {
            outcomes,
            entries: i64::try_from(log.len()).unwrap_or(i64::MAX),
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
        self.beliefs.update(versions);
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

    /// What was believed was wrong, or what should be absent was there; all was rolled back.
    async fn doubt(&mut self, questions: &Questions<'_>) -> Result<(), Failure> {
        self.beliefs.forget(questions);
        let rolled_back = self.client.batch_execute("ROLLBACK").await;
        rolled_back.map_err(|error| Failure::Lost(failed(error)))
    }

    /// The first flush: locks what is expected, claims what shall be absent, takes what is taken.
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
        let takes = by_table(questions.takes.iter().map(|(key, take)| (*key, *take)));
        let mut rows = 0;
        for (prefixes, answer) in takes.iter().zip(&mut answers) {
            rows += answer.rows.len() as u64;
            note_taken(&mut facts, prefixes, answer.rows)?;
        }
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
}

/// Notes the rows that were deleted for takes, each behind the place of its prefix.
fn note_taken<'a>(
    facts: &mut Facts<'a>,
    prefixes: &[(RowKey<'a>, (&'static Table, usize))],
    rows: Vec<tokio_postgres::Row>,
) -> Result<(), Failure> {
    for row in rows {
        let place: i64 = row.try_get(0).map_err(refused)?;
        let place = usize::try_from(place - 1).ok();
        if let Some((key, (table, _))) = place.and_then(|place| prefixes.get(place)) {
            let row = to_row_after(1, table.name, &row).map_err(Failure::Failed)?;
            facts.takes.entry(*key).or_default().push_back(row);
        }
    }
    Ok(())
}

impl Books {
    /// The last statement before COMMIT: the log rows, or else this batch's row of the books.
    fn call<'c>(&self, log: &[&'c LogWrite], (node, batch): (i64, i64)) -> Call<'c> {
        if log.is_empty() {
            let books = [batch, node].map(|number| Argument::One(number.into()));
            return Call::Rows(self.update.clone(), books.into());
        }
        let statement = if has_latest(log) {
            &self.log_latest
        } else {
            &self.log
        };
        Call::Rows(statement.clone(), log_arguments(log, batch, node))
    }
}

/// What the first flush has done.
#[derive(Default)]
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
