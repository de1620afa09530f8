//! The state of a room as another server tells it: events that must vouch for each other.
//!
//! [`AnswerReader`] takes such an answer apart while it comes in; [`judge`] says which of its
//! events hold, and whether they make a state.

mod answer;
mod judge;

pub use answer::{AnswerError, AnswerReader, Part, Place};
pub use judge::{Judgement, SnapshotError, Standing, Told, Verdict, judge};

#[cfg(test)]
mod tests;
