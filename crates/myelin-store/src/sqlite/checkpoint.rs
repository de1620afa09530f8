//! Checkpoints: on a connection and a thread of their own, so that no commit waits for one.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;

use super::connect;
use crate::{OpenError, StoreError};

/// Pages of the write-ahead log from which a checkpoint is due: 16 MB of 4 KB pages.
const DUE_PAGES: u64 = 4_096;
/// Pages from which the writer itself waits for the checkpoint, because passive ones cannot keep
/// up or a long reader keeps them from starting over: 256 MB.
const OVERDUE_PAGES: u64 = 65_536;
/// How long a checkpoint that starts the file over waits for readers.
const RESTART_WAIT: Duration = Duration::from_millis(100);

/// Decides when to checkpoint. In a driven store it checkpoints itself, else its thread does.
#[derive(Debug)]
pub(super) struct Checkpointer {
    path: PathBuf,
    connection: Option<Connection>,
    thread: Option<SyncSender<Mode>>,
    used: bool,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Passive,
    Truncate,
}

impl Checkpointer {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            connection: Some(open(path)?),
            thread: None,
            used: false,
        })
    }

    pub(super) fn after_commit(&mut self, wal_pages: u64) {
        self.used = true;
        if wal_pages >= OVERDUE_PAGES && wal_pages.is_multiple_of(64) {
            if let Ok(connection) = open(&self.path) {
                checkpoint(&connection, Mode::Truncate);
            }
        } else if wal_pages >= DUE_PAGES {
            self.request(Mode::Passive);
        }
    }

    /// Puts the log away while nobody writes.
    pub(super) fn when_idle(&mut self) {
        if self.used {
            self.used = false;
            self.request(Mode::Truncate);
        }
    }

    fn request(&mut self, mode: Mode) {
        if let Some(thread) = &self.thread {
            // Full: one is running or due already.
            let _ = thread.try_send(mode);
        } else if let Some(connection) = &self.connection {
            checkpoint(connection, mode);
        }
    }
}

/// The thread of the checkpoints; ends after the [`Checkpointer`] was dropped.
#[derive(Debug)]
pub(super) struct CheckpointerThread {
    handle: JoinHandle<()>,
}

impl CheckpointerThread {
    pub(super) fn start(checkpointer: &mut Checkpointer) -> Result<Self, OpenError> {
        let (sender, receiver) = sync_channel(1);
        let connection = checkpointer.connection.take();
        checkpointer.thread = Some(sender);
        let handle = thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || {
                if let Some(connection) = connection {
                    run(&connection, &receiver);
                }
            })
            .map_err(|error| OpenError::Store(StoreError::Unavailable(Arc::new(error))))?;
        Ok(Self { handle })
    }

    pub(super) fn join(self) {
        // A panic was reported by the thread itself.
        let _ = self.handle.join();
    }
}

fn run(connection: &Connection, requests: &Receiver<Mode>) {
    while let Ok(mode) = requests.recv() {
        checkpoint(connection, mode);
    }
    checkpoint(connection, Mode::Truncate);
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.busy_timeout(RESTART_WAIT)?;
    Ok(connection)
}

fn checkpoint(connection: &Connection, mode: Mode) {
    let sql = match mode {
        Mode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Mode::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    // A reader or writer in the way is no error: the next checkpoint gets further.
    if let Err(error) = connection.query_row(sql, [], |_| Ok(())) {
        tracing::warn!(%error, "a checkpoint of the database failed");
    }
}
