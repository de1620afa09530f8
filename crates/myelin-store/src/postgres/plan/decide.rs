//! Which sets of a batch pass, in queue order, each seen against those before it.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{
    Facts, Questions, RowKey, Stage, claimed,
    fold::{Delta, Stages},
};
use crate::{Change, OnConflict, Operation, Row, Table, Value, WriteSet};

/// What becomes of a batch.
#[derive(Debug)]
pub(in crate::postgres) struct Decision<'a> {
    /// For each set the rows that it took, or None if it falls.
    pub(in crate::postgres) outcomes: Vec<Option<Vec<Option<Row>>>>,
    /// What is still to be written, in this order.
    pub(in crate::postgres) stages: Vec<Stage<'a>>,
    /// The versions of the rows that somebody expects and that are changed; None where that is
    /// not known, or the row is deleted.
    pub(in crate::postgres) versions: Vec<(RowKey<'a>, Option<i64>)>,
}

/// Decides a batch.
pub(in crate::postgres) fn decide<'a>(
    sets: &[&'a WriteSet],
    questions: &Questions<'a>,
    facts: Facts<'a>,
) -> Decision<'a> {
    let rows = taken_rows(questions, &facts);
    let mut decider = Decider {
        questions,
        facts,
        rows,
        written: HashSet::new(),
        put_blindly: blindly_put(sets),
        asked_about: questions.tables(),
        settled: HashSet::new(),
        stages: Stages::default(),
    };
    let mut outcomes = Vec::with_capacity(sets.len());
    for (index, set) in sets.iter().enumerate() {
        let passes = decider.passes(set);
        outcomes.push(passes.then(|| decider.pass(index, set)));
    }
    decider.drop_fallen_claims();
    decider.put_back();
    let version = |state| match state {
        State::Absent => None,
        State::Present(version) => version,
    };
    let rows = decider.rows.into_iter();
    Decision {
        outcomes,
        stages: decider.stages.finish(),
        versions: rows.map(|(row, state)| (row, version(state))).collect(),
    }
}

/// A row as the next set of the batch would find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    /// With its version, if that is known: it is for all rows that anybody expects.
    Present(Option<i64>),
}

struct Decider<'q, 'a> {
    questions: &'q Questions<'a>,
    facts: Facts<'a>,
    /// The rows that passing sets have changed, of those that were asked about.
    rows: HashMap<RowKey<'a>, State>,
    /// Rows that passing sets have written: a second put needs an expectation.
    written: HashSet<RowKey<'a>>,
    /// The tables of such puts: of others it is not noted what was written.
    put_blindly: HashSet<&'static str>,
    /// The tables of expected and claimed rows.
    asked_about: HashSet<&'static str>,
    /// Claimed rows that hold what they shall, or that a stage writes.
    settled: HashSet<RowKey<'a>>,
    stages: Stages<'a>,
}

impl<'a> Decider<'_, 'a> {
    fn passes(&self, set: &'a WriteSet) -> bool {
        let expectations = set.expectations.iter().all(|expectation| {
            let state = self.state((expectation.table.name, &expectation.key));
            match expectation.version {
                None => state == State::Absent,
                Some(version) => state == State::Present(Some(version)),
            }
        });
        expectations
            && set
                .operations
                .iter()
                .all(|operation| self.fits(set, operation))
    }

    fn fits(&self, set: &'a WriteSet, operation: &'a Operation) -> bool {
        let Operation { table, key, change } = operation;
        match change {
            Change::Insert(_) => self.state((table.name, key)) == State::Absent,
            Change::Put(_) => {
                table.on_conflict != OnConflict::Replace
                    || !self.written.contains(&(table.name, &key[..]))
                    || set.expects(table, key)
            }
            Change::Add(_) | Change::Max(_) | Change::Delete => true,
        }
    }

    /// A row that somebody expects or claims, as the sets passed so far leave it.
    fn state(&self, key: RowKey<'a>) -> State {
        if let Some(state) = self.rows.get(&key) {
            *state
        } else if let Some(version) = self.facts.versions.get(&key) {
            State::Present(Some(*version))
        } else if self.facts.refused.contains(&key) {
            // Somebody else has inserted it since the expected rows were read.
            State::Present(None)
        } else {
            State::Absent
        }
    }

    /// Does what a passing set wants: its takes, which are deleted already, then its range
    /// deletions, then its operations.
    fn pass(&mut self, index: usize, set: &'a WriteSet) -> Vec<Option<Row>> {
        let mut taken = Vec::with_capacity(set.takes.len());
        for take in &set.takes {
            let rows = self
                .facts
                .takes
                .get_mut(&(take.table.name, &take.prefix[..]));
            taken.push(rows.and_then(VecDeque::pop_front));
        }
        if !set.deletions.is_empty() {
            self.stages.begin(&set.deletions);
        }
        for operation in &set.operations {
            self.write(index, set, operation);
        }
        taken
    }

    fn write(&mut self, index: usize, set: &'a WriteSet, operation: &'a Operation) {
        let Operation { table, key, change } = operation;
        let row = (table.name, &key[..]);
        let is_fold = matches!(change, Change::Add(_) | Change::Max(_));
        if !is_fold && self.put_blindly.contains(table.name) {
            self.written.insert(row);
        }
        let delta = Delta::new(change);
        if !self.asked_about.contains(table.name) {
            self.stages.write(table, row.1, delta, false);
            return;
        }
        let claim = self.questions.claims.get(&row);
        if claim.is_some() || self.questions.expected.contains_key(&row) {
            let state = after(table, self.state(row), change);
            self.rows.insert(row, state);
        }
        let holds_claim = match claim {
            Some(claim) if !self.facts.refused.contains(&row) && self.settled.insert(row) => {
                let is_claimant = claim.set == Some(index) && claimed(set, operation).is_some();
                // A range deletion of the same set would take the claimed row with it.
                if is_claimant && set.deletions.is_empty() {
                    return;
                }
                true
            }
            _ => false,
        };
        self.stages.write(table, row.1, delta, holds_claim);
    }

    /// Deletes the claimed rows that no passing set wanted.
    fn drop_fallen_claims(&mut self) {
        for (row, claim) in &self.questions.claims {
            if !self.facts.refused.contains(row) && !self.settled.contains(row) {
                self.stages.write(claim.table, row.1, Delta::Delete, false);
            }
        }
    }

    /// Writes the rows again that were taken for sets that fell.
    fn put_back(&mut self) {
        for (prefix, rows) in &mut self.facts.takes {
            let (table, _) = self.questions.takes[prefix];
            for row in rows.drain(..) {
                self.stages.put_back(table, row);
            }
        }
    }
}

/// What was taken was there when the batch began, for those who ask about it.
fn taken_rows<'a>(questions: &Questions<'a>, facts: &Facts<'a>) -> HashMap<RowKey<'a>, State> {
    let mut taken = HashSet::new();
    for (prefix, rows) in &facts.takes {
        let (table, _) = questions.takes[prefix];
        let keys = rows.iter().map(|row| &row.values[..table.key.len()]);
        taken.extend(keys.map(|key| (table.name, key)));
    }
    let claims = questions.claims.keys();
    let claims = claims.filter(|claim| taken.contains(*claim));
    claims.map(|claim| (*claim, State::Present(None))).collect()
}

/// The tables in which a set puts a row without saying which version it is built on.
fn blindly_put(sets: &[&WriteSet]) -> HashSet<&'static str> {
    let mut tables = HashSet::new();
    for set in sets {
        for Operation { table, key, change } in &set.operations {
            let is_put = matches!(change, Change::Put(_));
            if is_put && table.on_conflict == OnConflict::Replace && !set.expects(table, key) {
                tables.insert(table.name);
            }
        }
    }
    tables
}

/// A row after a change.
fn after(table: &Table, before: State, change: &Change) -> State {
    let version = |values: &[Value]| match values.get(table.version?)? {
        Value::Int(version) => Some(*version),
        Value::Null | Value::Bytes(_) => None,
    };
    match (change, before) {
        (Change::Delete, _) => State::Absent,
        (Change::Put(_), State::Present(_)) if table.on_conflict == OnConflict::Keep => before,
        (Change::Put(values) | Change::Insert(values), _)
        | (Change::Add(values) | Change::Max(values), State::Absent) => {
            State::Present(version(values))
        }
        (Change::Add(values), State::Present(old)) => State::Present(
            old.zip(version(values))
                .map(|(old, new)| old.wrapping_add(new)),
        ),
        (Change::Max(values), State::Present(old)) => {
            State::Present(old.zip(version(values)).map(|(old, new)| old.max(new)))
        }
    }
}
