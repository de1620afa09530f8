//! Reads: a handful of shared connections that pipeline, and a few of their own for snapshots.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{Client, Statement, types::ToSql};

use super::{
    connector::Connector,
    errors::{failed, is_lost},
    values::to_row,
};
use crate::{Param, Row, StoreResult, counters::Counters};

/// Shared connections of a node.
const SHARED: usize = 4;
/// Snapshots that a node holds at a time; more wait.
const SNAPSHOTS_MAX: usize = 16;

/// The reading connections of a node.
#[derive(Debug)]
pub(super) struct Readers {
    connector: Connector,
    counters: Arc<Counters>,
    shared: [Slot; SHARED],
    next: AtomicUsize,
    idle: Mutex<Vec<Arc<Reader>>>,
    snapshots: Arc<Semaphore>,
}

/// A place for a shared connection, filled when it is first used and again when it was lost.
#[derive(Debug, Default)]
struct Slot {
    reader: tokio::sync::Mutex<Option<Arc<Reader>>>,
}

/// A reading connection with its prepared statements.
pub(super) struct Reader {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Readers {
    pub(super) fn new(connector: Connector, counters: Arc<Counters>) -> Self {
        Self {
            connector,
            counters,
            shared: std::array::from_fn(|_| Slot::default()),
            next: AtomicUsize::new(0),
            idle: Mutex::default(),
            snapshots: Arc::new(Semaphore::new(SNAPSHOTS_MAX)),
        }
    }

    async fn shared(&self) -> StoreResult<Arc<Reader>> {
        let slot = &self.shared[self.next.fetch_add(1, Relaxed) % SHARED];
        let mut slot = slot.reader.lock().await;
        if let Some(reader) = slot.as_ref().filter(|reader| !reader.client.is_closed()) {
            return Ok(reader.clone());
        }
        Ok(slot.insert(self.open().await?).clone())
    }

    async fn open(&self) -> StoreResult<Arc<Reader>> {
        let client = self.connector.connect_driven().await?;
        client
            .batch_execute("SET jit = off")
            .await
            .map_err(failed)?;
        Ok(Arc::new(Reader {
            client,
            statements: Mutex::default(),
        }))
    }

    async fn begin(self: &Arc<Self>) -> StoreResult<Snapshot> {
        let permit = self.snapshots.clone().acquire_owned().await.ok();
        let idle = self.idle.lock().pop();
        let begun = match idle {
            Some(reader) if !reader.client.is_closed() => match reader.begin().await {
                Err(error) if !is_lost(&error) => return Err(failed(error)),
                result => result.ok().map(|()| reader),
            },
            _ => None,
        };
        let reader = if let Some(reader) = begun {
            reader
        } else {
            let reader = self.open().await?;
            reader.begin().await.map_err(failed)?;
            reader
        };
        Ok(Snapshot {
            reader,
            readers: self.clone(),
            permit,
        })
    }
}

impl Reader {
    /// Begins a transaction and takes its snapshot.
    async fn begin(&self) -> Result<(), tokio_postgres::Error> {
        let sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pos FROM log_counter";
        self.client.batch_execute(sql).await
    }

    async fn query(
        &self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
        let known = self.statements.lock().get(sql).cloned();
        let statement = if let Some(statement) = known {
            statement
        } else {
            let statement = self.client.prepare(sql).await?;
            self.statements.lock().insert(sql, statement.clone());
            statement
        };
        let params: Vec<_> = params
            .iter()
            .map(|param| param as &(dyn ToSql + Sync))
            .collect();
        self.client.query(&statement, &params).await
    }
}

/// One reader's hold: on nothing, or on a snapshot.
#[derive(Debug)]
pub(crate) struct PostgresRead {
    readers: Arc<Readers>,
    snapshot: Option<Snapshot>,
    is_counted: bool,
}

impl PostgresRead {
    pub(super) fn latest(readers: Arc<Readers>) -> Self {
        Self {
            readers,
            snapshot: None,
            is_counted: true,
        }
    }

    pub(super) fn uncounted(readers: Arc<Readers>) -> Self {
        Self {
            is_counted: false,
            ..Self::latest(readers)
        }
    }

    pub(super) async fn snapshot(readers: Arc<Readers>) -> StoreResult<Self> {
        let snapshot = Some(readers.begin().await?);
        Ok(Self {
            readers,
            snapshot,
            is_counted: true,
        })
    }

    pub(crate) async fn query(
        &mut self,
        table: &'static str,
        sql: &'static str,
        params: &[Param],
    ) -> StoreResult<Vec<Row>> {
        let rows = if let Some(snapshot) = &self.snapshot {
            snapshot.reader.query(sql, params).await.map_err(failed)?
        } else {
            self.query_latest(sql, params).await?
        };
        if self.is_counted {
            self.readers.counters.read(rows.len());
        }
        rows.iter().map(|row| to_row(table, row)).collect()
    }

    /// Reads on a shared connection, and once more on a new one if it was lost meanwhile: after a
    /// restart of the server nobody shall see an error.
    async fn query_latest(
        &self,
        sql: &'static str,
        params: &[Param],
    ) -> StoreResult<Vec<tokio_postgres::Row>> {
        match self.readers.shared().await?.query(sql, params).await {
            Err(error) if is_lost(&error) => {
                let reader = self.readers.shared().await?;
                reader.query(sql, params).await.map_err(failed)
            }
            result => result.map_err(failed),
        }
    }
}

/// A connection with an open transaction.
#[derive(Debug)]
struct Snapshot {
    reader: Arc<Reader>,
    readers: Arc<Readers>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let (reader, readers) = (self.reader.clone(), self.readers.clone());
        let permit = self.permit.take();
        let runtime = readers.connector.runtime().clone();
        runtime.spawn(async move {
            if reader.client.batch_execute("ROLLBACK").await.is_ok() {
                readers.idle.lock().push(reader);
            }
            drop(permit);
        });
    }
}
