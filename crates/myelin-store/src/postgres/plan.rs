//! What a batch asks of the database before it decides, and what it writes after it has: pure, so
//! that every interleaving can be tested without a server.

mod decide;
mod fold;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
};

use bytes::Bytes;

use crate::{Change, Column, Expectation, Key, Kind, Operation, Row, Table, Value, WriteSet};

pub(super) use self::{
    decide::{Decision, decide},
    fold::{Delta, Folded, Stage},
};

/// A row by its table's name and its key.
pub(super) type RowKey<'a> = (&'static str, &'a [Value]);

/// What must be locked, claimed and taken before a batch is decided. All maps are sorted by table
/// and key: that is the order of locking, the same on all nodes.
#[derive(Debug, Default)]
pub(super) struct Questions<'a> {
    /// Rows that some set expects.
    pub(super) expected: BTreeMap<RowKey<'a>, &'static Table>,
    /// Rows that some set wants to be absent and then writes.
    pub(super) claims: BTreeMap<RowKey<'a>, Claim<'a>>,
    /// How many rows are taken below each prefix.
    pub(super) takes: BTreeMap<RowKey<'a>, (&'static Table, usize)>,
}

/// The first set that claims a row, and what it writes.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    pub(super) table: &'static Table,
    pub(super) values: Cow<'a, [Value]>,
    /// None for a row that only keeps others from inserting it before this batch is committed.
    pub(super) set: Option<usize>,
}

/// What the database answered.
#[derive(Debug, Default)]
pub(super) struct Facts<'a> {
    /// The versions of the expected rows that are there.
    pub(super) versions: HashMap<RowKey<'a>, i64>,
    /// The claims that met a row.
    pub(super) refused: HashSet<RowKey<'a>>,
    /// The rows deleted for takes, in key order.
    pub(super) takes: HashMap<RowKey<'a>, VecDeque<Row>>,
}

impl<'a> Questions<'a> {
    pub(super) fn new(sets: &[&'a WriteSet]) -> Self {
        let mut questions = Self::default();
        for (index, set) in sets.iter().enumerate() {
            for expectation in &set.expectations {
                let key = (expectation.table.name, &expectation.key[..]);
                questions.expected.insert(key, expectation.table);
            }
            questions.claim(index, set);
            for take in &set.takes {
                let key = (take.table.name, &take.prefix[..]);
                questions.takes.entry(key).or_insert((take.table, 0)).1 += 1;
            }
        }
        for expectation in sets.iter().flat_map(|set| &set.expectations) {
            questions.guard(expectation);
        }
        questions
    }

    /// Claims a row that shall be absent though no set inserts it: no lock is on what is not there.
    fn guard(&mut self, expectation: &'a Expectation) {
        if expectation.version.is_some() {
            return;
        }
        let table = expectation.table;
        let key = (table.name, &expectation.key[..]);
        self.claims.entry(key).or_insert_with(|| Claim {
            table,
            values: table.values.iter().map(empty).collect(),
            set: None,
        });
    }

    /// The tables of expected and claimed rows.
    pub(super) fn tables(&self) -> HashSet<&'static str> {
        let keys = self.expected.keys().chain(self.claims.keys());
        let mut tables: Vec<_> = keys.map(|(table, _)| *table).collect();
        // Sorted by table, so few are left.
        tables.dedup();
        tables.into_iter().collect()
    }

    fn claim(&mut self, index: usize, set: &'a WriteSet) {
        for operation in &set.operations {
            if let Some(values) = claimed(set, operation) {
                let key = (operation.table.name, &operation.key[..]);
                self.claims.entry(key).or_insert(Claim {
                    table: operation.table,
                    values: Cow::Borrowed(values),
                    set: Some(index),
                });
            }
        }
    }
}

/// The values with which an operation claims its row, if its set wants the row to be absent.
fn claimed<'a>(set: &'a WriteSet, operation: &'a Operation) -> Option<&'a [Value]> {
    match &operation.change {
        Change::Insert(values) => Some(values),
        Change::Put(values) | Change::Add(values) | Change::Max(values) => {
            expects_absence(set, operation.table, &operation.key).then_some(values)
        }
        Change::Delete => None,
    }
}

fn empty(column: &Column) -> Value {
    match column.kind {
        Kind::Int => Value::Int(0),
        Kind::Bytes => Value::Bytes(Bytes::new()),
    }
}

fn expects_absence(set: &WriteSet, table: &Table, key: &Key) -> bool {
    set.expectations.iter().any(|expectation| {
        expectation.version.is_none()
            && expectation.table.name == table.name
            && expectation.key == *key
    })
}

/// How many of the first sets can be decided as one batch. What the database answers is from
/// before the batch; takes and range deletions touch rows that no question names, so sets that
/// would have to see their effect wait for the next batch.
pub(super) fn decidable(sets: &[&WriteSet]) -> usize {
    if sets
        .iter()
        .all(|set| set.takes.is_empty() && set.deletions.is_empty())
    {
        return sets.len();
    }
    let (mut written, mut cleared) = (HashSet::new(), HashSet::new());
    // With the length of the prefix: rows below prefixes of two lengths could be taken twice.
    let mut taken_below = HashMap::new();
    for (index, set) in sets.iter().enumerate() {
        let operations = set.operations.iter().map(|operation| operation.table.name);
        let deletions = set.deletions.iter().map(|deletion| deletion.table.name);
        let takes = set
            .takes
            .iter()
            .map(|take| (take.table.name, take.prefix.len()));
        let asks = set
            .expectations
            .iter()
            .map(|expectation| expectation.table.name);
        let writes: HashSet<_> = operations.clone().chain(deletions.clone()).collect();
        let clashes = |(table, prefix)| {
            written.contains(table)
                || taken_below
                    .get(table)
                    .is_some_and(|length| *length != prefix)
        };
        let waits = takes.clone().any(clashes)
            || writes.iter().any(|table| taken_below.contains_key(table))
            || asks
                .clone()
                .any(|table| taken_below.contains_key(table) || cleared.contains(table))
            || operations.clone().any(|table| cleared.contains(table));
        if waits && index > 0 {
            return index;
        }
        cleared.extend(deletions);
        taken_below.extend(takes);
        written.extend(writes);
    }
    sets.len()
}
