//! Numbers that are identity and never order, from blocks that each node leases.

use std::ops::Range;

use crate::{OnConflict, Store, StoreResult, Table, WriteSet, bytes, int};

/// `next` is the first number that no node has leased; it only grows, so it serves as the version.
static SEQUENCES: Table = Table {
    name: "sequences",
    key: &[bytes("name")],
    values: &[int("next")],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// What is numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// Events.
    Event,
    /// Interned strings.
    Interned,
    /// Receipts.
    Receipt,
    /// Messages between devices.
    ToDevice,
    /// Runs of the program.
    Node,
}

impl Sequence {
    const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Interned => "interned",
            Self::Receipt => "receipt",
            Self::ToDevice => "to_device",
            Self::Node => "node",
        }
    }

    /// The numbers below are given by the first migration, or mean "none".
    const fn first(self) -> i64 {
        match self {
            Self::Event | Self::Receipt | Self::ToDevice | Self::Node => 1,
            Self::Interned => 17,
        }
    }

    /// How many numbers a node leases at once. What it does not use is lost when it stops.
    const fn block(self) -> i64 {
        match self {
            Self::Event => 1_024,
            Self::Interned | Self::Receipt | Self::ToDevice => 256,
            Self::Node => 1,
        }
    }
}

impl Store {
    /// `n` numbers that nobody else is given, ascending, not always neighbours.
    pub async fn next_numbers(&self, sequence: Sequence, n: usize) -> StoreResult<Vec<i64>> {
        let blocks = &self.inner.number_blocks;
        let block = match sequence {
            Sequence::Event => &blocks.event,
            Sequence::Interned => &blocks.interned,
            Sequence::Receipt => &blocks.receipt,
            Sequence::ToDevice => &blocks.to_device,
            Sequence::Node => &blocks.node,
        };
        // Held while a block is leased: one lease serves all who wait.
        let mut block = block.lock().await;
        let mut numbers: Vec<i64> = block.by_ref().take(n).collect();
        if numbers.len() < n {
            let missing = n - numbers.len();
            *block = self.lease(sequence, missing).await?;
            numbers.extend(block.by_ref().take(missing));
        }
        Ok(numbers)
    }

    /// A block of at least `n` numbers.
    async fn lease(&self, sequence: Sequence, n: usize) -> StoreResult<Range<i64>> {
        let size = i64::try_from(n).unwrap_or(i64::MAX).max(sequence.block());
        let mut attempts = self.attempts();
        loop {
            let row = self
                .read()
                .query_one(
                    SEQUENCES.name,
                    "SELECT next FROM sequences WHERE name = $1",
                    &[sequence.name().into()],
                )
                .await?;
            let leased = row.map(|row| row.int(0)).transpose()?;
            let from = leased.unwrap_or(sequence.first());
            let to = from.saturating_add(size);
            let mut writes = WriteSet::new();
            let key = vec![sequence.name().into()];
            writes.expect(&SEQUENCES, key.clone(), leased);
            writes.put(&SEQUENCES, key, vec![to.into()]);
            if attempts.commit(writes).await?.is_some() {
                return Ok(from..to);
            }
        }
    }
}

#[cfg(test)]
mod tests;
