//! An answer, written piece by piece.

use std::vec;

use myelin_accounts::{KeyTotals, key_totals};
use myelin_store::{Read, StoreResult};
use serde_json::json;

use super::{
    news::News,
    plan::{AllRooms, Planned, Section},
    poll::Poll,
    room_text::RoomText,
};
use crate::{StreamToken, Syncs, Viewer};

/// An answer to a poll, whose JSON is written as it is asked for: never more than one room, and of
/// a large room only a part, is in memory.
pub struct SyncAnswer {
    syncs: Syncs,
    poll: Poll,
    planned: vec::IntoIter<Planned>,
    /// What was written and not yet taken.
    text: String,
    /// The map that is being written.
    section: Section,
    /// Whether it has rooms in it.
    has_rooms: bool,
    open: Option<RoomText>,
    has_content: bool,
    is_finished: bool,
}

impl SyncAnswer {
    /// An answer about all rooms, for a client that knows nothing.
    pub(super) async fn everything(
        syncs: &Syncs,
        mut poll: Poll,
        all: AllRooms,
    ) -> StoreResult<Self> {
        syncs
            .sent_members
            .begin(&poll.request.viewer, poll.position);
        let mut read = syncs.store.read();
        poll.sticky = syncs.all_sticky(&poll, &mut read, &all.rooms).await?;
        let data = syncs
            .global_account_data(&poll, &mut read, (None, true))
            .await?;
        Ok(Self::new(syncs, poll, (all.rooms, &data)))
    }

    /// An answer about what is new.
    pub(super) async fn news(syncs: &Syncs, mut poll: Poll, mut news: News) -> StoreResult<Self> {
        let mut read = syncs.store.read();
        poll.sticky = syncs.sticky_news(&poll, &mut read, &news).await?;
        let mut planned = syncs.plan_news(&poll, &mut read, &mut news).await?;
        let mut changed = (Some(&news.account_data[..]), news.push_rules);
        if poll.request.full_state {
            let known = (&mut planned, &news.joined[..]);
            syncs.add_known(&poll, &mut read, known).await?;
            changed = (None, true);
        }
        poll.sticky.add_to(&mut planned);
        let data = syncs.global_account_data(&poll, &mut read, changed).await?;
        Ok(Self::new(syncs, poll, (planned, &data)))
    }

    fn new(syncs: &Syncs, poll: Poll, (planned, data): (Vec<Planned>, &str)) -> Self {
        let next_batch = poll.next_batch();
        let presence = &poll.presence.events;
        let messages = &poll.to_device.events;
        let lists = poll.keys.lists.to_json();
        let text = format!(
            r#"{{"next_batch":"{next_batch}","account_data":{{"events":[{data}]}},"presence":{{"events":[{presence}]}},"to_device":{{"events":[{messages}]}},"device_lists":{lists},"rooms":{{"join":{{"#
        );
        let keys = &poll.keys;
        let has_content =
            !data.is_empty() || !messages.is_empty() || !keys.lists.is_empty() || keys.claimed;
        Self {
            syncs: syncs.clone(),
            poll,
            planned: planned.into_iter(),
            text,
            section: Section::Join,
            has_rooms: false,
            open: None,
            has_content,
            is_finished: false,
        }
    }

    /// Where the client goes on.
    pub(super) fn next_batch(&self) -> StreamToken {
        self.poll.next_batch()
    }

    /// Whether there is anything in it that a client waits for, which presence is not. Looks as far ahead as is needed to know.
    pub(super) async fn has_content(&mut self) -> StoreResult<bool> {
        if !self.has_content {
            let mut read = self.syncs.store.read();
            self.open_next(&mut read).await?;
        }
        Ok(self.has_content)
    }

    /// The next piece of the JSON; None: that was all.
    pub async fn next(&mut self) -> StoreResult<Option<String>> {
        if self.is_finished {
            return Ok(None);
        }
        let mut read = self.syncs.store.read();
        if self.open.is_none() {
            self.open_next(&mut read).await?;
        }
        let Some(mut room) = self.open.take() else {
            self.go_to(Section::Leave);
            self.text.push_str("}}");
            self.write_key_totals().await?;
            self.text.push('}');
            self.is_finished = true;
            return Ok(Some(std::mem::take(&mut self.text)));
        };
        self.text.push_str(&std::mem::take(&mut room.text));
        if room.is_written() {
            self.text.push_str(room.end());
        } else {
            let poll = &self.poll;
            self.syncs.write_slice(poll, &mut read, &mut room).await?;
            self.open = Some(room);
        }
        Ok(Some(std::mem::take(&mut self.text)))
    }

    /// Writes how many keys the device has: as late as that, because answers that nobody takes are
    /// made while a poll waits.
    async fn write_key_totals(&mut self) -> StoreResult<()> {
        let Viewer { user, device } = &self.poll.request.viewer;
        let totals = match device {
            Some(device) => key_totals(&self.syncs.store, *user, device).await?,
            None => KeyTotals::default(),
        };
        let count = json!(totals.one_time);
        let unused = json!(totals.unused_fallback);
        let text = format!(
            r#","device_one_time_keys_count":{count},"device_unused_fallback_key_types":{unused}"#
        );
        self.text.push_str(&text);
        Ok(())
    }

    /// Opens the next room of which there is something to tell.
    async fn open_next(&mut self, read: &mut Read) -> StoreResult<()> {
        for Planned {
            section,
            room,
            part,
        } in self.planned.by_ref()
        {
            let begun = self
                .syncs
                .begin_room(&self.poll, read, (room, part))
                .await?;
            let Some(begun) = begun else {
                continue;
            };
            self.has_content = true;
            self.go_to(section);
            if self.has_rooms {
                self.text.push(',');
            }
            self.has_rooms = true;
            self.open = Some(begun);
            break;
        }
        Ok(())
    }

    /// Ends the maps before this one and opens it.
    fn go_to(&mut self, section: Section) {
        while self.section < section {
            let (next, name) = match self.section {
                Section::Join => (Section::Invite, "invite"),
                Section::Invite => (Section::Knock, "knock"),
                Section::Knock | Section::Leave => (Section::Leave, "leave"),
            };
            self.text.push_str("},\"");
            self.text.push_str(name);
            self.text.push_str("\":{");
            self.section = next;
            self.has_rooms = false;
        }
    }
}
