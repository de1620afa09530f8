//! What PostgreSQL's errors mean to us.

use std::{error::Error as _, fmt::Write, sync::Arc};

use tokio_postgres::{Error, error::SqlState};

use crate::StoreError;

/// Sorts a driver's error by what it means to the caller.
pub(super) fn failed(error: Error) -> StoreError {
    if is_lost(&error) {
        return StoreError::Unavailable(Arc::new(error));
    }
    match error.code() {
        Some(&SqlState::DISK_FULL) => StoreError::Full(Arc::new(error)),
        // A key that is unique beside the primary key: as any other row that must be absent.
        Some(&SqlState::UNIQUE_VIOLATION) => StoreError::Conflict,
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => StoreError::Unavailable(Arc::new(error)),
        _ => StoreError::Driver(Arc::new(error)),
    }
}

/// Whether the connection, not the statement, is at fault.
pub(super) fn is_lost(error: &Error) -> bool {
    let Some(code) = error.code() else {
        // Errors without a code are the client's: a closed socket, or a value that it cannot
        // encode, which is the statement's fault.
        return error.is_closed() || has_io_source(error);
    };
    let class = &code.code()[..2];
    class == "08"
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

/// Whether the same batch may pass if it is tried again.
pub(super) fn is_transient(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED)
    )
}

/// Whether a key was inserted by somebody else meanwhile, or is unique beside the primary key.
pub(super) fn is_duplicate(error: &Error) -> bool {
    error.code() == Some(&SqlState::UNIQUE_VIOLATION)
}

/// The error and its causes on one line.
pub(super) fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

fn has_io_source(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}
