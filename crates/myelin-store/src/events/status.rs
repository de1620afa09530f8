//! What became of an event.

/// What became of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i64)]
pub enum Status {
    /// It has its place in the room, and clients are shown it.
    #[default]
    Accepted = 0,
    /// It is known because others refer to it as state or in their `auth_events`; its place in the
    /// room, and so the state before it, is not. What is an outlier has passed the rules against
    /// its own `auth_events`.
    Outlier = 1,
    /// The rules refused it: it never is state, and nobody is shown it.
    Rejected = 2,
    /// The rules let it happen where its sender put it, but not in the room as it was when it
    /// came: no event of ours is built on it, and clients are not shown it. What others build on
    /// it counts, and so may become state.
    SoftFailed = 3,
}

impl Status {
    pub(super) const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Accepted),
            1 => Some(Self::Outlier),
            2 => Some(Self::Rejected),
            3 => Some(Self::SoftFailed),
            _ => None,
        }
    }
}
