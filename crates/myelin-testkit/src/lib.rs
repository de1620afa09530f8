//! myelin-testkit
