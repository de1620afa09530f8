//! Reads: plain SQL, one text for both engines.

use crate::{Param, Row, StoreResult, postgres::PostgresRead, sqlite::SqliteRead};

/// Reads the database. Made by [`crate::Store::read`], where each statement sees the latest committed
/// rows, or by [`crate::Store::snapshot`], where all of them see the same.
#[derive(Debug)]
pub struct Read {
    engine: EngineRead,
}

#[derive(Debug)]
enum EngineRead {
    Sqlite(SqliteRead),
    Postgres(PostgresRead),
}

impl Read {
    pub(crate) fn sqlite(read: SqliteRead) -> Self {
        Self {
            engine: EngineRead::Sqlite(read),
        }
    }

    pub(crate) fn postgres(read: PostgresRead) -> Self {
        Self {
            engine: EngineRead::Postgres(read),
        }
    }

    /// All rows of a query. `table` names the table in messages. Parameters are `$1`..`$n`, lists
    /// are compared with `= ANY($n)`; sums are cast to BIGINT, which PostgreSQL does not do itself.
    pub async fn query(
        &mut self,
        table: &'static str,
        sql: &'static str,
        params: &[Param],
    ) -> StoreResult<Vec<Row>> {
        match &mut self.engine {
            EngineRead::Sqlite(read) => read.query(table, sql, params),
            EngineRead::Postgres(read) => read.query(table, sql, params).await,
        }
    }

    /// The first row of a query.
    pub async fn query_one(
        &mut self,
        table: &'static str,
        sql: &'static str,
        params: &[Param],
    ) -> StoreResult<Option<Row>> {
        Ok(self.query(table, sql, params).await?.into_iter().next())
    }
}
