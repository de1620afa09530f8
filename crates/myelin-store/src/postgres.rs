//! PostgreSQL, shared by all nodes: reads on pipelined connections, one committer a node.

mod batch;
mod beliefs;
mod call;
mod committer;
mod connector;
mod errors;
mod log_rows;
mod pending;
mod plan;
mod reads;
mod texts;
mod values;

use std::sync::Arc;

use tokio_postgres::Client;

use self::{
    errors::{describe, failed},
    reads::Readers,
};
use crate::{
    OpenError, StoreError, StoreOptions, StoreResult,
    counters::Counters,
    migrate::{self, CREATE_META, SERVER_NAME, Spelling, VERSION},
};

pub(crate) use self::{
    committer::{Committer, CommitterTask},
    connector::{Connector, RawConnection},
    reads::PostgresRead,
};

const SPELLING: Spelling = Spelling {
    bytes: "BYTEA",
    int: "BIGINT",
    table_options: "",
    id: "BIGINT PRIMARY KEY",
};

/// Key of the advisory lock under which migrations run: "myelin" in ASCII.
const MIGRATION_LOCK: i64 = 0x6d79_656c_696e;

/// The database as one node sees it.
#[derive(Debug)]
pub(crate) struct Postgres {
    connector: Connector,
    readers: Arc<Readers>,
    counters: Arc<Counters>,
    /// The number of this node's row in `batches`; a new one at each start.
    node: i64,
}

impl Postgres {
    /// Connects, migrates and checks the database.
    pub(crate) async fn open(
        url: &str,
        options: &StoreOptions,
        counters: Arc<Counters>,
    ) -> Result<Self, OpenError> {
        let connector = Connector::new(url)?;
        let client = connector
            .connect_driven()
            .await
            .map_err(|error| refused(&error))?;
        migrate(&client, &options.server_name).await?;
        warn_if_unsafe(&client).await?;
        let node = new_node(&client).await.map_err(failed)?;
        Ok(Self {
            readers: Arc::new(Readers::new(connector.clone(), counters.clone())),
            connector,
            counters,
            node,
        })
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// The position of the newest log entry.
    pub(crate) async fn position(&self) -> StoreResult<i64> {
        let sql = "SELECT pos FROM log_counter";
        let rows = self.read().query("log_counter", sql, &[]).await?;
        let row = rows.first().ok_or(StoreError::Missing {
            table: "log_counter",
        });
        row?.int(0)
    }

    pub(crate) fn read(&self) -> PostgresRead {
        PostgresRead::latest(self.readers.clone())
    }

    pub(crate) fn read_uncounted(&self) -> PostgresRead {
        PostgresRead::uncounted(self.readers.clone())
    }

    pub(crate) async fn snapshot(&self) -> StoreResult<PostgresRead> {
        PostgresRead::snapshot(self.readers.clone()).await
    }
}

fn refused(error: &StoreError) -> OpenError {
    OpenError::Connect(match error {
        StoreError::Unavailable(source) | StoreError::Driver(source) | StoreError::Full(source) => {
            let source = source.downcast_ref::<tokio_postgres::Error>();
            source.map_or_else(|| error.to_string(), describe)
        }
        _ => error.to_string(),
    })
}

async fn migrate(client: &Client, server_name: &str) -> Result<(), OpenError> {
    let lock = "SELECT pg_advisory_lock($1)";
    client
        .query(lock, &[&MIGRATION_LOCK])
        .await
        .map_err(failed)?;
    let create = SPELLING.write(CREATE_META);
    client.batch_execute(&create).await.map_err(failed)?;
    let version = find_meta(client, VERSION).await?;
    let found_name = find_meta(client, SERVER_NAME).await?;
    let missing = migrate::missing(version.as_deref(), found_name.as_deref(), server_name)?;
    for &(number, sql) in missing {
        let done = migrate_one(client, number, sql).await;
        done.map_err(|error| OpenError::Migration {
            number,
            source: Arc::new(error),
        })?;
    }
    if found_name.is_none() {
        let done = put_meta(client, SERVER_NAME, server_name.as_bytes()).await;
        done.map_err(failed)?;
    }
    let unlock = "SELECT pg_advisory_unlock($1)";
    client
        .query(unlock, &[&MIGRATION_LOCK])
        .await
        .map_err(failed)?;
    Ok(())
}

async fn migrate_one(client: &Client, number: i64, sql: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("BEGIN").await?;
    client.batch_execute(&SPELLING.write(sql)).await?;
    put_meta(client, VERSION, &migrate::version_value(number)).await?;
    client.batch_execute("COMMIT").await
}

async fn find_meta(client: &Client, name: &[u8]) -> StoreResult<Option<Vec<u8>>> {
    let sql = "SELECT value FROM meta WHERE name = $1";
    let row = client.query_opt(sql, &[&name]).await.map_err(failed)?;
    row.map(|row| row.try_get(0)).transpose().map_err(failed)
}

async fn put_meta(client: &Client, name: &[u8], value: &[u8]) -> Result<(), tokio_postgres::Error> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    client.execute(sql, &[&name, &value]).await.map(drop)
}

/// Says so if the server may forget what it has acknowledged. That is the administrator's choice:
/// the tests of others run so.
async fn warn_if_unsafe(client: &Client) -> StoreResult<()> {
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let sql = "SELECT current_setting($1)";
        let row = client.query_one(sql, &[&setting]).await.map_err(failed)?;
        let value: String = row.try_get(0).map_err(failed)?;
        if value == "off" {
            tracing::warn!(
                "PostgreSQL's {setting} is off: a power failure can lose acknowledged messages"
            );
        }
    }
    Ok(())
}

/// Draws the number of this node and makes its row of `batches`.
async fn new_node(client: &Client) -> Result<i64, tokio_postgres::Error> {
    let sql = "INSERT INTO sequences (name, next) VALUES ($1, 2)
        ON CONFLICT (name) DO UPDATE SET next = sequences.next + 1 RETURNING next - 1";
    let row = client.query_one(sql, &[&&b"node"[..]]).await?;
    let node: i64 = row.try_get(0)?;
    let sql = "INSERT INTO batches (node, batch, pos) VALUES ($1, 0, 0)";
    client.execute(sql, &[&node]).await?;
    Ok(node)
}
