//! The kinds of push rules.

use serde::{Deserialize, Serialize};

/// A kind of push rule, in the order in which the kinds are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleKind {
    /// With conditions, before all others.
    Override,
    /// A pattern for the body of messages.
    Content,
    /// With conditions, after those about the body. There are none of a user's own (MSC4306).
    PostContent,
    /// All events of one room.
    Room,
    /// All events of one sender.
    Sender,
    /// With conditions, after all others.
    Underride,
}

impl RuleKind {
    /// All of them, in their order.
    pub const ALL: [Self; 6] = [
        Self::Override,
        Self::Content,
        Self::PostContent,
        Self::Room,
        Self::Sender,
        Self::Underride,
    ];

    /// What the kind is called.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Content => "content",
            Self::PostContent => "postcontent",
            Self::Room => "room",
            Self::Sender => "sender",
            Self::Underride => "underride",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether rules of the kind have conditions of their own.
    pub const fn has_conditions(self) -> bool {
        matches!(self, Self::Override | Self::PostContent | Self::Underride)
    }
}
