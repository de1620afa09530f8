//! `/notifications`: what a user was notified of, the newest first.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    str::FromStr,
};

use myelin_store::{
    Read, StoreResult,
    events::{self, StoredEvent},
    notifications::{self, Before, KEPT_MS},
};
use ruma::OwnedRoomId;

use crate::{Syncs, TokenError, unread::ReadState};

/// Rows of a room that are read at once.
const CHUNK: i64 = 100;
/// When that was noted which nobody has noted yet.
const PENDING_MS: i64 = i64::MAX;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct NotificationsRequest {
    /// The interned id of the user.
    pub user: i64,
    /// After the last one of an earlier page.
    pub from: Option<NotificationsToken>,
    /// Most notifications of the page.
    pub limit: usize,
    /// Only of events that stand out.
    pub only_highlights: bool,
}

/// A page of notifications.
#[derive(Debug)]
pub struct NotificationsPage {
    /// The newest first.
    pub notifications: Vec<Notification>,
    /// Where the next page goes on; None: there is none.
    pub next: Option<NotificationsToken>,
}

/// Something that the user was notified of.
#[derive(Debug)]
pub struct Notification {
    /// The event.
    pub event: StoredEvent,
    /// Its room.
    pub room_id: OwnedRoomId,
    /// What was to be done about it: a list in JSON.
    pub actions: String,
    /// Whether the user has read it.
    pub is_read: bool,
    /// When it was noted; now, where that is still to be done.
    pub noted_ms: i64,
}

/// A place in a user's notifications: the last one of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotificationsToken {
    noted_ms: i64,
    room: i64,
    room_order: i64,
}

impl fmt::Display for NotificationsToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            noted_ms,
            room,
            room_order,
        } = self;
        write!(formatter, "{noted_ms}_{room}_{room_order}")
    }
}

impl FromStr for NotificationsToken {
    type Err = TokenError;

    fn from_str(token: &str) -> Result<Self, TokenError> {
        let numbers: Result<Vec<i64>, _> = token.split('_').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([noted_ms, room, room_order]) => Ok(Self {
                noted_ms: *noted_ms,
                room: *room,
                room_order: *room_order,
            }),
            _ => Err(TokenError::of(token)),
        }
    }
}

/// A notification that may belong to the page.
struct Found {
    at: NotificationsToken,
    event: i64,
    actions: Actions,
}

enum Actions {
    Interned(i64),
    Json(String),
}

/// A room of the page.
struct Place<'a> {
    request: &'a NotificationsRequest,
    room: i64,
    /// What the user has read, and how the user counts.
    state: ReadState,
    /// The place of the user's join.
    joined: i64,
    /// What was noted before that is listed no more.
    kept_from_ms: i64,
    /// Up to which place rows are read: what comes after is looked at itself.
    counted: i64,
}

impl NotificationsRequest {
    /// Whether what nobody has noted yet belongs to the page.
    fn reaches_pending(&self) -> bool {
        self.from.is_none_or(|from| from.noted_ms == PENDING_MS)
    }
}

impl Syncs {
    /// A page of what a user was notified of in the rooms that the user is in, as far back as
    /// [`KEPT_MS`].
    ///
    /// Cost: a step into the index of each of the user's rooms, then the notifications of those
    /// rooms that have some on the page, down to the page.
    pub async fn notifications(
        &self,
        request: &NotificationsRequest,
    ) -> StoreResult<NotificationsPage> {
        let mut read = self.store.read();
        let last_ms = request
            .from
            .map_or(i64::MAX, |from| from.noted_ms.saturating_add(1));
        let mut rooms: BTreeMap<i64, i64> = BTreeMap::new();
        for (room, newest) in notifications::list_newest(&mut read, request.user, last_ms).await? {
            let known = rooms.entry(room).or_default();
            *known = newest.max(*known);
        }
        if request.reaches_pending() {
            let pending = notifications::list_pending_rooms(&mut read, request.user).await?;
            rooms.extend(pending.into_iter().map(|room| (room, PENDING_MS)));
        }
        let ignored = self.ignored_numbers(&mut read, request.user).await?;
        let kept_from_ms = self.kept_from_ms();
        rooms.retain(|_, newest| *newest >= kept_from_ms);
        let mut rooms: Vec<(i64, i64)> = rooms.into_iter().collect();
        rooms.sort_unstable_by_key(|(room, newest)| (-newest, *room));
        // One more than asked for tells whether there are more.
        let wanted = request.limit.saturating_add(1);
        let mut page: Vec<Notification> = Vec::new();
        let mut places: Vec<NotificationsToken> = Vec::new();
        for (room, newest) in rooms {
            if places
                .get(wanted - 1)
                .is_some_and(|last| last.noted_ms > newest)
            {
                break;
            }
            let mut found = std::mem::take(&mut places)
                .into_iter()
                .zip(std::mem::take(&mut page))
                .collect::<Vec<_>>();
            found.extend(self.of_room(&mut read, request, (room, &ignored)).await?);
            found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
            found.truncate(wanted);
            (places, page) = found.into_iter().unzip();
        }
        let next = (page.len() > request.limit)
            .then(|| places.get(request.limit.saturating_sub(1)).copied())
            .flatten();
        page.truncate(request.limit);
        Ok(NotificationsPage {
            notifications: page,
            next,
        })
    }

    /// What the user was notified of in a room, as far as the page may need it.
    async fn of_room(
        &self,
        read: &mut Read,
        request: &NotificationsRequest,
        (room, ignored): (i64, &BTreeSet<i64>),
    ) -> StoreResult<Vec<(NotificationsToken, Notification)>> {
        let standing = notifications::find_standing(read, request.user, room).await?;
        let (mut pending, mut counted) = (Vec::new(), i64::MAX);
        if request.reaches_pending() && standing.newest > standing.evaluated {
            pending = self.pending(read, room, standing.evaluated).await?;
            counted = standing.evaluated;
        }
        let place = Place {
            request,
            room,
            state: self
                .read_state(read, request.user, (&standing, &pending))
                .await?,
            joined: standing.absent_until(),
            kept_from_ms: self.kept_from_ms(),
            counted,
        };
        let room_id = self.rooms.room_id(room).await?;
        let mut notified = self
            .not_yet_noted(read, &place, (&room_id, &pending))
            .await?;
        let mut before = Some(place.start());
        while let Some(at) = before {
            let (found, next) = place.chunk(read, at).await?;
            for (found, event) in shown_events(read, (request.user, ignored), found).await? {
                let notification = Notification {
                    room_id: room_id.clone(),
                    actions: self.actions(found.actions).await?,
                    is_read: self.is_read(read, &place, &event).await?,
                    noted_ms: found.at.noted_ms,
                    event,
                };
                notified.push((found.at, notification));
            }
            before = next.filter(|_| notified.len() <= request.limit);
        }
        Ok(notified)
    }

    /// What the user is notified of in the newest events of a room.
    async fn not_yet_noted(
        &self,
        read: &mut Read,
        place: &Place<'_>,
        (room_id, pending): (&OwnedRoomId, &[StoredEvent]),
    ) -> StoreResult<Vec<(NotificationsToken, Notification)>> {
        let of = (place.request.user, &**room_id);
        let notifying = self.notifying(read, of, (place.joined, pending)).await?;
        let now_ms = self.rooms.server().now_ms().cast_signed();
        let notified = notifying.into_iter().map(|notifying| {
            let room_order = notifying.event.room_order;
            let notification = Notification {
                event: notifying.event.clone(),
                room_id: room_id.clone(),
                actions: notifying.actions.json.clone(),
                is_read: room_order <= place.state.of(&notifying.thread),
                noted_ms: now_ms,
            };
            let at = place.at(room_order, PENDING_MS);
            (notifying.actions.highlight, at, notification)
        });
        let request = place.request;
        let wanted = notified.filter(|(highlight, at, _)| {
            (*highlight || !request.only_highlights) && request.from.is_none_or(|from| *at < from)
        });
        Ok(wanted
            .map(|(_, at, notification)| (at, notification))
            .collect())
    }

    fn kept_from_ms(&self) -> i64 {
        let now_ms = self.rooms.server().now_ms().cast_signed();
        now_ms.saturating_sub(KEPT_MS)
    }

    async fn actions(&self, actions: Actions) -> StoreResult<String> {
        match actions {
            Actions::Json(json) => Ok(json),
            Actions::Interned(number) => {
                let text = self.store.interned(&[number]).await?;
                let text = text.first().map(|text| String::from_utf8_lossy(text));
                Ok(text.unwrap_or_default().into_owned())
            }
        }
    }

    async fn is_read(
        &self,
        read: &mut Read,
        place: &Place<'_>,
        event: &StoredEvent,
    ) -> StoreResult<bool> {
        if event.room_order <= place.state.whole() {
            return Ok(true);
        }
        let thread = self.rooms.thread_of_event(read, event).await?;
        Ok(event.room_order <= place.state.of(&thread))
    }
}

impl Place<'_> {
    /// Where the page begins in this room.
    fn start(&self) -> Before {
        let Some(from) = self.request.from else {
            return Before {
                room_order: i64::MAX,
                noted_ms: i64::MAX,
            };
        };
        // What was noted at the same time is ordered by rooms, the higher ones first.
        let same = i64::from(self.room <= from.room);
        Before {
            room_order: if self.room == from.room {
                from.room_order
            } else {
                i64::MAX
            },
            noted_ms: from.noted_ms.saturating_add(same),
        }
    }

    /// Some notifications before a place, the newest first, and where to go on.
    async fn chunk(
        &self,
        read: &mut Read,
        before: Before,
    ) -> StoreResult<(Vec<Found>, Option<Before>)> {
        let member = (self.request.user, self.room);
        let most = notifications::list_events(read, self.room, before, CHUNK).await?;
        let own = notifications::list_exceptions(read, member, before, CHUNK).await?;
        let is_full = |found: usize| i64::try_from(found).is_ok_and(|found| found >= CHUNK);
        let end_of_most = most.last().filter(|_| is_full(most.len()));
        let end_of_own = own.last().filter(|_| is_full(own.len()));
        // Both lists are whole down to there.
        let end = end_of_most
            .map(|last| last.room_order)
            .max(end_of_own.map(|last| last.room_order));
        let from = end.unwrap_or(i64::MIN);
        let end_ms = end_of_most.map(|last| last.noted_ms);
        let end_ms = end_ms.max(end_of_own.map(|last| last.noted_ms));
        let only = self.request.only_highlights;
        let exceptional: Vec<i64> = own.iter().map(|own| own.room_order).collect();
        let most = most.into_iter().filter(|most| {
            most.room_order > self.joined
                && self.state.follows_at(most.room_order)
                && exceptional
                    .binary_search_by(|order| most.room_order.cmp(order))
                    .is_err()
                && (most.highlight || !only)
        });
        let most = most.map(|most| Found {
            at: self.at(most.room_order, most.noted_ms),
            event: most.event,
            actions: Actions::Interned(most.actions),
        });
        let own = own
            .into_iter()
            .filter(|own| own.notify && (own.highlight || !only));
        let own = own.map(|own| Found {
            at: self.at(own.room_order, own.noted_ms),
            event: own.event,
            actions: Actions::Json(own.actions),
        });
        let mut found: Vec<Found> = most.chain(own).collect();
        found.retain(|found| {
            let (room_order, noted_ms) = (found.at.room_order, found.at.noted_ms);
            room_order >= from && room_order <= self.counted && noted_ms >= self.kept_from_ms
        });
        found.sort_by_key(|found| std::cmp::Reverse(found.at));
        // What stands before what is too old is no younger, but for the jumps of a clock.
        let end = end.filter(|_| end_ms >= Some(self.kept_from_ms));
        let next = end.map(|room_order| Before {
            room_order,
            ..before
        });
        Ok((found, next))
    }

    fn at(&self, room_order: i64, noted_ms: i64) -> NotificationsToken {
        NotificationsToken {
            noted_ms,
            room: self.room,
            room_order,
        }
    }
}

/// The events of what was found, but for those that the user has sent: their rows say what others
/// are notified of. What was redacted may still be there until the follower comes to it, and who
/// said it may be ignored by now.
async fn shown_events(
    read: &mut Read,
    (user, ignored): (i64, &BTreeSet<i64>),
    found: Vec<Found>,
) -> StoreResult<Vec<(Found, StoredEvent)>> {
    let numbers: Vec<i64> = found.iter().map(|found| found.event).collect();
    let events = events::list(read, &numbers).await?;
    let shown = events
        .into_iter()
        .filter(|event| event.sender != user && event.redaction.is_none())
        .filter(|event| event.state_key.is_some() || !ignored.contains(&event.sender));
    let mut shown: HashMap<i64, StoredEvent> = shown.map(|event| (event.event, event)).collect();
    let found = found.into_iter();
    let found = found.filter_map(|found| {
        let event = shown.remove(&found.event)?;
        Some((found, event))
    });
    Ok(found.collect())
}
