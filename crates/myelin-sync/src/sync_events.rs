//! `GET /sync`: what changed in a user's rooms, waiting for it if there is nothing.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use bytes::Bytes;
use myelin_core::membership::Membership;
use myelin_store::{LogKind, Read, StoreResult, events, log};
use tokio::time::Instant;

use crate::{
    Changes, JoinedRoom, StateAt, StreamToken, Syncs, Viewer,
    changes::OwnMembership,
    initial::place_before,
    render::{quoted, write_events},
};

/// Events of a room in one answer, unless the client asks otherwise.
const TIMELINE_LIMIT: i64 = 10;
/// Longest wait, whatever the client asks for: proxies in between rarely wait longer.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_mins(2);

/// A poll.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// Who polls.
    pub viewer: Viewer,
    /// Where the last poll ended; None: begin with everything.
    pub since: Option<StreamToken>,
    /// How long to wait for something to happen.
    pub timeout: Duration,
}

/// Three maps from rooms to their part of the answer.
#[derive(Default)]
struct Sections {
    join: String,
    invite: String,
    leave: String,
}

impl Syncs {
    /// Answers a poll with the JSON of the response body.
    pub async fn sync(&self, request: &SyncRequest) -> StoreResult<String> {
        let now = self.position().await?;
        // A token ahead of the log is from before a backup was restored: begin anew.
        let Some(since) = request.since.filter(|since| since.position <= now) else {
            return self.initial_sync(&request.viewer).await;
        };
        let deadline = Instant::now() + request.timeout.min(TIMEOUT_MAX);
        let changes = self
            .changes_until(request.viewer.user, since.position, deadline)
            .await?;
        self.incremental_sync(&request.viewer, since.position, &changes)
            .await
    }

    async fn initial_sync(&self, viewer: &Viewer) -> StoreResult<String> {
        let overview = self
            .overview(viewer, TIMELINE_LIMIT, StateAt::TimelineStart)
            .await?;
        let mut read = self.store.read();
        let mut sections = Sections::default();
        for room in &overview.joined {
            self.write_joined(&mut sections.join, room, viewer)?;
        }
        for room in &overview.invited {
            separate(&mut sections.invite);
            self.write_invite(&mut sections.invite, &mut read, room)
                .await?;
        }
        Ok(sections.finish(overview.position))
    }

    async fn incremental_sync(
        &self,
        viewer: &Viewer,
        since: i64,
        changes: &Changes,
    ) -> StoreResult<String> {
        let mut read = self.store.read();
        let mut by_room: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for changed in &changes.events {
            by_room.entry(changed.room).or_default().push(changed.event);
        }
        let mut sections = Sections::default();
        for (room, numbers) in by_room {
            match changes.memberships.get(&room) {
                Some(own) if own.membership == Membership::Invite => {
                    let invited = self.invited_room(&mut read, room, own.event).await?;
                    separate(&mut sections.invite);
                    self.write_invite(&mut sections.invite, &mut read, &invited)
                        .await?;
                }
                Some(own) if own.membership == Membership::Join => {
                    let span = (since, changes.position);
                    let room = (room, &numbers[..]);
                    let joined = self.room_joined(&mut read, viewer.user, room, span).await?;
                    self.write_joined(&mut sections.join, &joined, viewer)?;
                }
                Some(own) => {
                    let left = self
                        .left_room(&mut read, (room, viewer.user), own, since)
                        .await?;
                    self.write_left(&mut sections.leave, &left, viewer)?;
                }
                None => {
                    let joined = self.room_since(&mut read, room, &numbers, since).await?;
                    self.write_joined(&mut sections.join, &joined, viewer)?;
                }
            }
        }
        Ok(sections.finish(changes.position))
    }

    /// A room that the user has joined since: whole, unless the user was in it before.
    async fn room_joined(
        &self,
        read: &mut Read,
        user: i64,
        (room, numbers): (i64, &[i64]),
        (since, position): (i64, i64),
    ) -> StoreResult<JoinedRoom> {
        let known = self.root_at(read, room, since).await?;
        if self.was_joined(read, user, (room, &known)).await? {
            return self.room_since(read, room, numbers, since).await;
        }
        let at = (room, position);
        self.joined_room(read, at, TIMELINE_LIMIT, StateAt::TimelineStart)
            .await
    }

    /// A room that the user was in all the time.
    async fn room_since(
        &self,
        read: &mut Read,
        room: i64,
        numbers: &[i64],
        since: i64,
    ) -> StoreResult<JoinedRoom> {
        let limit = usize::try_from(TIMELINE_LIMIT).unwrap_or_default();
        let newest = &numbers[numbers.len().saturating_sub(limit)..];
        let limited = newest.len() < numbers.len();
        let timeline = events::list(read, newest).await?;
        let known = if limited {
            self.root_at(read, room, since).await?
        } else {
            Bytes::new()
        };
        self.changed_room(read, room, (timeline, limited), &known)
            .await
    }

    /// A room that the user has left: what happened until then.
    async fn left_room(
        &self,
        read: &mut Read,
        (room, user): (i64, i64),
        own: &OwnMembership,
        since: i64,
    ) -> StoreResult<JoinedRoom> {
        let leave = events::list(read, &[own.event]).await?;
        let known = self.root_at(read, room, since).await?;
        let was_joined = self.was_joined(read, user, (room, &known)).await?;
        if !was_joined && !own.joined {
            // Who only declined an invitation is shown nothing but that.
            return self.changed_room(read, room, (leave, false), &known).await;
        }
        let end = leave.first().map_or(0, |leave| leave.room_order + 1);
        let before = self.first_order_since(read, room, since).await?;
        let mut timeline = events::list_before(read, room, end, TIMELINE_LIMIT).await?;
        timeline.retain(|event| event.room_order >= before);
        let limited = timeline
            .last()
            .is_some_and(|oldest| oldest.room_order > before);
        self.changed_room(read, room, (timeline, limited), &known)
            .await
    }

    async fn was_joined(&self, read: &mut Read, user: i64, at: (i64, &Bytes)) -> StoreResult<bool> {
        let names = self.store.interned(&[user]).await?;
        let Some(user_id) = names
            .first()
            .and_then(|name| std::str::from_utf8(name).ok())
        else {
            return Ok(false);
        };
        let before = self
            .rooms
            .state_event(read, at, "m.room.member", user_id)
            .await?;
        Ok(before.and_then(|event| membership_of(&event.json)) == Some(Membership::Join))
    }

    /// The root of a room's state at a position; empty before the room was there.
    async fn root_at(&self, read: &mut Read, room: i64, position: i64) -> StoreResult<Bytes> {
        let entry = log::find_last(read, room, LogKind::Event, position).await?;
        Ok(entry.map(|entry| entry.data).unwrap_or_default())
    }

    /// The room order of the first event after a position.
    async fn first_order_since(
        &self,
        read: &mut Read,
        room: i64,
        position: i64,
    ) -> StoreResult<i64> {
        let Some(entry) = log::find_last(read, room, LogKind::Event, position).await? else {
            return Ok(0);
        };
        let last = events::find(read, entry.reference).await?;
        Ok(last.map_or(0, |event| event.room_order + 1))
    }

    fn write_joined(
        &self,
        out: &mut String,
        room: &JoinedRoom,
        viewer: &Viewer,
    ) -> StoreResult<()> {
        self.write_room(out, room, viewer)?;
        let _ = write!(
            out,
            r#","summary":{{"m.joined_member_count":{},"m.invited_member_count":{}}}"#,
            room.joined, room.invited
        );
        out.push_str(r#","ephemeral":{"events":[]},"account_data":{"events":[]}"#);
        out.push_str(r#","unread_notifications":{"highlight_count":0,"notification_count":0}}"#);
        Ok(())
    }

    fn write_left(&self, out: &mut String, room: &JoinedRoom, viewer: &Viewer) -> StoreResult<()> {
        self.write_room(out, room, viewer)?;
        out.push_str(r#","account_data":{"events":[]}}"#);
        Ok(())
    }

    /// Writes `"ROOM":{"timeline":…,"state":…`, without the closing brace.
    fn write_room(&self, out: &mut String, room: &JoinedRoom, viewer: &Viewer) -> StoreResult<()> {
        separate(out);
        let now_ms = self.rooms.server().now_ms();
        out.push_str(&quoted(room.room_id.as_str()));
        out.push_str(r#":{"timeline":{"events":"#);
        write_events(out, &room.timeline, None, (viewer, now_ms))?;
        let _ = write!(out, r#","limited":{}"#, room.limited);
        if let Some(first) = room.timeline.first() {
            let _ = write!(out, r#","prev_batch":"{}""#, place_before(first));
        }
        out.push_str(r#"},"state":{"events":"#);
        write_events(out, &room.state, None, (viewer, now_ms))?;
        out.push('}');
        Ok(())
    }
}

impl Sections {
    fn finish(self, position: i64) -> String {
        let Self {
            join,
            invite,
            leave,
        } = self;
        let next_batch = StreamToken::at(position);
        format!(
            r#"{{"next_batch":"{next_batch}","rooms":{{"join":{{{join}}},"invite":{{{invite}}},"leave":{{{leave}}}}}}}"#
        )
    }
}

/// The membership that a stored member event gives.
fn membership_of(json: &str) -> Option<Membership> {
    #[derive(serde::Deserialize)]
    struct Stored<'a> {
        #[serde(borrow)]
        content: &'a serde_json::value::RawValue,
    }
    let stored: Stored<'_> = serde_json::from_str(json).ok()?;
    Membership::of_content(stored.content)
}

/// Writes the comma between two members of an object.
fn separate(out: &mut String) {
    if !out.is_empty() {
        out.push(',');
    }
}
