//! The statements of one flush: sent at once, answered in order.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use tokio_postgres::{Client, Error, Statement, types::ToSql};

use super::{plan::RowKey, values::Argument};
use crate::{Column, Value};

/// A statement on its way.
pub(super) enum Call<'a> {
    Text(&'static str),
    Count(Statement, Vec<Argument<'a>>),
    Rows(Statement, Vec<Argument<'a>>),
}

#[derive(Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<tokio_postgres::Row>,
    pub(super) count: u64,
}

/// Sends all statements at once and waits for all answers. The first error counts: it is the cause
/// of those that follow.
pub(super) async fn send(client: &Client, calls: &[Call<'_>]) -> Result<Vec<Answer>, Error> {
    let futures = calls.iter().map(|call| Box::pin(call.run(client)));
    in_order(futures.collect()).await.into_iter().collect()
}

/// Groups sorted rows by their table.
pub(super) fn by_table<'a, T>(
    rows: impl Iterator<Item = (RowKey<'a>, T)>,
) -> Vec<Vec<(RowKey<'a>, T)>> {
    let mut tables: Vec<Vec<(RowKey<'a>, T)>> = Vec::new();
    for (key, row) in rows {
        match tables.last_mut() {
            Some(last) if last[0].0.0 == key.0 => last.push((key, row)),
            _ => tables.push(vec![(key, row)]),
        }
    }
    tables
}

/// The columns of rows as arrays.
pub(super) fn arrays<'a>(
    columns: &[Column],
    rows: impl Iterator<Item = (&'a [Value], &'a [Value])>,
    count: usize,
) -> Vec<Argument<'a>> {
    let mut arrays: Vec<_> = columns
        .iter()
        .map(|column| Argument::array(column, count))
        .collect();
    for (key, values) in rows {
        for (array, value) in arrays.iter_mut().zip(key.iter().chain(values)) {
            array.push(value);
        }
    }
    arrays
}

impl Call<'_> {
    async fn run(&self, client: &Client) -> Result<Answer, Error> {
        match self {
            Self::Text(text) => client.batch_execute(text).await.map(|()| Answer::default()),
            Self::Count(statement, arguments) => {
                let count = client.execute(statement, &references(arguments)).await?;
                let rows = Vec::new();
                Ok(Answer { rows, count })
            }
            // Rows that were only read.
            Self::Rows(statement, arguments) => {
                let rows = client.query(statement, &references(arguments)).await?;
                let count = 0;
                Ok(Answer { rows, count })
            }
        }
    }
}

fn references<'v>(arguments: &'v [Argument<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    let references = arguments
        .iter()
        .map(|argument| argument as &(dyn ToSql + Sync));
    references.collect()
}

/// Polls futures in their order, which is the order in which their statements are sent.
async fn in_order<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut outputs: Vec<_> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut is_pending = false;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_some() {
                continue;
            }
            match Pin::new(future).poll(context) {
                Poll::Ready(value) => *output = Some(value),
                Poll::Pending => is_pending = true,
            }
        }
        if is_pending {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
