//! myelin-core

pub mod trie;
