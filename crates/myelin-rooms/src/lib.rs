//! myelin-rooms
