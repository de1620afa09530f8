//! The members of a room, page by page, and the rooms of a member.

use bytes::Bytes;
use myelin_core::{membership::Membership, trie::TYPE_MEMBER};
use myelin_store::{Read, StoreError, StoreResult, events::StoredEvent, memberships};
use ruma::{OwnedRoomId, RoomId};

use crate::{RoomView, Rooms, visibility::membership_of_event};

/// Events in one page.
const PAGE: usize = 500;

/// Which members are wanted. Where both are given, either suffices.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemberFilter {
    /// Those with this membership.
    pub membership: Option<Membership>,
    /// Those with another membership than this.
    pub not_membership: Option<Membership>,
}

/// State events that are still to be read, as their numbers: a few bytes each.
#[derive(Debug)]
pub struct EventPages {
    numbers: std::vec::IntoIter<i64>,
    /// Which of the members are wanted, where the numbers do not tell.
    filter: Option<MemberFilter>,
}

impl MemberFilter {
    fn allows(self, membership: Membership) -> bool {
        match (self.membership, self.not_membership) {
            (None, None) => true,
            (only, never) => {
                only == Some(membership) || never.is_some_and(|never| never != membership)
            }
        }
    }
}

impl Rooms {
    /// The whole state at a root, to be read page by page. Cost: its size.
    pub async fn state_pages(&self, read: &mut Read, at: (i64, &Bytes)) -> StoreResult<EventPages> {
        let entries = self.state_entries(read, at).await?;
        let numbers: Vec<i64> = entries.into_iter().map(|(_, number)| number).collect();
        Ok(EventPages::new(numbers, None))
    }

    /// The member events of a room at a root that the view shows, to be read page by page.
    ///
    /// Cost: the number of those that are wanted, if the root is the current one, of all members
    /// there ever were for an older root.
    pub async fn members(
        &self,
        read: &mut Read,
        view: &RoomView,
        root: &Bytes,
        filter: MemberFilter,
    ) -> StoreResult<EventPages> {
        if view.shows_now(root) {
            let wanted: Vec<Membership> = Membership::ALL
                .into_iter()
                .filter(|membership| filter.allows(*membership))
                .collect();
            let numbers = memberships::list_events(read, view.room, &wanted).await?;
            return Ok(EventPages::new(numbers, None));
        }
        let at = (view.room, root);
        let entries = self.state_entries_of_type(read, at, TYPE_MEMBER).await?;
        let numbers = entries.into_iter().map(|(_, number)| number).collect();
        Ok(EventPages::new(numbers, Some(filter)))
    }

    /// The next events, never none; None: that was all.
    pub async fn next_page(
        &self,
        read: &mut Read,
        pages: &mut EventPages,
    ) -> StoreResult<Option<Vec<StoredEvent>>> {
        loop {
            let numbers: Vec<i64> = pages.numbers.by_ref().take(PAGE).collect();
            if numbers.is_empty() {
                return Ok(None);
            }
            let mut events = self.events_in_order(read, &numbers).await?;
            if let Some(filter) = pages.filter {
                events.retain(|event| filter.allows(membership_of_event(&event.json)));
            }
            if !events.is_empty() {
                return Ok(Some(events));
            }
        }
    }

    /// The rooms that a user is joined to.
    pub async fn joined_rooms(&self, user: i64) -> StoreResult<Vec<OwnedRoomId>> {
        let mut read = self.store.read();
        let joined = memberships::list_by_user(&mut read, user, Membership::Join).await?;
        let numbers: Vec<i64> = joined.iter().map(|membership| membership.room).collect();
        let names = self.store.interned(&numbers).await?;
        names.iter().map(|name| room_id_of(name)).collect()
    }
}

impl EventPages {
    fn new(numbers: Vec<i64>, filter: Option<MemberFilter>) -> Self {
        Self {
            numbers: numbers.into_iter(),
            filter,
        }
    }
}

/// The room id that an interned string is.
pub(crate) fn room_id_of(name: &[u8]) -> StoreResult<OwnedRoomId> {
    let text = std::str::from_utf8(name).ok();
    text.and_then(|text| RoomId::parse(text).ok())
        .ok_or_else(|| StoreError::Corrupt {
            table: "interned",
            column: 1,
            wanted: "a room id",
            found: String::from_utf8_lossy(name).into_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_filters_are_an_or() {
        let allowed = |membership, not_membership| {
            let filter = MemberFilter {
                membership,
                not_membership,
            };
            let all = Membership::ALL.into_iter();
            all.filter(|found| filter.allows(*found))
                .collect::<Vec<_>>()
        };
        let (join, leave) = (Some(Membership::Join), Some(Membership::Leave));
        assert_eq!(allowed(None, None), Membership::ALL);
        assert_eq!(allowed(join, None), [Membership::Join]);
        assert_eq!(allowed(None, leave).len(), 4);
        assert_eq!(allowed(leave, leave), Membership::ALL);
        assert_eq!(allowed(join, leave).len(), 4);
    }
}
