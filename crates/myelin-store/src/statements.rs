//! The texts that both engines' statements on a declared table are made of.

use std::fmt::Write;

use crate::{Column, OnConflict, Table};

/// `a, b, c` of all columns, the key first.
pub(crate) fn columns(table: &Table) -> String {
    let all: Vec<_> = all_columns(table).map(|column| column.name).collect();
    all.join(", ")
}

/// The key columns, then the others.
pub(crate) fn all_columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.key.iter().chain(table.values)
}

/// `a, b` of the key columns.
pub(crate) fn key_columns(table: &Table) -> String {
    let key: Vec<_> = table.key.iter().map(|column| column.name).collect();
    key.join(", ")
}

/// The kinds of row writes that are one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RowWrite {
    /// A put as its table declares it.
    Put,
    /// A put that replaces the row even where the table keeps the old one.
    Replace,
    /// An addition.
    Add,
    /// A maximum.
    Max,
}

/// The `ON CONFLICT` clause of a row write; `max` is the engine's two-argument maximum.
pub(crate) fn on_conflict(table: &Table, write: RowWrite, max: &str) -> String {
    let mut text = format!(" ON CONFLICT ({})", key_columns(table));
    let keeps = write == RowWrite::Put && table.on_conflict == OnConflict::Keep;
    if keeps || table.values.is_empty() {
        text.push_str(" DO NOTHING");
        return text;
    }
    text.push_str(" DO UPDATE SET ");
    for (index, Column { name, .. }) in table.values.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let table = table.name;
        // Writing to a String cannot fail.
        let _ = match write {
            RowWrite::Put | RowWrite::Replace => {
                write!(text, "{comma}{name} = excluded.{name}")
            }
            RowWrite::Add => write!(text, "{comma}{name} = {table}.{name} + excluded.{name}"),
            RowWrite::Max => {
                write!(
                    text,
                    "{comma}{name} = {max}({table}.{name}, excluded.{name})"
                )
            }
        };
    }
    text
}

/// `a = ?1 AND b = ?2` for the first `columns` columns of the key, with the engine's `mark`.
pub(crate) fn key_is(table: &Table, columns: usize, mark: char) -> String {
    let tests: Vec<_> = table.key[..columns]
        .iter()
        .enumerate()
        .map(|(index, column)| format!("{} = {mark}{}", column.name, index + 1))
        .collect();
    tests.join(" AND ")
}

/// The DELETE of a range below a prefix of `columns` key columns.
pub(crate) fn delete_range(table: &Table, columns: usize, mark: char) -> String {
    let next = table.key[columns].name;
    let (from, to) = (columns + 1, columns + 2);
    let mut text = format!("DELETE FROM {} WHERE ", table.name);
    if columns > 0 {
        let _ = write!(text, "{} AND ", key_is(table, columns, mark));
    }
    let _ = write!(text, "{next} >= {mark}{from} AND {next} <= {mark}{to}");
    text
}

/// The SELECT of the first rows below a prefix of `columns` key columns, without a limit.
pub(crate) fn first_rows(table: &Table, columns: usize, mark: char) -> String {
    let mut text = format!("SELECT {} FROM {}", self::columns(table), table.name);
    if columns > 0 {
        let _ = write!(text, " WHERE {}", key_is(table, columns, mark));
    }
    let _ = write!(text, " ORDER BY {}", key_columns(table));
    text
}
