//! One batch's sets, checked and applied row by row.

use std::collections::{HashMap, HashSet};

use rusqlite::{CachedStatement, Connection, params_from_iter};

use super::{failed, to_row};
use crate::{
    Change, Expectation, Key, LogEntry, OnConflict, Operation, RangeDeletion, Row, StoreResult,
    Table, Take, Value, WriteSet,
    statements::{self, RowWrite},
};

const LOG: &str = "INSERT INTO log (pos, kind, subject, reference, data, latest)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (subject, reference, kind) WHERE latest = 1
    DO UPDATE SET pos = excluded.pos, data = excluded.data";

/// The texts of the statements on one table.
#[derive(Debug)]
struct TableTexts {
    version: String,
    exists: String,
    insert: String,
    put: String,
    add: String,
    max: String,
    delete: String,
    /// By the length of the prefix.
    ranges: Vec<String>,
    /// By the length of the prefix.
    takes: Vec<String>,
}

/// The texts of all tables written so far.
#[derive(Debug, Default)]
pub(super) struct Texts {
    tables: HashMap<&'static str, TableTexts>,
}

impl Texts {
    fn of(&mut self, table: &'static Table) -> &TableTexts {
        self.tables
            .entry(table.name)
            .or_insert_with(|| TableTexts::new(table))
    }
}

impl TableTexts {
    fn new(table: &Table) -> Self {
        let name = table.name;
        let count = table.key.len() + table.values.len();
        let marks: Vec<_> = (1..=count).map(|index| format!("?{index}")).collect();
        let columns = statements::columns(table);
        let insert = format!(
            "INSERT INTO {name} ({columns}) VALUES ({})",
            marks.join(", ")
        );
        let upsert = |write| format!("{insert}{}", statements::on_conflict(table, write, "MAX"));
        let key = statements::key_is(table, table.key.len(), '?');
        let version = table.version.map_or("1", |index| table.values[index].name);
        Self {
            version: format!("SELECT {version} FROM {name} WHERE {key}"),
            exists: format!("SELECT 1 FROM {name} WHERE {key}"),
            put: upsert(RowWrite::Put),
            add: upsert(RowWrite::Add),
            max: upsert(RowWrite::Max),
            insert,
            delete: format!("DELETE FROM {name} WHERE {key}"),
            ranges: (0..table.key.len())
                .map(|prefix| statements::delete_range(table, prefix, '?'))
                .collect(),
            takes: (0..=table.key.len())
                .map(|prefix| format!("{} LIMIT 1", statements::first_rows(table, prefix, '?')))
                .collect(),
        }
    }
}

/// The writes of one transaction.
pub(super) struct Writes<'a> {
    pub(super) connection: &'a Connection,
    pub(super) texts: &'a mut Texts,
    /// Rows that sets of this batch wrote: a second put needs an expectation.
    written: HashSet<(&'static str, &'a Key)>,
    pub(super) statements: u64,
    pub(super) rows: u64,
}

impl<'a> Writes<'a> {
    pub(super) fn new(connection: &'a Connection, texts: &'a mut Texts) -> Self {
        Self {
            connection,
            texts,
            written: HashSet::new(),
            statements: 0,
            rows: 0,
        }
    }

    /// Whether everything that the set expects is so, earlier sets of the batch included.
    pub(super) fn check(&mut self, set: &'a WriteSet) -> StoreResult<bool> {
        for Expectation {
            table,
            key,
            version,
        } in &set.expectations
        {
            let mut statement = prepare(self.connection, &self.texts.of(table).version)?;
            self.statements += 1;
            let mut rows = statement.query(params_from_iter(key)).map_err(failed)?;
            let found = rows.next().map_err(failed)?.map(|row| row.get(0));
            if found.transpose().map_err(failed)? != *version {
                return Ok(false);
            }
        }
        for operation in &set.operations {
            let Operation { table, key, change } = operation;
            let fits = match change {
                Change::Insert(_) => {
                    let mut statement = prepare(self.connection, &self.texts.of(table).exists)?;
                    self.statements += 1;
                    !statement.exists(params_from_iter(key)).map_err(failed)?
                }
                Change::Put(_) => {
                    table.on_conflict != OnConflict::Replace
                        || !self.written.contains(&(table.name, key))
                        || set.expects(table, key)
                }
                Change::Add(_) | Change::Max(_) | Change::Delete => true,
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Applies a set that was checked: its takes, then its range deletions, then its operations.
    pub(super) fn apply(&mut self, set: &'a WriteSet) -> StoreResult<Vec<Option<Row>>> {
        let mut taken = Vec::with_capacity(set.takes.len());
        for take in &set.takes {
            taken.push(self.take(take)?);
        }
        for deletion in &set.deletions {
            self.delete_range(deletion)?;
        }
        for operation in &set.operations {
            self.write(operation)?;
        }
        Ok(taken)
    }

    /// Writes a row of the log.
    pub(super) fn log(&mut self, entry: &LogEntry) -> StoreResult<()> {
        let mut statement = prepare(self.connection, LOG)?;
        self.statements += 1;
        let latest = i64::from(entry.kind.is_latest());
        let (kind, data) = (entry.kind as i64, &entry.data[..]);
        self.rows += 1;
        statement
            .execute((
                entry.pos,
                kind,
                entry.subject,
                entry.reference,
                data,
                latest,
            ))
            .map_err(failed)
            .map(drop)
    }

    fn take(&mut self, Take { table, prefix, .. }: &Take) -> StoreResult<Option<Row>> {
        let row = {
            let text = &self.texts.of(table).takes[prefix.len()];
            let mut statement = prepare(self.connection, text)?;
            self.statements += 1;
            let mut rows = statement.query(params_from_iter(prefix)).map_err(failed)?;
            match rows.next().map_err(failed)? {
                Some(row) => to_row(table.name, row)?,
                None => return Ok(None),
            }
        };
        let key = &row.values[..table.key.len()];
        let mut statement = prepare(self.connection, &self.texts.of(table).delete)?;
        self.execute(&mut statement, key)?;
        Ok(Some(row))
    }

    fn delete_range(&mut self, deletion: &RangeDeletion) -> StoreResult<()> {
        let text = &self.texts.of(deletion.table).ranges[deletion.prefix.len()];
        let mut statement = prepare(self.connection, text)?;
        let range = [Value::Int(deletion.from), Value::Int(deletion.to)];
        self.execute(&mut statement, deletion.prefix.iter().chain(&range))
    }

    fn write(&mut self, operation: &'a Operation) -> StoreResult<()> {
        let Operation { table, key, change } = operation;
        let texts = self.texts.of(table);
        let none = Vec::new();
        let (text, values) = match change {
            Change::Put(values) => (&texts.put, values),
            Change::Insert(values) => (&texts.insert, values),
            Change::Add(values) => (&texts.add, values),
            Change::Max(values) => (&texts.max, values),
            Change::Delete => (&texts.delete, &none),
        };
        let mut statement = prepare(self.connection, text)?;
        self.execute(&mut statement, key.iter().chain(values))?;
        if table.on_conflict == OnConflict::Replace
            && !matches!(change, Change::Add(_) | Change::Max(_))
        {
            self.written.insert((table.name, key));
        }
        Ok(())
    }

    fn execute<'v>(
        &mut self,
        statement: &mut CachedStatement<'_>,
        values: impl IntoIterator<Item = &'v Value>,
    ) -> StoreResult<()> {
        let changed = statement
            .execute(params_from_iter(values))
            .map_err(failed)?;
        self.statements += 1;
        self.rows += changed as u64;
        Ok(())
    }
}

pub(super) fn prepare<'a>(
    connection: &'a Connection,
    text: &str,
) -> StoreResult<CachedStatement<'a>> {
    connection.prepare_cached(text).map_err(failed)
}
