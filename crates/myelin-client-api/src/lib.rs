//! myelin-client-api
