//! Our values in PostgreSQL's binary form.

use std::error::Error;

use bytes::{Bytes, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::{Column, Kind, Param, Row, StoreError, StoreResult, Value};

type Failure = Box<dyn Error + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            // A number in an expression of its own is taken for a small one by the server.
            Self::Int(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Self::Int(value) if *kind == Type::INT2 => i16::try_from(*value)?.to_sql(kind, out),
            Self::Int(value) if *kind == Type::INT8 => value.to_sql(kind, out),
            Self::Bytes(value) if *kind == Type::BYTEA => {
                out.extend_from_slice(value);
                Ok(IsNull::No)
            }
            other => Err(format!("{other:?} is no {kind}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(match *kind {
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(kind, raw)?.into()),
            Type::INT2 => Self::Int(i16::from_sql(kind, raw)?.into()),
            Type::BOOL => Self::Int(bool::from_sql(kind, raw)?.into()),
            _ => Self::Bytes(Bytes::copy_from_slice(raw)),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        [
            Type::INT8,
            Type::INT4,
            Type::INT2,
            Type::BOOL,
            Type::BYTEA,
            Type::TEXT,
            Type::VARCHAR,
            Type::NAME,
        ]
        .contains(kind)
    }
}

impl ToSql for Param {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self {
            Self::Value(value) => value.to_sql(kind, out),
            Self::Ints(list) => list.to_sql(kind, out),
            Self::BytesList(list) => {
                let list: Vec<&[u8]> = list.iter().map(|value| &value[..]).collect();
                list.to_sql(kind, out)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// An argument of a committer's statement: one column of many rows as a typed array, or a value.
#[derive(Debug)]
pub(super) enum Argument<'a> {
    Ints(Vec<Option<i64>>),
    BytesList(Vec<Option<&'a [u8]>>),
    One(Value),
}

impl<'a> Argument<'a> {
    /// An empty array for a column.
    pub(super) fn array(column: &Column, rows: usize) -> Self {
        match column.kind {
            Kind::Int => Self::Ints(Vec::with_capacity(rows)),
            Kind::Bytes => Self::BytesList(Vec::with_capacity(rows)),
        }
    }

    /// Appends a value to an array; its kind was checked before the set was queued.
    pub(super) fn push(&mut self, value: &'a Value) {
        match (self, value) {
            (Self::Ints(list), Value::Int(value)) => list.push(Some(*value)),
            (Self::BytesList(list), Value::Bytes(value)) => list.push(Some(value)),
            (Self::Ints(list), _) => list.push(None),
            (Self::BytesList(list), _) => list.push(None),
            (Self::One(one), value) => *one = value.clone(),
        }
    }
}

impl ToSql for Argument<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self {
            Self::Ints(list) => list.to_sql(kind, out),
            Self::BytesList(list) => list.to_sql(kind, out),
            Self::One(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row in our own form.
pub(super) fn to_row(table: &'static str, row: &tokio_postgres::Row) -> StoreResult<Row> {
    to_row_after(0, table, row)
}

/// The same without the first columns.
pub(super) fn to_row_after(
    skipped: usize,
    table: &'static str,
    row: &tokio_postgres::Row,
) -> StoreResult<Row> {
    let mut values = Vec::with_capacity(row.len());
    for column in skipped..row.len() {
        let value = row.try_get(column).map_err(|error| StoreError::Corrupt {
            table,
            column,
            wanted: "an integer or bytes",
            found: error.to_string(),
        })?;
        values.push(value);
    }
    Ok(Row { table, values })
}
