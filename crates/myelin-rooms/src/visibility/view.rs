//! What one user may see of one room: a rule over the state before each event.

use std::collections::HashMap;

use bytes::Bytes;
use myelin_core::{
    membership::Membership,
    trie::{TYPE_HISTORY_VISIBILITY, TYPE_MEMBER},
};
use myelin_store::{
    EMPTY_STRING,
    departures::Departure,
    events::{Status, StoredEvent},
    rooms::Room,
};

use super::moments::{HistoryVisibility, Moment, membership_of_event};

/// How a user stands to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Joined now.
    Member,
    /// Was joined once, is not now, and has not forgotten the room.
    Departed,
    /// Any other, whether invited, knocking or unknown to the room.
    Outsider,
}

/// What a user may see of a room.
#[derive(Clone, Debug)]
pub struct RoomView {
    /// The interned room id.
    pub room: i64,
    /// The interned user id.
    pub user: i64,
    /// What the user is in the room now; `Leave` for who was never there.
    pub membership: Membership,
    /// How the user stands to the room.
    pub standing: Standing,
    /// The root of the state that the user is shown: the current one; of a room left, the one
    /// after the departure; empty if the room is closed to the user.
    pub root: Bytes,
    /// The room order of the event after which that state is the current one: walks back through
    /// the room begin here.
    pub newest: i64,
    /// The greatest room order that an event which the user may see can have.
    pub last: i64,
    /// The greatest room order that an event can have which the user may see though it is not
    /// world readable.
    own_last: i64,
    pub(super) moments: HashMap<Bytes, Moment>,
    pub(super) visibilities: HashMap<i64, HistoryVisibility>,
    pub(super) memberships: HashMap<i64, Membership>,
}

/// An event that a user may see.
#[derive(Clone, Debug)]
pub struct VisibleEvent {
    /// The event.
    pub event: StoredEvent,
    /// What the user was in the room when it was sent, including any change by the event itself.
    pub membership: Membership,
    /// Whether the user may also see the state that it changed, as `prev_content` shows it: who
    /// only sees that a room is closed, or opened, may not.
    pub shows_before: bool,
}

impl RoomView {
    pub(super) fn of_member(row: &Room, user: i64) -> Self {
        Self {
            standing: Standing::Member,
            root: row.root.clone(),
            newest: row.room_order,
            last: row.room_order,
            // An event that came in since is no secret to who is still there.
            own_last: i64::MAX,
            ..Self::closed(row.room, (user, Membership::Join))
        }
    }

    pub(super) fn of_departed(
        row: &Room,
        user: (i64, Membership),
        departure: &Departure,
        is_world_readable: bool,
    ) -> Self {
        Self {
            standing: Standing::Departed,
            root: departure.root.clone(),
            newest: departure.room_order,
            last: if is_world_readable {
                row.room_order
            } else {
                departure.room_order
            },
            own_last: departure.room_order,
            ..Self::closed(row.room, user)
        }
    }

    pub(super) fn of_outsider(
        row: &Room,
        user: (i64, Membership),
        is_world_readable: bool,
    ) -> Self {
        let closed = Self::closed(row.room, user);
        if !is_world_readable {
            return closed;
        }
        Self {
            root: row.root.clone(),
            newest: row.room_order,
            last: row.room_order,
            ..closed
        }
    }

    fn closed(room: i64, (user, membership): (i64, Membership)) -> Self {
        Self {
            room,
            user,
            membership,
            standing: Standing::Outsider,
            root: Bytes::new(),
            newest: i64::MIN,
            last: i64::MIN,
            own_last: i64::MIN,
            moments: HashMap::new(),
            visibilities: HashMap::new(),
            memberships: HashMap::new(),
        }
    }

    /// Whether the user may see nothing of the room, but single events of times when it was world
    /// readable.
    pub fn is_closed(&self) -> bool {
        self.last == i64::MIN
    }

    /// Whether a root is that of the current state, which is kept in tables, too.
    pub(crate) fn shows_now(&self, root: &Bytes) -> bool {
        !self.is_closed() && self.standing != Standing::Departed && *root == self.root
    }

    /// The event, if the user may see it. The state before it must have been learnt.
    pub(super) fn show(&self, event: StoredEvent) -> Option<VisibleEvent> {
        if event.status != Status::Accepted {
            return None;
        }
        let before = *self.moments.get(&event.root_before)?;
        let mut after = before;
        let own = event.event_type == TYPE_MEMBER && event.state_key == Some(self.user);
        if own {
            after.membership = membership_of_event(&event.json);
        } else if event.event_type == TYPE_HISTORY_VISIBILITY
            && event.state_key == Some(EMPTY_STRING)
        {
            after.visibility = HistoryVisibility::of_event(&event.json);
        }
        let by_before = self.allows(before, event.room_order);
        let shown = by_before || self.allows(after, event.room_order);
        shown.then_some(VisibleEvent {
            event,
            membership: after.membership,
            shows_before: by_before || own,
        })
    }

    /// An event that the user may see whatever the rules say. The state before it must have been
    /// learnt.
    pub(super) fn show_whatever_rules(&self, event: StoredEvent) -> VisibleEvent {
        let before = self.moments.get(&event.root_before);
        VisibleEvent {
            membership: before.map_or(Membership::Leave, |before| before.membership),
            shows_before: false,
            event,
        }
    }

    /// The five rules of the specification. Who is joined now, or was joined later than the event,
    /// has joined "at any point after the event was sent" or was joined then.
    fn allows(&self, at: Moment, room_order: i64) -> bool {
        match at.visibility {
            HistoryVisibility::WorldReadable => true,
            _ if room_order > self.own_last => false,
            HistoryVisibility::Shared => true,
            HistoryVisibility::Invited => {
                matches!(at.membership, Membership::Join | Membership::Invite)
            }
            HistoryVisibility::Joined => at.membership == Membership::Join,
        }
    }
}
