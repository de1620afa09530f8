//! One room as JSON.

use std::fmt::Write;

use myelin_store::{
    Read, StoreResult, events,
    notifications::{MAIN, Sums},
    sticky_events::ShownSticky,
};
use ruma::RoomId;

use super::{news::RoomNews, poll::Poll, room::Part, state::Known, timeline::Timeline};
use crate::{StreamToken, Syncs, initial::place_before, render::quoted};

/// State events that are read and written at once.
const SLICE: usize = 200;

/// A room in the making. All but the state is written at once; a large state follows in slices, and
/// then what is sticky, of which an answer has not much.
#[derive(Debug)]
pub(super) struct RoomText {
    /// What is written so far: `"ROOM":{…`.
    pub(super) text: String,
    /// The numbers of the state events still to be written.
    state: Vec<i64>,
    /// Whether a state event was written.
    has_state: bool,
    /// The sticky events still to be written.
    sticky: Vec<ShownSticky>,
    /// What comes after these.
    end: &'static str,
}

impl RoomText {
    fn whole(text: String) -> Self {
        Self {
            text,
            state: Vec::new(),
            has_state: false,
            sticky: Vec::new(),
            end: "",
        }
    }

    /// Opens the state of a room of which everything else is written.
    fn with_state(poll: &Poll, mut text: String, state: Vec<i64>) -> Self {
        let key = poll.request.state_form.key();
        // Writing to a string cannot fail.
        let _ = write!(text, r#","{key}":{{"events":["#);
        Self {
            text,
            state,
            has_state: false,
            sticky: Vec::new(),
            end: "]}}",
        }
    }

    /// Whether all is written.
    pub(super) fn is_written(&self) -> bool {
        self.state.is_empty() && self.sticky.is_empty()
    }

    /// What comes after all that.
    pub(super) fn end(&self) -> &'static str {
        self.end
    }
}

impl Syncs {
    /// Begins a room; None: there is nothing to tell of it.
    pub(super) async fn begin_room(
        &self,
        poll: &Poll,
        read: &mut Read,
        (room, part): (i64, Part),
    ) -> StoreResult<Option<RoomText>> {
        let room_id = self.rooms.room_id(room).await?;
        if !poll.request.filter.room.allows_room(room_id.as_str()) {
            return Ok(None);
        }
        let at = (room, &*room_id);
        match part {
            Part::Joined { known, news } => self.begin_joined(poll, read, at, (known, news)).await,
            Part::Left { event, known, data } => {
                let Some(leave) = events::find(read, event).await? else {
                    return Ok(None);
                };
                let all = known == Some(Known::Nothing);
                let data = (!all).then_some(&data[..]);
                let data = self.room_account_data(poll, read, at, data).await?;
                let told = self.tell_left(poll, read, (leave, &room_id), known).await?;
                let mut text = open_room(poll, &room_id, &told.timeline)?;
                let _ = write!(text, r#","account_data":{{"events":[{data}]}}"#);
                Ok(Some(RoomText::with_state(poll, text, told.state)))
            }
            Part::Invited(event) => {
                self.outside(poll, read, (&room_id, "invite_state"), event)
                    .await
            }
            Part::Knocked(event) => {
                self.outside(poll, read, (&room_id, "knock_state"), event)
                    .await
            }
        }
    }

    /// Writes the next slice of a room's state, or its sticky events.
    pub(super) async fn write_slice(
        &self,
        poll: &Poll,
        read: &mut Read,
        room: &mut RoomText,
    ) -> StoreResult<()> {
        if !room.state.is_empty() {
            return self.write_state_slice(poll, read, room).await;
        }
        room.text.push_str(r#"]},"msc4354_sticky":{"events":["#);
        let sticky = std::mem::take(&mut room.sticky);
        self.write_sticky(poll, read, (&mut room.text, &sticky))
            .await
    }

    /// Writes the next slice of a room's state.
    async fn write_state_slice(
        &self,
        poll: &Poll,
        read: &mut Read,
        room: &mut RoomText,
    ) -> StoreResult<()> {
        let rest = room.state.split_off(room.state.len().min(SLICE));
        let slice = std::mem::replace(&mut room.state, rest);
        let mut events = self.rooms.events_in_order(read, &slice).await?;
        let filter = &poll.request.filter.room.state;
        filter.matcher().retain(&self.store, &mut events).await?;
        for event in &events {
            if room.has_state {
                room.text.push(',');
            }
            room.has_state = true;
            poll.write_state(&mut room.text, event)?;
        }
        Ok(())
    }

    async fn begin_joined(
        &self,
        poll: &Poll,
        read: &mut Read,
        (room, room_id): (i64, &RoomId),
        (known, mut news): (Known, Option<RoomNews>),
    ) -> StoreResult<Option<RoomText>> {
        let data = news
            .as_mut()
            .map(|news| std::mem::take(&mut news.account_data));
        let receipts = news.as_mut().map(|news| std::mem::take(&mut news.receipts));
        let counted = news.as_ref().is_some_and(|news| news.counted);
        let receipts = (known, &receipts.unwrap_or_default()[..]);
        let at = (room, room_id);
        let ephemeral = self.ephemeral(poll, read, at, receipts).await?;
        let changed = data.filter(|_| known == Known::All);
        let data = self
            .room_account_data(poll, read, (room, room_id), changed.as_deref())
            .await?;
        let told = self
            .tell_joined(poll, read, (room, room_id), (known, news))
            .await?;
        let mut text = open_room(poll, room_id, &told.timeline)?;
        if let Some(summary) = &told.summary {
            text.push_str(r#","summary":"#);
            self.write_summary(&mut text, summary).await?;
        }
        let _ = write!(text, r#","account_data":{{"events":[{data}]}}"#);
        let _ = write!(text, r#","ephemeral":{{"events":[{ephemeral}]}}"#);
        self.write_unread(poll, read, (&mut text, room, room_id))
            .await?;
        let beside = poll.sticky.beside(room, &told.timeline);
        let has_sticky = !beside.is_empty();
        let mut room = RoomText::with_state(poll, text, told.state);
        room.sticky = beside;
        if known != Known::All {
            return Ok(Some(room));
        }
        // Whether there is anything to tell is known once the filter has seen the state.
        while !room.state.is_empty() {
            self.write_state_slice(poll, read, &mut room).await?;
        }
        let timeline = &told.timeline;
        let has_events = timeline.limited || !timeline.events.is_empty() || room.has_state;
        let has_content =
            has_events || has_sticky || counted || !data.is_empty() || !ephemeral.is_empty();
        Ok(has_content.then_some(room))
    }

    /// Writes how many unread messages notify the user: in all threads together, or, to a client
    /// that asks for it, in each of them.
    async fn write_unread(
        &self,
        poll: &Poll,
        read: &mut Read,
        (text, room, room_id): (&mut String, i64, &RoomId),
    ) -> StoreResult<()> {
        let mut threads = self.unread(read, poll.user(), (room, room_id)).await?;
        let filter = &poll.request.filter.room.timeline;
        if !filter.unread_thread_notifications() {
            let mut all = Sums::default();
            for thread in threads.values() {
                all.notify += thread.notify;
                all.highlight += thread.highlight;
            }
            let _ = write!(text, r#","unread_notifications":{}"#, counts(all));
            return Ok(());
        }
        let main = threads.remove(MAIN).unwrap_or_default();
        let threads = threads.into_iter();
        let threads = threads.map(|(id, sums)| format!("{}:{}", quoted(&id), counts(sums)));
        let threads = threads.collect::<Vec<_>>().join(",");
        let _ = write!(text, r#","unread_notifications":{}"#, counts(main));
        let _ = write!(text, r#","unread_thread_notifications":{{{threads}}}"#);
        Ok(())
    }

    /// A room that the user looks at from outside: stripped state, unless it is somebody whose
    /// invitations the user does not want who invites.
    async fn outside(
        &self,
        poll: &Poll,
        read: &mut Read,
        (room_id, key): (&RoomId, &str),
        event: i64,
    ) -> StoreResult<Option<RoomText>> {
        let Some(member) = events::find(read, event).await? else {
            return Ok(None);
        };
        if self.is_ignored(poll, member.sender).await?
            || key == "invite_state" && self.is_unwanted(poll, read, &member).await?
        {
            return Ok(None);
        }
        let mut text = format!(r#"{}:{{"{key}":{{"events":"#, quoted(room_id.as_str()));
        self.write_stripped_state(&mut text, read, &member).await?;
        text.push_str("}}");
        Ok(Some(RoomText::whole(text)))
    }
}

/// `"ROOM":{"timeline":{…}`.
fn open_room(poll: &Poll, room_id: &RoomId, timeline: &Timeline) -> StoreResult<String> {
    let mut text = quoted(room_id.as_str());
    text.push_str(r#":{"timeline":{"events":["#);
    for (index, shown) in timeline.events.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        poll.write_shown(&mut text, shown)?;
    }
    let prev_batch = match timeline.events.first() {
        Some(first) => place_before(&first.event).to_string(),
        None => StreamToken::at(poll.position).to_string(),
    };
    let limited = timeline.limited;
    let _ = write!(
        text,
        r#"],"limited":{limited},"prev_batch":"{prev_batch}"}}"#
    );
    Ok(text)
}

fn counts(sums: Sums) -> String {
    let Sums { notify, highlight } = sums;
    format!(r#"{{"highlight_count":{highlight},"notification_count":{notify}}}"#)
}
