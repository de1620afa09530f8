//! myelin-sync
