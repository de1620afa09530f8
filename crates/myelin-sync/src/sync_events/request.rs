//! What a client asks of `/sync`.

use std::time::Duration;

use ruma::presence::PresenceState;

use crate::{StreamToken, Viewer, filter::Filter};

/// A poll.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// Who polls.
    pub viewer: Viewer,
    /// Where the last poll ended; None: begin with everything.
    pub since: Option<StreamToken>,
    /// How long to wait for something to happen.
    pub timeout: Duration,
    /// What is to be shown.
    pub filter: Filter,
    /// Whether the whole state of all rooms is wanted, whatever the client knows.
    pub full_state: bool,
    /// Which state comes with a timeline, and under which name.
    pub state_form: StateForm,
    /// What polling says about the user.
    pub set_presence: PresenceState,
}

/// Which state comes with a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateForm {
    /// `state`: before the timeline, which leads on from there.
    #[default]
    Before,
    /// `state_after`: after the timeline, whose events then change nothing.
    After,
    /// The same under the name that it had before the specification took it in.
    AfterUnstable,
}

impl StateForm {
    /// The key in the answer.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Before => "state",
            Self::After => "state_after",
            Self::AfterUnstable => "org.matrix.msc4222.state_after",
        }
    }

    /// Whether it is the state after the timeline.
    pub(super) fn is_after(self) -> bool {
        self != Self::Before
    }
}
