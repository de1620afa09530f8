//! Sending events: messages with their transaction ids, and state.

use myelin_store::{StoreError, events};
use ruma::{CanonicalJsonObject, EventId, OwnedEventId, RoomId, UserId};

use crate::{
    ActingDevice, AppendError, CanonicalAliasError, ClientTransaction, InviteError, JoinError,
    LeaveError, Rooms, SendOptions,
    append::{Appended, Draft},
    numbers::EventNumbers,
    open_room::OpenRoom,
    take_along::{Along, BadRelationTypes},
};

/// A message event to send.
#[derive(Debug)]
pub struct SendEvent<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user.
    pub sender: &'a UserId,
    /// The event's type.
    pub event_type: &'a str,
    /// Its content.
    pub content: CanonicalJsonObject,
    /// Names the request, if its repetition shall not send again.
    pub transaction: Option<ClientTransaction<'a>>,
    /// The device that sends.
    pub acting: Option<ActingDevice<'a>>,
    /// What else is asked.
    pub options: SendOptions<'a>,
}

/// An event to redact.
#[derive(Clone, Copy, Debug)]
pub struct RedactEvent<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user.
    pub sender: &'a UserId,
    /// What is redacted.
    pub event_id: &'a EventId,
    /// Why, in words for the others.
    pub reason: Option<&'a str>,
    /// The types of relations to it whose events are redacted as well, now and when they come later
    /// from another server; `*` stands for all.
    pub with_rel_types: &'a [String],
    /// Names the request, if its repetition shall not redact again.
    pub transaction: Option<ClientTransaction<'a>>,
    /// The device that redacts.
    pub acting: Option<ActingDevice<'a>>,
}

/// Why an event was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no such room here, or the sender is not in it: which of the two is not told.
    #[error("{sender} is not in the room {room_id}")]
    NotInRoom {
        /// Who wanted to send.
        sender: String,
        /// Where to.
        room_id: String,
    },
    /// A member event about somebody who is no user.
    #[error("{0} is no user id")]
    NotAUser(String),
    /// A member event that does not say what its user is.
    #[error("`membership` must be `join`, `invite`, `leave`, `ban` or `knock`")]
    NoMembership,
    /// A member event by which its sender would join.
    #[error("{0}")]
    Join(JoinError),
    /// A member event by which somebody would be invited.
    #[error("{0}")]
    Invite(InviteError),
    /// A member event by which its sender would leave.
    #[error("{0}")]
    Leave(LeaveError),
    /// Relation types that no event can have, or too many.
    #[error("at most 100 relation types are taken along, each of at most 255 bytes")]
    RelationTypes,
    /// A canonical alias that does not lead to the room.
    #[error("{0}")]
    CanonicalAlias(CanonicalAliasError),
    /// The event did not enter the room.
    #[error("{0}")]
    Append(AppendError),
    /// The database failed.
    #[error("the event could not be stored")]
    Store(#[from] StoreError),
}

impl From<AppendError> for SendError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Store(error) => Self::Store(error),
            other => Self::Append(other),
        }
    }
}

impl Rooms {
    /// Sends a message event and answers with its id once it is durable. A repeated transaction
    /// answers with the id of the event that it sent the first time.
    pub async fn send(&self, send: SendEvent<'_>) -> Result<OwnedEventId, SendError> {
        let place = format!("{} {}", send.room_id, send.event_type);
        self.send_at(send, &place, None).await
    }

    /// Redacts an event and answers with the id of the redaction once it is durable. What it takes
    /// along is redacted afterwards.
    pub async fn redact(&self, redact: RedactEvent<'_>) -> Result<OwnedEventId, SendError> {
        let along = Along::of(redact.event_id, redact.with_rel_types)
            .map_err(|BadRelationTypes| SendError::RelationTypes)?;
        let place = format!("{} {}", redact.room_id, redact.event_id);
        let mut content = CanonicalJsonObject::new();
        content.insert("redacts".to_owned(), redact.event_id.to_string().into());
        if let Some(reason) = redact.reason {
            content.insert("reason".to_owned(), reason.to_owned().into());
        }
        let send = SendEvent {
            room_id: redact.room_id,
            sender: redact.sender,
            event_type: "m.room.redaction",
            content,
            transaction: redact.transaction,
            acting: redact.acting,
            options: SendOptions::default(),
        };
        self.send_at(send, &place, along).await
    }

    /// `place` is what the request's path names besides its transaction.
    async fn send_at(
        &self,
        send: SendEvent<'_>,
        place: &str,
        along: Option<Along<'_>>,
    ) -> Result<OwnedEventId, SendError> {
        let numbers = EventNumbers::intern(&self.store, send.event_type, send.sender, None).await?;
        let transaction = send
            .transaction
            .map(|named| named.of(numbers.sender, place));
        let draft = Draft {
            sender: send.sender,
            event_type: send.event_type,
            state_key: None,
            numbers,
            content: send.content,
            transaction: send
                .transaction
                .map(|transaction| (transaction.device, transaction.txn_id)),
            options: send.options,
        };
        let mut attempts = self.store.attempts();
        loop {
            if let Some(number) = self.answered(transaction.as_ref()).await? {
                return self.event_id(number).await;
            }
            let room = self.open_joined(send.room_id, &draft).await?;
            let Appended {
                mut room,
                event,
                number,
            } = room.append(&draft).await?;
            if let Some(along) = &along {
                room.take_along(number, along).await?;
            }
            self.remember(&mut room.writes, transaction.as_ref(), number);
            self.note_activity(&mut room.writes, numbers.sender, send.acting);
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(event.event_id.clone());
            }
            attempts.conflict()?;
        }
    }

    pub(crate) async fn open_joined<'a>(
        &'a self,
        room_id: &'a RoomId,
        draft: &Draft<'_>,
    ) -> Result<OpenRoom<'a>, SendError> {
        let refused = || SendError::NotInRoom {
            sender: draft.sender.to_string(),
            room_id: room_id.to_string(),
        };
        let room = self.open_as_member(room_id, draft.numbers.sender).await?;
        room.ok_or_else(refused)
    }

    async fn event_id(&self, number: i64) -> Result<OwnedEventId, SendError> {
        let stored = events::find(&mut self.store.read(), number).await?;
        let stored = stored.ok_or(StoreError::Missing { table: "events" })?;
        EventId::parse(stored.id.as_str()).map_err(|_| {
            let found = stored.id;
            let (table, column, wanted) = ("events", 1, "an event id");
            StoreError::Corrupt {
                table,
                column,
                wanted,
                found,
            }
            .into()
        })
    }
}
