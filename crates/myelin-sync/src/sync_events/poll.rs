//! What stays the same through one answer.

use std::{collections::BTreeSet, sync::Arc};

use myelin_store::{StoreResult, events::StoredEvent};
use ruma::{OwnedUserId, UserId};

use super::{
    KeyNews, SyncRequest, ephemeral::TypingNews, sticky::StickyNews, style::Style,
    to_device::ToDeviceNews,
};
use crate::{Notes, ShownEvent, StreamToken, presence::PresenceNews, watch::UserWatch};

/// An answer's request, and where in the log it begins and ends.
pub(super) struct Poll {
    pub(super) request: Arc<SyncRequest>,
    /// What is remembered of the user.
    pub(super) watch: Arc<UserWatch>,
    /// What the client knows; None: nothing.
    pub(super) since: Option<StreamToken>,
    /// The position up to which the answer goes.
    pub(super) position: i64,
    /// Users whose messages and invitations the user does not want to see.
    pub(super) ignored: BTreeSet<OwnedUserId>,
    /// Who types.
    pub(super) typing: TypingNews,
    /// Who is there.
    pub(super) presence: PresenceNews,
    /// What waits for the device.
    pub(super) to_device: ToDeviceNews,
    /// What is new about keys.
    pub(super) keys: KeyNews,
    /// The sticky events that are new to the client.
    pub(super) sticky: StickyNews,
    pub(super) now_ms: u64,
}

impl Poll {
    /// The interned id of the user who polls.
    pub(super) fn user(&self) -> i64 {
        self.request.viewer.user
    }

    /// The position up to which the client knows everything.
    pub(super) fn since_position(&self) -> i64 {
        self.since.map_or(0, |since| since.position)
    }

    /// Where the client goes on.
    pub(super) fn next_batch(&self) -> StreamToken {
        StreamToken {
            position: self.position,
            presence: self.presence.next,
            typing: self.typing.next,
            to_device: self.to_device.next,
            sticky: self.sticky.place,
        }
    }

    /// Whether the user ignores the user with this id.
    pub(super) fn ignores(&self, user_id: &[u8]) -> bool {
        let user_id = std::str::from_utf8(user_id).ok();
        let user_id = user_id.and_then(|user_id| <&UserId>::try_from(user_id).ok());
        user_id.is_some_and(|user_id| self.ignored.contains(user_id))
    }

    /// Writes an event of a timeline.
    pub(super) fn write_shown(&self, out: &mut String, shown: &ShownEvent) -> StoreResult<()> {
        self.style().write(out, &shown.event, &shown.notes)
    }

    /// Writes an event of neither timeline nor state.
    pub(super) fn write_noted(
        &self,
        out: &mut String,
        (event, notes): (&StoredEvent, &Notes),
    ) -> StoreResult<()> {
        self.style().write(out, event, notes)
    }

    /// Writes an event of the state.
    pub(super) fn write_state(&self, out: &mut String, event: &StoredEvent) -> StoreResult<()> {
        self.style().write(out, event, &Notes::default())
    }

    fn style(&self) -> Style<'_> {
        Style {
            viewer: &self.request.viewer,
            now_ms: self.now_ms,
            format: self.request.filter.event_format,
            fields: self.request.filter.event_fields.as_ref(),
        }
    }
}
