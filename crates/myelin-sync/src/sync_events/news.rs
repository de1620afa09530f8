//! What the log holds for a user since a position.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use myelin_core::membership::Membership;
use myelin_store::{
    LogEntry, LogKind, StoreResult, account_data::NO_ROOM, device_lists, log,
    room_servers::ServerChange,
};

use super::SCAN_MAX;
use crate::{Syncs, changes::own_membership};

/// What happened to a user between two positions.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The position up to which everything is here.
    pub(super) position: i64,
    /// Rooms with news: those that the user is joined to at that position, and any others that the
    /// user keeps data for.
    pub(super) rooms: BTreeMap<i64, RoomNews>,
    /// The changes of the user's own memberships, room by room.
    pub(super) own: BTreeMap<i64, Vec<OwnChange>>,
    /// The keys of the user's data outside of rooms that have changed.
    pub(super) account_data: Vec<i64>,
    /// The devices of the user for which messages have arrived.
    pub(super) messages_to: BTreeSet<Bytes>,
    /// The devices of the user of which keys were claimed.
    pub(super) keys_claimed_of: BTreeSet<Bytes>,
    /// Who else has come, gone, or changed their devices.
    pub(super) others: Others,
    /// Whether the user's push rules have changed.
    pub(super) push_rules: bool,
    /// All rooms that the user is joined to at that position, where they were asked for.
    pub(super) joined: Vec<i64>,
}

/// What is known of others since a position, without a look into the database.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Users whose devices or cross-signing keys have changed, of those who share a room with the
    /// user, the user among them.
    pub(super) changed: BTreeSet<i64>,
    /// Users whose keys the user has signed.
    pub(super) signed: BTreeSet<i64>,
    /// Users who have joined one of the user's rooms.
    pub(super) came: BTreeSet<i64>,
    /// Users who have left one, or were to join it and will not.
    pub(super) went: BTreeSet<i64>,
    /// Users of this server who were invited to one, or want to be.
    pub(super) asked: BTreeSet<i64>,
    /// Whether it is not known who has come and gone: the log does not reach back that far, or
    /// many have at once.
    pub(super) unknown: bool,
}

/// What is new in a room.
#[derive(Debug, Default)]
pub(super) struct RoomNews {
    /// The numbers of the newest events, at least as many as are looked at, the oldest first.
    pub(super) events: Vec<i64>,
    /// Whether there are older ones that are new, too.
    pub(super) more: bool,
    /// The keys of the user's data for the room that have changed.
    pub(super) account_data: Vec<i64>,
    /// The numbers of new receipts.
    pub(super) receipts: Vec<i64>,
    /// The numbers of events that are sticky since then.
    pub(super) sticky: Vec<i64>,
    /// Whether the user's unread notifications may have changed otherwise than by the events.
    pub(super) counted: bool,
}

/// A change of a user's own membership.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnChange {
    /// What the user became.
    pub(super) membership: Membership,
    /// The number of the member event.
    pub(super) event: i64,
    /// The position at which that was.
    pub(super) pos: i64,
}

impl Syncs {
    /// What happened to a user after a position.
    ///
    /// Cost: the log since then, where this node remembers it. For an older token a step into the
    /// index for each of the user's rooms, and what changed, up to 1,000 events of each room.
    pub(super) async fn news(&self, user: i64, since: i64, with_joined: bool) -> StoreResult<News> {
        let found = self.look(user, since, with_joined).await?;
        let mut news = News {
            position: found.position.max(since),
            ..News::default()
        };
        if let Some(entries) = found.entries {
            news.take_all(user, &entries);
        } else {
            let span = (since, &found.rooms[..]);
            self.news_from_database(&mut news, user, span).await?;
            news.others.unknown = true;
        }
        if with_joined {
            news.joined = found.rooms;
        }
        Ok(news)
    }

    async fn news_from_database(
        &self,
        news: &mut News,
        user: i64,
        (since, rooms): (i64, &[i64]),
    ) -> StoreResult<()> {
        let span = (since, news.position);
        let mut read = self.store.read();
        for entry in device_lists::list(&mut read, span, i64::MAX).await? {
            if device_lists::rooms(&entry).any(|room| rooms.binary_search(&room).is_ok()) {
                news.take(user, &entry);
            }
        }
        let mut subjects = rooms.to_vec();
        subjects.push(user);
        for (subject, _) in log::last_positions(&mut read, &subjects, since, news.position).await? {
            let entries = if subject == user {
                log::list_subject(&mut read, user, span, i64::MAX).await?
            } else {
                let kind = (subject, LogKind::Event);
                // One more than is looked at tells whether there are more.
                let limit = i64::try_from(SCAN_MAX + 1).unwrap_or(i64::MAX);
                let mut entries = log::list_newest(&mut read, kind, span, limit).await?;
                entries.reverse();
                entries.extend(log::list_latest(&mut read, subject, span).await?);
                entries
            };
            news.take_all(user, &entries);
        }
        Ok(())
    }
}

impl News {
    /// What these entries tell a user.
    pub(super) fn of(user: i64, entries: &[LogEntry]) -> Self {
        let mut news = Self::default();
        news.take_all(user, entries);
        news
    }

    /// Whether nothing happened.
    pub(super) fn is_empty(&self) -> bool {
        self.rooms.is_empty()
            && self.own.is_empty()
            && self.account_data.is_empty()
            && !self.push_rules
    }

    /// The rooms that the user has joined.
    pub(super) fn entered(&self) -> Vec<i64> {
        let last = self.own.iter();
        let last = last.filter_map(|(room, own)| Some((room, own.last()?)));
        last.filter(|(_, own)| own.membership == Membership::Join)
            .map(|(room, _)| *room)
            .collect()
    }

    fn take_all(&mut self, user: i64, entries: &[LogEntry]) {
        for entry in entries {
            self.take(user, entry);
        }
    }

    fn take(&mut self, user: i64, entry: &LogEntry) {
        match entry.kind {
            LogKind::Event => self
                .rooms
                .entry(entry.subject)
                .or_default()
                .push(entry.reference),
            LogKind::Membership if entry.subject != user => {
                if let Some((membership, _)) = own_membership(entry) {
                    self.others.moved(entry.subject, membership);
                }
            }
            LogKind::RoomServer => self.others.moved_remote(entry),
            LogKind::DeviceList => {
                let changed = device_lists::changed_user(entry);
                if changed == entry.subject {
                    self.others.changed.insert(changed);
                } else {
                    self.others.signed.insert(changed);
                }
            }
            LogKind::OneTimeKeys => {
                self.keys_claimed_of.insert(entry.data.clone());
            }
            LogKind::Membership => {
                if let Some((membership, event)) = own_membership(entry) {
                    let own = self.own.entry(entry.reference).or_default();
                    own.push(OwnChange {
                        membership,
                        event,
                        pos: entry.pos,
                    });
                }
            }
            LogKind::AccountData => {
                let room = entry
                    .data
                    .as_ref()
                    .try_into()
                    .map_or(NO_ROOM, i64::from_be_bytes);
                let keys = match room {
                    NO_ROOM => &mut self.account_data,
                    room => &mut self.rooms.entry(room).or_default().account_data,
                };
                keys.retain(|key| *key != entry.reference);
                keys.push(entry.reference);
            }
            LogKind::ToDevice => {
                self.messages_to.insert(entry.data.clone());
            }
            LogKind::Receipt => {
                let other = other_of_receipt(entry);
                let room = if entry.subject == user {
                    other
                } else {
                    Some(entry.subject)
                };
                if let Some(room) = room {
                    let room = self.rooms.entry(room).or_default();
                    room.receipts.push(entry.reference);
                    room.counted |= entry.subject == user || other == Some(user);
                }
            }
            LogKind::Sticky => {
                let sticky = &mut self.rooms.entry(entry.subject).or_default().sticky;
                sticky.push(entry.reference);
            }
            LogKind::Counts => self.rooms.entry(entry.subject).or_default().counted = true,
            LogKind::PushRules if entry.subject == user => self.push_rules = true,
            _ => {}
        }
    }
}

impl Others {
    pub(super) fn moved(&mut self, user: i64, membership: Membership) {
        let users = match membership {
            Membership::Join => &mut self.came,
            Membership::Leave | Membership::Ban => &mut self.went,
            Membership::Invite | Membership::Knock => &mut self.asked,
        };
        users.insert(user);
    }

    fn moved_remote(&mut self, entry: &LogEntry) {
        let membership = match ServerChange::of(entry) {
            Some(ServerChange::Came(_)) => Membership::Join,
            Some(ServerChange::Went(_)) => Membership::Leave,
            Some(ServerChange::Many) => {
                self.unknown = true;
                return;
            }
            None => return,
        };
        if let Some(user) = ServerChange::user(entry) {
            self.moved(user, membership);
        }
    }
}

/// The user of a public receipt, whose subject is the room; the room of a private one, whose
/// subject is the user.
fn other_of_receipt(entry: &LogEntry) -> Option<i64> {
    Some(i64::from_be_bytes(entry.data.as_ref().try_into().ok()?))
}

impl RoomNews {
    fn push(&mut self, event: i64) {
        self.events.push(event);
        // Forgets in large steps, so that each number is moved a few times at most.
        if self.events.len() > 2 * SCAN_MAX {
            self.events.drain(..SCAN_MAX);
            self.more = true;
        }
    }
}
