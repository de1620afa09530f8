//! myelin-accounts
