//! The two kinds of value that both engines hold, and the rows that queries answer with.

use bytes::Bytes;

use crate::{StoreError, StoreResult};

/// One column of one row. Outside text is bytes: PostgreSQL's text refuses NUL, and both engines
/// shall compare alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A 64-bit integer; also booleans (0 and 1) and times (milliseconds since the Unix epoch).
    Int(i64),
    /// A byte string: BLOB or BYTEA.
    Bytes(Bytes),
}

/// A parameter of a query: a value, or a list for `= ANY($n)`.
#[derive(Clone, Debug)]
pub enum Param {
    /// One value.
    Value(Value),
    /// Integers for `= ANY($n)`.
    Ints(Vec<i64>),
    /// Byte strings for `= ANY($n)`.
    BytesList(Vec<Bytes>),
}

/// One row of an answer, with the table it came from for error messages.
#[derive(Clone, Debug)]
pub struct Row {
    /// The table named by the query, for messages only.
    pub table: &'static str,
    /// The columns in the order of the SELECT list.
    pub values: Vec<Value>,
}

impl Row {
    /// The integer in column `index`.
    pub fn int(&self, index: usize) -> StoreResult<i64> {
        match self.values.get(index) {
            Some(Value::Int(value)) => Ok(*value),
            other => Err(self.corrupt(index, "an integer", other)),
        }
    }

    /// The byte string in column `index`.
    pub fn bytes(&self, index: usize) -> StoreResult<Bytes> {
        match self.values.get(index) {
            Some(Value::Bytes(value)) => Ok(value.clone()),
            other => Err(self.corrupt(index, "bytes", other)),
        }
    }

    /// The UTF-8 text in column `index`.
    pub fn text(&self, index: usize) -> StoreResult<String> {
        let bytes = self.bytes(index)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.corrupt(index, "UTF-8", None))
    }

    /// The integer in column `index`, or None for NULL.
    pub fn opt_int(&self, index: usize) -> StoreResult<Option<i64>> {
        if matches!(self.values.get(index), Some(Value::Null)) {
            Ok(None)
        } else {
            self.int(index).map(Some)
        }
    }

    /// The byte string in column `index`, or None for NULL.
    pub fn opt_bytes(&self, index: usize) -> StoreResult<Option<Bytes>> {
        if matches!(self.values.get(index), Some(Value::Null)) {
            Ok(None)
        } else {
            self.bytes(index).map(Some)
        }
    }

    /// The UTF-8 text in column `index`, or None for NULL.
    pub fn opt_text(&self, index: usize) -> StoreResult<Option<String>> {
        if matches!(self.values.get(index), Some(Value::Null)) {
            Ok(None)
        } else {
            self.text(index).map(Some)
        }
    }

    fn corrupt(&self, index: usize, wanted: &'static str, found: Option<&Value>) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column: index,
            wanted,
            found: format!("{found:?}"),
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Self::Bytes(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value.into())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        value.as_bytes().into()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Value>> From<T> for Param {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}
