//! What may be asked of an event besides that it be sent.

use myelin_store::delayed_events::DelayedEvent;

/// What may be asked of an event besides that it be sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendOptions<'a> {
    /// The delayed event that becomes this one, and ends in the same commit.
    pub delayed: Option<&'a DelayedEvent>,
    /// For how many milliseconds it is sticky: at most [`myelin_core::sticky::DURATION_MS_MAX`].
    pub sticky_ms: Option<u32>,
}
