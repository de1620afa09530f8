//! myelin-core
