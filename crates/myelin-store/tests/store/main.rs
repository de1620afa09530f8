//! The store, seen from outside, on both engines.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]
#![expect(
    clippy::excessive_nesting,
    reason = "tests are closures over write sets inside closures over engines"
)]

mod commit;
mod migrations;
mod property;
mod support;
