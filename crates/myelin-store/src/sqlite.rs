//! The embedded engine: a file in WAL mode, read on the calling thread, written by one writer.

mod checkpoint;
mod writer;
mod writes;

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, ToSql,
    config::DbConfig,
    types::{ToSqlOutput, ValueRef},
};

use crate::{
    OpenError, Param, Row, StoreError, StoreOptions, StoreResult, Value,
    counters::Counters,
    migrate::{self, CREATE_META, SERVER_NAME, Spelling, VERSION},
};

pub(crate) use writer::{Writer, WriterThread};

const SPELLING: Spelling = Spelling {
    bytes: "BLOB",
    int: "INTEGER",
    table_options: " WITHOUT ROWID, STRICT",
    id: "INTEGER PRIMARY KEY",
};

/// How long a statement waits for a lock that a checkpoint or an outside tool holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle reading connections that are kept.
const READERS_KEPT: usize = 16;
const READER_STATEMENTS: usize = 256;

/// The file, the lock on it and the idle reading connections.
pub(crate) struct Sqlite {
    path: PathBuf,
    readers: Mutex<Vec<Reader>>,
    counters: Arc<Counters>,
    /// Held as long as anybody uses the file.
    _lock: File,
}

impl Sqlite {
    /// Locks, opens, migrates and checks the file.
    pub(crate) fn open(
        path: &Path,
        options: &StoreOptions,
        counters: Arc<Counters>,
    ) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let mut connection = connect(path).map_err(|error| unreadable(path, &error))?;
        check_settings(&connection).map_err(|error| unreadable(path, &error))??;
        migrate(&mut connection, &options.server_name)?;
        Ok(Self {
            path: path.to_owned(),
            readers: Mutex::default(),
            counters,
            _lock: lock,
        })
    }

    /// The position of the newest log entry.
    pub(crate) fn position(self: &Arc<Self>) -> StoreResult<i64> {
        let rows = self
            .read()
            .query("log_counter", "SELECT pos FROM log_counter", &[])?;
        rows.first()
            .ok_or(StoreError::Missing {
                table: "log_counter",
            })?
            .int(0)
    }

    pub(crate) fn read(self: &Arc<Self>) -> SqliteRead {
        SqliteRead {
            sqlite: self.clone(),
            reader: self.readers.lock().pop(),
            snapshot: false,
        }
    }

    pub(crate) fn snapshot(self: &Arc<Self>) -> StoreResult<SqliteRead> {
        let mut read = self.read();
        let reader = read.reader()?;
        reader.connection.execute_batch("BEGIN").map_err(failed)?;
        read.snapshot = true;
        // The snapshot is taken by the first read, not by BEGIN.
        read.query("log_counter", "SELECT pos FROM log_counter", &[])?;
        Ok(read)
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Sqlite").field(&self.path).finish()
    }
}

/// What `rarray` wants to be bound.
type List = Vec<rusqlite::types::Value>;

/// A reading connection, with the texts of its statements as SQLite wants them.
#[derive(Debug)]
struct Reader {
    connection: Connection,
    texts: HashMap<&'static str, Box<str>>,
}

/// One reader's hold on a connection.
#[derive(Debug)]
pub(crate) struct SqliteRead {
    sqlite: Arc<Sqlite>,
    reader: Option<Reader>,
    snapshot: bool,
}

impl SqliteRead {
    pub(crate) fn query(
        &mut self,
        table: &'static str,
        sql: &'static str,
        params: &[Param],
    ) -> StoreResult<Vec<Row>> {
        let rows = self.reader()?.query(table, sql, params)?;
        self.sqlite.counters.read(rows.len());
        Ok(rows)
    }

    fn reader(&mut self) -> StoreResult<&mut Reader> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.sqlite.path).map_err(failed)?,
        };
        Ok(self.reader.insert(reader))
    }
}

impl Drop for SqliteRead {
    fn drop(&mut self) {
        let Some(reader) = self.reader.take() else {
            return;
        };
        if self.snapshot && reader.connection.execute_batch("ROLLBACK").is_err() {
            return;
        }
        let mut readers = self.sqlite.readers.lock();
        if readers.len() < READERS_KEPT {
            readers.push(reader);
        }
    }
}

impl Reader {
    fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = connect(path)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.set_prepared_statement_cache_capacity(READER_STATEMENTS);
        rusqlite::vtab::array::load_module(&connection)?;
        Ok(Self {
            connection,
            texts: HashMap::new(),
        })
    }

    fn query(
        &mut self,
        table: &'static str,
        sql: &'static str,
        params: &[Param],
    ) -> StoreResult<Vec<Row>> {
        let text = self.texts.entry(sql).or_insert_with(|| rewrite(sql));
        let mut statement = self.connection.prepare_cached(text).map_err(failed)?;
        for (index, param) in params.iter().enumerate() {
            let bound = match param {
                Param::Value(value) => statement.raw_bind_parameter(index + 1, value),
                Param::Ints(list) => {
                    let list = list.iter().map(|value| (*value).into());
                    statement.raw_bind_parameter(index + 1, Rc::new(list.collect::<List>()))
                }
                Param::BytesList(list) => {
                    let list = list.iter().map(|value| value.to_vec().into());
                    statement.raw_bind_parameter(index + 1, Rc::new(list.collect::<List>()))
                }
            };
            bound.map_err(failed)?;
        }
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            found.push(to_row(table, row)?);
        }
        Ok(found)
    }
}

/// A row in our own form.
fn to_row(table: &'static str, row: &rusqlite::Row<'_>) -> StoreResult<Row> {
    let columns = row.as_ref().column_count();
    let mut values = Vec::with_capacity(columns);
    for column in 0..columns {
        values.push(match row.get_ref(column).map_err(failed)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => Value::Int(value),
            ValueRef::Blob(value) | ValueRef::Text(value) => {
                Value::Bytes(Bytes::copy_from_slice(value))
            }
            ValueRef::Real(value) => {
                return Err(StoreError::Corrupt {
                    table,
                    column,
                    wanted: "an integer or bytes",
                    found: value.to_string(),
                });
            }
        });
    }
    Ok(Row { table, values })
}

/// Writes `= ANY($1)` as `IN rarray(?1)` and `$1` as `?1`: to SQLite `$1` is a name, numbered by
/// its first appearance.
fn rewrite(sql: &str) -> Box<str> {
    sql.replace("= ANY(", "IN rarray(").replace('$', "?").into()
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

/// Opens the file with the settings that every connection needs.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Otherwise statements whose plan might depend on a parameter, a LIMIT for one, are compiled
    // anew each time they are run, which costs more than running them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // Checkpoints inside a commit would be waited for by everybody in it: see `checkpoint`.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// Reads back what durability rests on.
fn check_settings(connection: &Connection) -> rusqlite::Result<Result<(), OpenError>> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    let unsafe_setting = |setting, found, wanted| {
        Err(OpenError::Unsafe {
            setting,
            found,
            wanted,
        })
    };
    Ok(if mode != "wal" {
        unsafe_setting("journal_mode", mode, "wal")
    } else if synchronous != 2 {
        unsafe_setting("synchronous", synchronous.to_string(), "2 (full)")
    } else {
        Ok(())
    })
}

/// Takes the lock file beside the database: SQLite's own locks let a second process in.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name))
        .map_err(|error| unreadable(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &dyn fmt::Display) -> OpenError {
    OpenError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

fn migrate(connection: &mut Connection, server_name: &str) -> Result<(), OpenError> {
    connection
        .execute_batch(&SPELLING.write(CREATE_META))
        .map_err(failed)?;
    let version = find_meta(connection, VERSION)?;
    let found_name = find_meta(connection, SERVER_NAME)?;
    let missing = migrate::missing(version.as_deref(), found_name.as_deref(), server_name)?;
    for &(number, sql) in missing {
        migrate_one(connection, number, sql).map_err(|error| OpenError::Migration {
            number,
            source: Arc::new(error),
        })?;
    }
    if found_name.is_none() {
        put_meta(connection, SERVER_NAME, server_name.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

fn migrate_one(connection: &mut Connection, number: i64, sql: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(&SPELLING.write(sql))?;
    put_meta(&transaction, VERSION, &migrate::version_value(number))?;
    transaction.commit()
}

fn find_meta(connection: &Connection, name: &[u8]) -> StoreResult<Option<Vec<u8>>> {
    let mut statement = connection
        .prepare("SELECT value FROM meta WHERE name = ?1")
        .map_err(failed)?;
    let mut rows = statement.query([name]).map_err(failed)?;
    let row = rows.next().map_err(failed)?;
    row.map(|row| row.get(0)).transpose().map_err(failed)
}

fn put_meta(connection: &Connection, name: &[u8], value: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute(sql, [name, value]).map(drop)
}

/// Sorts a driver's error by what it means to the caller.
fn failed(error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error().map(|error| error.extended_code);
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(Arc::new(error)),
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::ReadOnly
            | ErrorCode::FileLockingProtocolFailed,
        ) => StoreError::Unavailable(Arc::new(error)),
        // A key that is unique beside the primary key: as any other row that must be absent.
        Some(ErrorCode::ConstraintViolation)
            if code == Some(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE)
                || code == Some(rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY) =>
        {
            StoreError::Conflict
        }
        _ => StoreError::Driver(Arc::new(error)),
    }
}
