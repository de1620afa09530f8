//! myelin
