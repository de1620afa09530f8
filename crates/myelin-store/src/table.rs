//! Declarations of tables: what the committer must know of one to write its rows on either engine.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// BIGINT.
    Int,
    /// BLOB or BYTEA.
    Bytes,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in the schema.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// What a put does when the row is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The new values replace the old ones. Two puts to one key in one batch need an expectation.
    Replace,
    /// As `Replace`, and of several puts in one batch the last one counts.
    LastWins,
    /// The row is immutable and equal keys mean equal values: the old row stays.
    Keep,
}

/// A table that write sets can write. Its primary key is `key`, in this order.
#[derive(Debug)]
pub struct Table {
    /// Its name in the schema.
    pub name: &'static str,
    /// The columns of the primary key; never NULL.
    pub key: &'static [Column],
    /// The other columns that write sets fill.
    pub values: &'static [Column],
    /// The index in `values` of the integer that expectations compare, if rows are changed by
    /// read-modify-write.
    pub version: Option<usize>,
    /// What a put does when the row is there.
    pub on_conflict: OnConflict,
}

/// An integer column.
pub const fn int(name: &'static str) -> Column {
    Column {
        name,
        kind: Kind::Int,
    }
}

/// A column of bytes.
pub const fn bytes(name: &'static str) -> Column {
    Column {
        name,
        kind: Kind::Bytes,
    }
}
