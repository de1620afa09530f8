//! myelin-http
