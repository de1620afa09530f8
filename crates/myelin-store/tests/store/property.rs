//! Any interleaving of sets, conflicts, crashes and lost connections: what was acknowledged is
//! there, what was refused is not, the rest is there whole or not at all, and the log tells the
//! order in which it happened, without a gap.

mod model;
mod scenario;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use myelin_store::{Committed, CrashPlan, Store, StoreError, StoreResult, Submission, Value};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::support::{Place, query};
use model::{Model, Refused};
use scenario::{Built, Scenario, Step, build, scenarios};

/// More cases: `MYELIN_PROPERTY_CASES=10000 cargo test -p myelin-store property`.
fn cases(usual: u32) -> u32 {
    let wanted = env::var_os("MYELIN_PROPERTY_CASES");
    wanted
        .and_then(|wanted| wanted.to_str()?.parse().ok())
        .unwrap_or(usual)
}

#[test]
fn sqlite_committed_by_its_thread() {
    run(&Place::sqlite(), 1, false, cases(150));
}

#[test]
fn sqlite_driven() {
    run(&Place::sqlite(), 1, true, cases(150));
}

#[test]
fn postgres_with_one_committer() {
    if let Some(place) = Place::postgres() {
        run(&place, 1, false, cases(40));
    }
}

#[test]
fn postgres_with_two_committers() {
    if let Some(place) = Place::postgres() {
        run(&place, 2, false, cases(60));
    }
}

/// The stores of one database. Cases share them; each has rows of its own.
struct Stores<'p> {
    place: &'p Place,
    opened: Vec<(Store, Arc<CrashPlan>)>,
    is_driven: bool,
}

/// What became of one submitted set.
struct Outcome {
    built: Built,
    store: usize,
    answer: StoreResult<Committed>,
}

fn run(place: &Place, stores: usize, is_driven: bool, cases: u32) {
    static CASE: AtomicI64 = AtomicI64::new(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stores = runtime.block_on(async {
        let mut opened = Vec::new();
        for _ in 0..stores {
            let crash = Arc::<CrashPlan>::default();
            let mut options = place.options();
            options.crash = Some(crash.clone());
            options.driven = is_driven;
            opened.push((Store::open(options).await.unwrap(), crash));
        }
        Stores {
            place,
            opened,
            is_driven,
        }
    });
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&scenarios(), |scenario| {
        let case = CASE.fetch_add(1, Relaxed);
        runtime.block_on(check(&stores, case, &scenario))
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

async fn check(stores: &Stores<'_>, case: i64, scenario: &Scenario) -> Result<(), TestCaseError> {
    let before = counter(&stores.opened[0].0).await;
    let outcomes = play(stores, case, scenario).await;
    for (_, crash) in &stores.opened {
        crash.disarm();
    }
    let store = &stores.opened[0].0;
    let sql = "SELECT pos, reference FROM log WHERE pos > $1 ORDER BY pos";
    let log = query(store, sql, &[before.into()]).await;
    let log: Vec<_> = log
        .iter()
        .map(|row| (number(&row[0]), number(&row[1])))
        .collect();
    ensure(
        "positions have no gap",
        log.iter()
            .map(|(pos, _)| *pos)
            .eq(before + 1..=counter(store).await),
    )?;
    check_acknowledged(&outcomes, &log)?;
    let is_exact = stores.opened.len() == 1;
    let model = replay(&outcomes, &log, is_exact)?;
    let found = Model::read(store, case).await;
    if found != model {
        let reason = format!("the log says {model:?}, the rows are {found:?}");
        return Err(TestCaseError::fail(reason));
    }
    if is_exact && !scenario.has_faults() {
        check_exact(&outcomes)?;
    }
    Ok(())
}

/// Plays a scenario and waits for all answers.
async fn play(stores: &Stores<'_>, case: i64, scenario: &Scenario) -> Vec<Outcome> {
    let mut waiting: Vec<(Built, usize, Submission)> = Vec::new();
    let mut outcomes = Vec::new();
    let mut history = Vec::new();
    for step in &scenario.steps {
        match step {
            Step::Submit(spec) => {
                let store = spec.store % stores.opened.len();
                let built = build(spec, case, store, &mut history);
                let submission = stores.opened[store].0.submit(built.writes.clone());
                waiting.push((built, store, submission));
            }
            Step::Crash(store, point) => stores.opened[store % stores.opened.len()].1.arm(*point),
            Step::Disconnect => {
                if let Place::Postgres(database) = stores.place {
                    database.disconnect_all();
                }
            }
            Step::Commit if stores.is_driven => stores.opened[0].0.drive(),
            Step::Commit => settle(stores, &mut waiting, &mut outcomes).await,
        }
    }
    settle(stores, &mut waiting, &mut outcomes).await;
    outcomes
}

async fn settle(
    stores: &Stores<'_>,
    waiting: &mut Vec<(Built, usize, Submission)>,
    outcomes: &mut Vec<Outcome>,
) {
    // More sets than a batch takes are never waiting.
    stores.opened[0].0.drive();
    for (built, store, submission) in waiting.drain(..) {
        let answer = submission.await;
        outcomes.push(Outcome {
            built,
            store,
            answer,
        });
    }
}

/// Acknowledged sets are in the log where they were told, each store's in the order in which it was
/// asked; refused sets are not in it.
fn check_acknowledged(outcomes: &[Outcome], log: &[(i64, i64)]) -> Result<(), TestCaseError> {
    let mut last = [0; 2];
    for Outcome {
        built,
        store,
        answer,
    } in outcomes
    {
        let entries = log.iter().filter(|(_, set)| *set == built.number);
        let positions: Vec<_> = entries.map(|(pos, _)| *pos).collect();
        let most = built.effects.iter().filter(|effect| effect.is_take());
        let of_takes = match answer {
            Ok(done) => {
                let taken = done.taken.iter().flatten().count();
                taken..=taken
            }
            // Nobody was told what it took.
            Err(_) => 0..=most.count(),
        };
        let is_whole = positions.len() >= built.entries
            && of_takes.contains(&(positions.len() - built.entries))
            && positions.windows(2).all(|pair| pair[1] == pair[0] + 1);
        ensure(
            "log entries are whole or absent",
            is_whole || positions.is_empty(),
        )?;
        match answer {
            Ok(done) => {
                ensure("an acknowledged set is there", is_whole)?;
                ensure("it is where it was told", positions[0] == done.first)?;
                ensure(
                    "it ends where it was told",
                    positions.last() == Some(&done.last),
                )?;
                ensure("a store keeps the order", done.first > last[*store])?;
                last[*store] = done.last;
            }
            Err(StoreError::Conflict) => {
                ensure("a refused set is not there", positions.is_empty())?;
            }
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
        }
    }
    Ok(())
}

/// Applies what the log holds in its order. Everything must have been allowed at its place.
fn replay(
    outcomes: &[Outcome],
    log: &[(i64, i64)],
    is_exact: bool,
) -> Result<Model, TestCaseError> {
    let mut model = Model::default();
    let mut previous = None;
    for (_, set) in log {
        if previous.replace(*set) == Some(*set) {
            continue;
        }
        let outcome = outcomes.iter().find(|outcome| outcome.built.number == *set);
        let outcome = outcome.ok_or_else(|| TestCaseError::fail("a set that nobody submitted"))?;
        let taken = outcome.answer.as_ref().ok().map(|done| &done.taken);
        let taken = taken.map(|rows| rows.iter().map(|row| row.as_ref().map(letter)).collect());
        // Two committers may find another first letter than the log's order says, and what an
        // unacknowledged set took is known to nobody.
        let hint = if is_exact { None } else { taken.clone() };
        let wanted = model.apply(&outcome.built, hint);
        let wanted = wanted.map_err(|Refused(why)| {
            TestCaseError::fail(format!("set {set} should have fallen: {why}"))
        })?;
        ensure(
            "what was taken",
            taken.is_none_or(|taken: Vec<_>| taken == wanted),
        )?;
    }
    Ok(model)
}

/// Without faults and other committers the model knows every answer.
fn check_exact(outcomes: &[Outcome]) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for outcome in outcomes {
        let passes = model.apply(&outcome.built, None);
        if passes.is_ok() != outcome.answer.is_ok() {
            let number = outcome.built.number;
            let reason = format!("set {number}: {:?}, but {passes:?}", outcome.answer);
            return Err(TestCaseError::fail(reason));
        }
    }
    Ok(())
}

fn letter(row: &myelin_store::Row) -> (i64, i64) {
    // The owner's number carries the case.
    (number(&row.values[0]) % 10, number(&row.values[1]))
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        other => panic!("{other:?}"),
    }
}

async fn counter(store: &Store) -> i64 {
    number(&query(store, "SELECT pos FROM log_counter", &[]).await[0][0])
}

fn ensure(what: &'static str, holds: bool) -> Result<(), TestCaseError> {
    if holds {
        Ok(())
    } else {
        Err(TestCaseError::fail(what))
    }
}
