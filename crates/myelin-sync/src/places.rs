//! Places in a room: what a token stands for, and the state that there was.

use bytes::Bytes;
use myelin_rooms::RoomView;
use myelin_store::{LogKind, Read, StoreError, StoreResult, events, log};

use crate::{RoomToken, StreamToken, Syncs, Token, initial::place_after};

impl Syncs {
    /// The place in a room that a token stands for.
    pub async fn place(
        &self,
        read: &mut Read,
        view: &RoomView,
        token: Token,
    ) -> Result<RoomToken, StoreError> {
        let StreamToken { position, .. } = match token {
            Token::Room(place) => return Ok(place),
            Token::Stream(token) => token,
        };
        let Some(entry) = log::find_last(read, view.room, LogKind::Event, position).await? else {
            return Ok(RoomToken {
                depth: 0,
                before: 1,
            });
        };
        let event = events::find(read, entry.reference)
            .await?
            .ok_or(StoreError::Missing { table: "events" })?;
        Ok(place_after(&event))
    }

    /// The root of the state that a room had at a token, or that it had when the user left if that
    /// was earlier. None: the user may not see what there was at that time.
    pub async fn root_at_token(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        token: Token,
    ) -> StoreResult<Option<Bytes>> {
        let before = self.place(read, view, token).await?.before;
        if before > view.newest && !view.is_closed() {
            return Ok(Some(view.root.clone()));
        }
        let last = events::list_before(read, view.room, before, 1).await?;
        let Some(last) = last.into_iter().next() else {
            // Before the first event there was no state, and everybody may know that.
            return Ok(Some(Bytes::new()));
        };
        let root = self.rooms.root_after(read, &last).await?;
        let visible = self.rooms.visible(read, view, vec![last]).await?;
        Ok((!visible.is_empty()).then_some(root))
    }
}
