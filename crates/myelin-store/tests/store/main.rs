//! The store, seen from outside, on both engines.

#![expect(
    clippy::excessive_nesting,
    reason = "tests are closures over write sets inside closures over engines"
)]

mod commit;
mod support;
