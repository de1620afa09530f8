//! Appending events to a room: build, authorise, hash, sign, advance the head, queue the set.

mod auth_state;
mod delayed;
mod invitation;
mod member_profile;
pub(crate) mod redaction;
mod relation;
mod sticky;

use std::sync::Arc;

use myelin_core::{
    auth::{self, AuthError},
    event::{self, Event, EventError, NewEvent},
    json,
    trie::{StateKey, TYPE_MEMBER},
};
use myelin_store::{
    Sequence, StoreError,
    events::{self, StoredEvent},
    relations,
};
use ruma::{CanonicalJsonObject, OwnedEventId, UserId};

pub(crate) use self::auth_state::auth_state;
use self::auth_state::{auth_event_ids, auth_types, raw};
use crate::{
    PolicyError, SendOptions,
    advance::{DEPTH_MAX, NewRow, advance_row, advance_state, deliver, log_event, newest},
    auth_graph,
    numbers::EventNumbers,
    open_room::OpenRoom,
    sticky::{SHOWN_MAX, TakenAs},
};

/// Why an event did not enter a room.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The room's rules refuse it.
    #[error("{0}")]
    Forbidden(AuthError),
    /// An `m.room.redaction` that does not say what it redacts.
    #[error("an `m.room.redaction` needs the id of an event in `redacts`")]
    RedactsNothing,
    /// A redaction of something that is not in the room.
    #[error("the room has no event {0}")]
    UnknownTarget(String),
    /// The user who would be invited does not want it.
    #[error("{0} does not accept this invitation")]
    InviteBlocked(String),
    /// A redaction of what others said, by a user whose account is suspended.
    #[error("you cannot redact what others said while your account is suspended")]
    Suspended,
    /// Its sender has annotated the event with this id in the same way before.
    #[error("you have annotated {0} with this key before")]
    DuplicateAnnotation(String),
    /// A thread would start from the event with this id, which belongs to another event.
    #[error("no thread can start from {0}, which is related to another event itself")]
    NoThreadRoot(String),
    /// It is not a well-formed event, or too large.
    #[error("{0}")]
    Invalid(EventError),
    /// The delayed event that it was to come from has been sent, cancelled or restarted meanwhile.
    #[error("the delayed event has been changed meanwhile")]
    DelayedEventChanged,
    /// Its sender has as many sticky events in the room as may be.
    #[error("you have {SHOWN_MAX} new sticky events in this room, which is the most there can be")]
    TooManySticky {
        /// When there may be another.
        retry_after_ms: u64,
    },
    /// The room's policy server has not signed it.
    #[error("{0}")]
    Policy(Box<PolicyError>),
    /// While the room's policy server was asked, the room has come to refuse it.
    #[error("the room refuses the event now: {0}")]
    Overtaken(String),
    /// The database failed.
    #[error("the room could not be read or written")]
    Store(#[from] StoreError),
}

impl AppendError {
    /// Whether it is the room that refuses, or its policy server.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Forbidden(_) | Self::Policy(_) | Self::Overtaken(_)
        )
    }
}

impl From<PolicyError> for AppendError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(Box::new(error))
    }
}

/// An event that was appended, and the room in which it is the newest.
pub(crate) struct Appended<'a> {
    pub(crate) room: OpenRoom<'a>,
    pub(crate) event: Arc<Event>,
    pub(crate) number: i64,
}

/// What an event says, before it has a place in a room.
pub(crate) struct Draft<'a> {
    pub(crate) sender: &'a UserId,
    pub(crate) event_type: &'a str,
    pub(crate) state_key: Option<&'a str>,
    pub(crate) numbers: EventNumbers,
    pub(crate) content: CanonicalJsonObject,
    /// The sending device and its transaction id.
    pub(crate) transaction: Option<(&'a str, &'a str)>,
    /// What else is asked of it.
    pub(crate) options: SendOptions<'a>,
}

impl OpenRoom<'_> {
    /// The state event in place, if the draft would only repeat what its sender has said there. What is
    /// to be sticky is said anew: it would not be otherwise, or not for as long.
    pub(crate) async fn standing(
        &mut self,
        draft: &Draft<'_>,
    ) -> Result<Option<OwnedEventId>, StoreError> {
        let Some(state_key) = draft.numbers.state_key else {
            return Ok(None);
        };
        if draft.options.sticky_ms.unwrap_or_default() > 0 {
            return Ok(None);
        }
        let event_type = draft.numbers.event_type;
        let found = if event_type == TYPE_MEMBER {
            self.member(state_key).await?
        } else {
            let key = StateKey {
                event_type,
                state_key,
            };
            self.state(key).await?
        };
        let Some(event) = found.filter(|event| event.sender == draft.sender) else {
            return Ok(None);
        };
        let content = json::to_canonical(&self.with_profile(draft).await?);
        Ok((*event.content.get() == *content).then(|| event.event_id.clone()))
    }

    /// Builds an event on the head, authorises it and advances the head by it. No policy server is
    /// asked: for a room that is being made, or that was asked whether it uses one.
    pub(crate) async fn append_unasked(
        &mut self,
        draft: &Draft<'_>,
    ) -> Result<(Arc<Event>, i64), AppendError> {
        self.check_delayed(draft).await?;
        self.check_sticky(draft).await?;
        self.check_invitation(draft).await?;
        self.check_relation(draft).await?;
        let content = self.with_profile(draft).await?;
        let (raw, key) = (raw(&content)?, (draft.event_type, draft.state_key));
        self.note_guest_access(key, &raw).await?;
        let (event, target) = self.build(draft, content).await?;
        let (event, number) = self.accept(event, draft).await?;
        if let Some(target) = target {
            self.redact(target, (&event, number)).await?;
        }
        Ok((event, number))
    }

    /// The draft as an event on the head, if the rules of the room allow it; and what it redacts.
    pub(crate) async fn build(
        &mut self,
        draft: &Draft<'_>,
        content: CanonicalJsonObject,
    ) -> Result<(Event, Option<redaction::Target>), AppendError> {
        let room_id = self.id();
        let head = self
            .locked
            .get()
            .ok_or(StoreError::Missing { table: "rooms" })?;
        let target = redaction::find_target(self.rooms, head, &mut self.read, draft).await?;
        let types = auth_types(head, draft)?;
        let state = auth_state(self.rooms, head, &mut self.read, types).await?;
        let extremities = head
            .row
            .extremities
            .iter()
            .filter_map(|id| OwnedEventId::try_from(id.as_str()).ok());
        let new = NewEvent {
            room_id: Some(room_id),
            sender: draft.sender,
            event_type: draft.event_type,
            state_key: draft.state_key,
            content: redaction::content(head, draft.event_type, content),
            redacts: target.as_ref().map(|target| &*target.id),
            sticky_ms: draft.options.sticky_ms,
            prev_events: &extremities.collect::<Vec<_>>(),
            auth_events: &auth_event_ids(head, &state),
            depth: (head.row.depth + 1).min(DEPTH_MAX).unsigned_abs(),
            origin_server_ts: self.rooms.server.now_ms(),
        };
        let event =
            event::create(new, &head.version, &self.rooms.server).map_err(AppendError::Invalid)?;
        let find = |kind: &str, key: &str| {
            state
                .get(&(kind.to_owned(), key.to_owned()))
                .map(Arc::as_ref)
        };
        auth::check(&head.version, &event, find).map_err(AppendError::Forbidden)?;
        Ok((event, target))
    }

    /// Advances the head by an event that has been authorised.
    pub(crate) async fn accept(
        &mut self,
        event: Event,
        draft: &Draft<'_>,
    ) -> Result<(Arc<Event>, i64), AppendError> {
        let numbers = self.rooms.store.next_numbers(Sequence::Event, 1).await?;
        let number = *numbers
            .first()
            .ok_or(StoreError::Missing { table: "sequences" })?;
        self.changed = true;
        let event = Arc::new(event);
        let head = self
            .locked
            .get()
            .ok_or(StoreError::Missing { table: "rooms" })?;
        let root_before = head.row.root.clone();
        advance_row(head, &event, number);
        let place = (&event, number, draft.numbers);
        let (read, writes) = (&mut self.read, &mut self.writes);
        advance_state(self.rooms, head, read, writes, place).await?;
        auth_graph::enter(head, read, writes, place).await?;
        self.rooms.heads.note_own(&self.rooms.store, number);
        let row = NewRow {
            number,
            numbers: draft.numbers,
            root_before,
            transaction: draft.transaction,
        };
        let delayed = draft.options.delayed;
        let stored = StoredEvent {
            delayed: delayed.map(|delayed| delayed.id.number()),
            ..newest(head, &event, row)
        };
        events::insert(&mut self.writes, &stored);
        relations::insert(&mut self.writes, &stored);
        log_event(&mut self.writes, head, number);
        deliver(self.rooms, head, &mut self.writes, (&event, number));
        self.end_delayed(draft, number);
        self.note_sticky(&stored, TakenAs::Accepted).await?;
        self.take_along_late(&[stored]).await?;
        Ok((event, number))
    }
}
