//! A write set: what one use case wants to change, and what it expects to find.

use bytes::Bytes;

use crate::{
    Column, Kind, LogEntry, LogKind, OnConflict, Row, StoreError, StoreResult, Table, Value,
};

/// Most rows that one set may write (DESIGN: bigger work is committed in slices).
pub const ROWS_MAX: usize = 2_000;
/// Most bytes that one set may write.
pub const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The values of a table's key columns, or of the first few of them.
pub type Key = Vec<Value>;

/// What to do with one row.
#[derive(Clone, Debug)]
pub enum Change {
    /// Write the row, whether it is there or not (see [`OnConflict`]).
    Put(Vec<Value>),
    /// Write the row, which must be absent: else the set falls with [`StoreError::Conflict`].
    Insert(Vec<Value>),
    /// Add to the integer columns; an absent row counts as zeros.
    Add(Vec<Value>),
    /// Raise the integer columns to at least these values.
    Max(Vec<Value>),
    /// Delete the row if it is there.
    Delete,
}

/// One row's change.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The table.
    pub table: &'static Table,
    /// The whole primary key.
    pub key: Key,
    /// What to do.
    pub change: Change,
}

/// A row whose version the use case has read: another version now, and the set falls.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The table; it declares a version column.
    pub table: &'static Table,
    /// The whole primary key.
    pub key: Key,
    /// The version read; None: the row was absent.
    pub version: Option<i64>,
}

/// Deletes the rows whose key starts with `prefix` and whose next key column, an integer, lies in
/// `from..=to`.
#[derive(Clone, Debug)]
pub struct RangeDeletion {
    /// The table.
    pub table: &'static Table,
    /// The first key columns.
    pub prefix: Key,
    /// The smallest value of the next key column.
    pub from: i64,
    /// The largest value of the next key column.
    pub to: i64,
}

/// Takes the first row in key order whose key starts with `prefix`: it is deleted and its columns
/// (key, then values) are returned, to one taker only.
#[derive(Clone, Debug)]
pub struct Take {
    /// The table.
    pub table: &'static Table,
    /// The first key columns.
    pub prefix: Key,
    /// What the log is told if there was something to take.
    pub log: Option<LogWrite>,
}

/// One row of the log, before it has a position.
#[derive(Clone, Debug)]
pub struct LogWrite {
    /// What happened.
    pub kind: LogKind,
    /// The interned room or user that it happened to.
    pub subject: i64,
    /// The event number, room or row that it is about.
    pub reference: i64,
    /// What followers need without reading further; its form belongs to the kind.
    pub data: Bytes,
}

impl LogWrite {
    /// The entry, once it has a position.
    pub(crate) fn at(&self, pos: i64) -> LogEntry {
        LogEntry {
            pos,
            kind: self.kind,
            subject: self.subject,
            reference: self.reference,
            data: self.data.clone(),
        }
    }
}

/// What one use case wants to change, whole or not at all. Built in memory by plain functions of
/// the table modules; nothing is written until it is submitted.
#[derive(Clone, Debug, Default)]
pub struct WriteSet {
    pub(crate) operations: Vec<Operation>,
    pub(crate) expectations: Vec<Expectation>,
    pub(crate) deletions: Vec<RangeDeletion>,
    pub(crate) takes: Vec<Take>,
    pub(crate) log: Vec<LogWrite>,
    bytes: usize,
}

impl WriteSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// True if the set changes nothing.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
            && self.deletions.is_empty()
            && self.takes.is_empty()
            && self.log.is_empty()
    }

    /// Writes a row whether it is there or not.
    pub fn put(&mut self, table: &'static Table, key: Key, values: Vec<Value>) {
        self.push(table, key, Change::Put(values));
    }

    /// Writes a row that must be absent.
    pub fn insert(&mut self, table: &'static Table, key: Key, values: Vec<Value>) {
        self.push(table, key, Change::Insert(values));
    }

    /// Adds to a row's integers.
    pub fn add(&mut self, table: &'static Table, key: Key, deltas: Vec<Value>) {
        self.push(table, key, Change::Add(deltas));
    }

    /// Raises a row's integers.
    pub fn max(&mut self, table: &'static Table, key: Key, values: Vec<Value>) {
        self.push(table, key, Change::Max(values));
    }

    /// Deletes a row.
    pub fn delete(&mut self, table: &'static Table, key: Key) {
        self.push(table, key, Change::Delete);
    }

    /// Deletes a range of rows.
    pub fn delete_range(&mut self, deletion: RangeDeletion) {
        self.deletions.push(deletion);
    }

    /// Takes the first row with this prefix; the answer stands in [`crate::Committed::taken`] at
    /// the index returned here. If there was one, `log` is appended behind the set's other entries.
    pub fn take_first(
        &mut self,
        table: &'static Table,
        prefix: Key,
        log: Option<LogWrite>,
    ) -> usize {
        self.bytes += log.as_ref().map_or(0, log_bytes);
        self.takes.push(Take { table, prefix, log });
        self.takes.len() - 1
    }

    /// Says which version of a row this set is built on.
    pub fn expect(&mut self, table: &'static Table, key: Key, version: Option<i64>) {
        self.expectations.push(Expectation {
            table,
            key,
            version,
        });
    }

    /// Appends an entry to the log.
    pub fn log(&mut self, entry: LogWrite) {
        self.bytes += log_bytes(&entry);
        self.log.push(entry);
    }

    /// Adds all that another set wants; the indices of its takes come after those of this one.
    pub fn append(&mut self, other: Self) {
        self.operations.extend(other.operations);
        self.expectations.extend(other.expectations);
        self.deletions.extend(other.deletions);
        self.takes.extend(other.takes);
        self.log.extend(other.log);
        self.bytes += other.bytes;
    }

    /// Refuses a set that is too large or contradicts itself, before it can spoil a batch.
    pub(crate) fn check(&self) -> StoreResult<()> {
        let rows = self.rows();
        if rows > ROWS_MAX || self.bytes > BYTES_MAX {
            return Err(StoreError::TooLarge {
                rows,
                bytes: self.bytes,
            });
        }
        let mut seen = std::collections::HashSet::with_capacity(self.operations.len());
        for operation in &self.operations {
            let table = operation.table;
            let malformed = |reason| {
                Err(StoreError::Malformed {
                    table: table.name,
                    reason,
                })
            };
            if operation.key.len() != table.key.len() {
                return malformed("the key has the wrong number of columns");
            }
            let values = match &operation.change {
                Change::Put(v) | Change::Insert(v) | Change::Add(v) | Change::Max(v) => Some(v),
                Change::Delete => None,
            };
            if values.is_some_and(|values| values.len() != table.values.len()) {
                return malformed("the row has the wrong number of columns");
            }
            if !seen.insert((table.name, &operation.key))
                && table.on_conflict == OnConflict::Replace
            {
                return malformed("two changes of one row");
            }
        }
        let unversioned = self
            .expectations
            .iter()
            .find(|expectation| expectation.table.version.is_none());
        unversioned.map_or(Ok(()), |expectation| {
            Err(StoreError::Malformed {
                table: expectation.table.name,
                reason: "the table has no version column",
            })
        })
    }

    /// Refuses values of another kind than their column's: PostgreSQL would fail the whole batch.
    pub(crate) fn check_kinds(&self) -> StoreResult<()> {
        self.operations.iter().try_for_each(check_operation)?;
        for expectation in &self.expectations {
            let table = expectation.table;
            if expectation.key.len() != table.key.len() {
                return Err(malformed(table, "an expectation needs the whole key"));
            }
            check_kinds(table, table.key, &expectation.key, false)?;
        }
        for Take { table, prefix, .. } in &self.takes {
            if prefix.len() > table.key.len() {
                return Err(malformed(table, "a prefix is longer than the key"));
            }
            check_kinds(table, table.key, prefix, false)?;
            let alike =
                |other: &Take| other.table.name != table.name || other.prefix.len() == prefix.len();
            if !self.takes.iter().all(alike) {
                return Err(malformed(table, "takes below prefixes of two lengths"));
            }
        }
        for deletion in &self.deletions {
            let table = deletion.table;
            let next = table.key.get(deletion.prefix.len());
            if next.is_none_or(|column| column.kind != Kind::Int) {
                return Err(malformed(
                    table,
                    "a range needs an integer below its prefix",
                ));
            }
            check_kinds(table, table.key, &deletion.prefix, false)?;
        }
        Ok(())
    }

    /// Whether the set says which version of this row it is built on.
    pub(crate) fn expects(&self, table: &'static Table, key: &Key) -> bool {
        let is = |expectation: &&Expectation| {
            expectation.table.name == table.name && expectation.key == *key
        };
        self.expectations.iter().any(|expectation| is(&expectation))
    }

    /// What the set appends to the log, given what its takes have brought.
    pub(crate) fn entries<'s, 't>(
        &'s self,
        taken: &'t [Option<Row>],
    ) -> impl Iterator<Item = &'s LogWrite> + use<'s, 't> {
        let taken = self.takes.iter().zip(taken);
        let of_taken = taken.filter_map(|(take, row)| row.as_ref().and(take.log.as_ref()));
        self.log.iter().chain(of_taken)
    }

    /// About how many bytes the set writes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// At most how many rows the set writes, its range deletions apart.
    pub(crate) fn rows(&self) -> usize {
        let logged = self.takes.iter().filter(|take| take.log.is_some()).count();
        self.operations.len() + self.log.len() + self.takes.len() + logged
    }

    fn push(&mut self, table: &'static Table, key: Key, change: Change) {
        let size = |values: &[Value]| {
            values
                .iter()
                .map(|value| match value {
                    Value::Bytes(bytes) => bytes.len() + 8,
                    Value::Null | Value::Int(_) => 8,
                })
                .sum::<usize>()
        };
        self.bytes += size(&key);
        if let Change::Put(values)
        | Change::Insert(values)
        | Change::Add(values)
        | Change::Max(values) = &change
        {
            self.bytes += size(values);
        }
        self.operations.push(Operation { table, key, change });
    }
}

fn log_bytes(entry: &LogWrite) -> usize {
    entry.data.len() + 32
}

fn check_operation(operation: &Operation) -> StoreResult<()> {
    let table = operation.table;
    check_kinds(table, table.key, &operation.key, false)?;
    let (values, null) = match &operation.change {
        Change::Put(values) | Change::Insert(values) => (values, true),
        Change::Add(values) | Change::Max(values) => (values, false),
        Change::Delete => return Ok(()),
    };
    if !null && table.values.iter().any(|column| column.kind != Kind::Int) {
        return Err(malformed(table, "only integers are added or raised"));
    }
    check_kinds(table, table.values, values, null)
}

fn malformed(table: &Table, reason: &'static str) -> StoreError {
    StoreError::Malformed {
        table: table.name,
        reason,
    }
}

fn check_kinds(table: &Table, columns: &[Column], values: &[Value], null: bool) -> StoreResult<()> {
    let fits = |(column, value): (&Column, &Value)| match value {
        Value::Null => null,
        Value::Int(_) => column.kind == Kind::Int,
        Value::Bytes(_) => column.kind == Kind::Bytes,
    };
    if columns.iter().zip(values).all(fits) {
        Ok(())
    } else {
        Err(malformed(table, "a value is not of its column's kind"))
    }
}
