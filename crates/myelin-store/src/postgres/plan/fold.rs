//! Many changes of one row folded into one, because one statement may not touch a row twice.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{Change, OnConflict, RangeDeletion, Row, Table, Value, statements::RowWrite};

/// What is written between two range deletions.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Stage<'a> {
    /// Range deletions, before the rows.
    pub(in crate::postgres) deletions: &'a [RangeDeletion],
    /// Rows by table and key; a row's changes follow each other in waves, mostly one.
    rows: BTreeMap<(&'static str, Cow<'a, [Value]>), Waves<'a>>,
}

/// One row's changes.
#[derive(Debug)]
struct Waves<'a> {
    table: &'static Table,
    waves: Vec<Delta<'a>>,
}

/// One row's change in one wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Delta<'a> {
    Delete,
    Write(RowWrite, Cow<'a, [Value]>),
}

/// One row of one wave, ready to be sent.
#[derive(Debug)]
pub(in crate::postgres) struct Folded<'s> {
    pub(in crate::postgres) wave: usize,
    pub(in crate::postgres) table: &'static Table,
    pub(in crate::postgres) key: &'s [Value],
    pub(in crate::postgres) delta: &'s Delta<'s>,
}

impl<'a> Stage<'a> {
    /// All changes, sorted by table and key.
    pub(in crate::postgres) fn rows(&self) -> impl Iterator<Item = Folded<'_>> {
        self.rows.iter().flat_map(|((_, key), row)| {
            row.waves.iter().enumerate().map(|(wave, delta)| Folded {
                wave,
                table: row.table,
                key,
                delta,
            })
        })
    }

    fn is_empty(&self) -> bool {
        self.deletions.is_empty() && self.rows.is_empty()
    }

    fn write(&mut self, table: &'static Table, key: Cow<'a, [Value]>, delta: Delta<'a>) {
        let row = self.rows.entry((table.name, key)).or_insert(Waves {
            table,
            waves: Vec::new(),
        });
        match row.waves.last_mut() {
            Some(last) => match last.then(table, &delta) {
                Some(folded) => *last = folded,
                None => row.waves.push(delta),
            },
            None => row.waves.push(delta),
        }
    }
}

/// The stages of a batch as they are built.
#[derive(Debug, Default)]
pub(super) struct Stages<'a> {
    done: Vec<Stage<'a>>,
    current: Stage<'a>,
}

impl<'a> Stages<'a> {
    /// Begins a stage with range deletions.
    pub(super) fn begin(&mut self, deletions: &'a [RangeDeletion]) {
        let next = Stage {
            deletions,
            ..Stage::default()
        };
        let stage = std::mem::replace(&mut self.current, next);
        self.done.push(stage);
    }

    /// Writes a row as it was.
    pub(super) fn put_back(&mut self, table: &'static Table, mut row: Row) {
        let values = row.values.split_off(table.key.len());
        let delta = Delta::Write(RowWrite::Replace, Cow::Owned(values));
        self.current.write(table, Cow::Owned(row.values), delta);
    }

    /// Writes a row. `over_claim`: the database holds what a set claimed that fell or comes later,
    /// so the change is one of an absent row.
    pub(super) fn write(
        &mut self,
        table: &'static Table,
        key: &'a [Value],
        delta: Delta<'a>,
        over_claim: bool,
    ) {
        if over_claim {
            self.current.write(table, Cow::Borrowed(key), Delta::Delete);
        }
        self.current.write(table, Cow::Borrowed(key), delta);
    }

    pub(super) fn finish(mut self) -> Vec<Stage<'a>> {
        self.done.push(self.current);
        self.done.retain(|stage| !stage.is_empty());
        self.done
    }
}

impl<'a> Delta<'a> {
    pub(super) fn new(change: &'a Change) -> Self {
        match change {
            Change::Put(values) => Self::Write(RowWrite::Put, Cow::Borrowed(values)),
            // It was checked that the row is absent: what is there now is a claim that fell.
            Change::Insert(values) => Self::Write(RowWrite::Replace, Cow::Borrowed(values)),
            Change::Add(values) => Self::Write(RowWrite::Add, Cow::Borrowed(values)),
            Change::Max(values) => Self::Write(RowWrite::Max, Cow::Borrowed(values)),
            Change::Delete => Self::Delete,
        }
    }

    /// This change and then `next` as one, or None if no single statement does both.
    fn then(&self, table: &Table, next: &Self) -> Option<Self> {
        use RowWrite::{Add, Max, Put, Replace};
        let keeps = table.on_conflict == OnConflict::Keep;
        let (first, old) = match self {
            Self::Write(write, values) => (*write, values),
            Self::Delete => {
                return Some(match next {
                    Self::Delete => Self::Delete,
                    Self::Write(_, values) => Self::Write(Replace, values.clone()),
                });
            }
        };
        let (second, new) = match next {
            Self::Write(write, values) => (*write, values),
            Self::Delete => return Some(Self::Delete),
        };
        match (first, second) {
            // The row is there by now, so it stays.
            (_, Put) if keeps => Some(self.clone()),
            (_, Replace | Put) => Some(next.clone()),
            // What the first puts is unknown if the row was there, and what a sum is raised to.
            (Put, Add | Max) if keeps => None,
            (Add, Max) | (Max, Add) => None,
            (_, Add) => Some(merge(first, old, new, i64::wrapping_add)),
            (_, Max) => Some(merge(first, old, new, Ord::max)),
        }
    }
}

fn merge<'a>(
    write: RowWrite,
    old: &[Value],
    new: &[Value],
    both: fn(i64, i64) -> i64,
) -> Delta<'a> {
    let values = old.iter().zip(new).map(|(old, new)| match (old, new) {
        (Value::Int(old), Value::Int(new)) => Value::Int(both(*old, *new)),
        // As SQL does it: nothing is known of NULL.
        _ => Value::Null,
    });
    Delta::Write(write, values.collect())
}
