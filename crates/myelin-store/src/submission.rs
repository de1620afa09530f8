//! What becomes of a write set: its answer, and who is told of its log entries.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use crate::{LogEntry, Row, StoreError, StoreResult};

/// What a committed set was given.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// The position of the set's first log entry; 0 without any.
    pub first: i64,
    /// The position of the set's last log entry; 0 without any.
    pub last: i64,
    /// The rows of the set's takes, in their order; None where there was nothing to take.
    pub taken: Vec<Option<Row>>,
}

impl Committed {
    /// The answer to a set that has moved the position from `before` to `after`.
    pub(crate) fn new(before: i64, after: i64, taken: Vec<Option<Row>>) -> Self {
        let (first, last) = if after > before {
            (before + 1, after)
        } else {
            (0, 0)
        };
        Self { first, last, taken }
    }
}

/// Told of a batch's log entries after its commit and before its answers.
pub(crate) type Publish = Arc<dyn Fn(Vec<LogEntry>) + Send + Sync>;

/// The future answer to a submitted set: ready once the set is durable or has fallen. Dropping it
/// does not take the set back.
#[derive(Debug)]
pub struct Submission {
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Refused(Option<StoreError>),
    Waiting(oneshot::Receiver<StoreResult<Committed>>),
}

impl Submission {
    pub(crate) fn refused(error: StoreError) -> Self {
        Self {
            answer: Answer::Refused(Some(error)),
        }
    }

    pub(crate) fn waiting(receiver: oneshot::Receiver<StoreResult<Committed>>) -> Self {
        Self {
            answer: Answer::Waiting(receiver),
        }
    }
}

impl Future for Submission {
    type Output = StoreResult<Committed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.answer {
            Answer::Refused(error) => Poll::Ready(Err(error.take().unwrap_or_else(closed))),
            Answer::Waiting(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|answer| answer.unwrap_or_else(|_| Err(closed()))),
        }
    }
}

/// The error of those who ask a store that was closed.
pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable(Arc::from(Box::from("the store is closed")))
}

/// The error of those whose batch was lost before it was committed.
pub(crate) fn lost() -> StoreError {
    StoreError::Unavailable(Arc::from(Box::from("the connection was lost")))
}
