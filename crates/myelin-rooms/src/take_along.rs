//! Redacting what relates to a redacted event (MSC3912): a job, and again when more of it comes.

use std::collections::BTreeSet;

use bytes::Bytes;
use myelin_core::relation::{ANNOTATION, REPLACE, Relation, THREAD};
use myelin_store::{
    StoreResult,
    events::{self, Status, StoredEvent},
    jobs::{self, Job, JobKind},
    relation_redactions::{self, RelationRedaction},
};
use ruma::{CanonicalJsonObject, EventId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;

use crate::{
    Rooms, SendOptions,
    append::Draft,
    numbers::{EventNumbers, parse},
    open_room::OpenRoom,
    receipts::{find_in_room, relation_of},
};

/// What stands for all relation types.
const ALL: &str = "*";
/// Most relation types of a request, and most bytes of one.
const TYPES_MAX: usize = 100;
const TYPE_BYTES_MAX: usize = 255;
/// Events redacted before the job is given back: jobs take turns.
const SLICE: i64 = 16;

/// What a redaction takes along besides its target.
#[derive(Clone, Debug)]
pub(crate) struct Along<'a> {
    target: &'a EventId,
    /// Empty: all.
    rel_types: Vec<String>,
}

/// A list of relation types that is too long, or has one that no event can have.
pub(crate) struct BadRelationTypes;

impl<'a> Along<'a> {
    /// Reads the relation types that a client names. None: it names none.
    pub(crate) fn of(
        target: &'a EventId,
        rel_types: &[String],
    ) -> Result<Option<Self>, BadRelationTypes> {
        if rel_types.is_empty() {
            return Ok(None);
        }
        let is_long = |kind: &String| kind.len() > TYPE_BYTES_MAX;
        if rel_types.len() > TYPES_MAX || rel_types.iter().any(is_long) {
            return Err(BadRelationTypes);
        }
        let mut wanted: BTreeSet<String> = rel_types.iter().cloned().collect();
        if wanted.contains(ALL) {
            wanted.clear();
        }
        let rel_types = wanted.into_iter().collect();
        Ok(Some(Self { target, rel_types }))
    }
}

/// Who redacts, where and why.
struct Redactor {
    room_id: OwnedRoomId,
    sender: OwnedUserId,
    numbers: EventNumbers,
    reason: Option<String>,
}

impl OpenRoom<'_> {
    /// Remembers what a redaction takes along, and leaves the job behind that does it.
    pub(crate) async fn take_along(
        &mut self,
        redaction: i64,
        along: &Along<'_>,
    ) -> StoreResult<()> {
        let wanted = RelationRedaction {
            redaction,
            room: self.number(),
            target: along.target.to_string(),
            rel_types: along.rel_types.clone(),
        };
        relation_redactions::insert(&mut self.writes, &wanted);
        self.begin_taking_along(redaction).await
    }

    /// Begins again to redact what relates to redacted events, if any of these does, which have just
    /// come into the room. The proposal asks for this of what other servers tell; what users here say
    /// would otherwise stay or go by whether the job had come to its end.
    pub(crate) async fn take_along_late(&mut self, come: &[StoredEvent]) -> StoreResult<()> {
        let accepted = come.iter().filter(|event| event.status == Status::Accepted);
        let relations = accepted.filter_map(|event| Relation::of_event(&event.json));
        let relations: Vec<Relation> = relations.collect();
        if relations.is_empty() {
            return Ok(());
        }
        let redacts = |head: &mut crate::head::Head| !head.pending_redacted.is_empty();
        if self.locked.get().is_some_and(redacts) {
            // What these redactions take along is not in the database yet.
            self.await_queued().await?;
        }
        let targets = relations.iter().map(|relation| relation.event_id.as_str());
        let targets = Vec::from_iter(targets.collect::<BTreeSet<_>>());
        let room = self.number();
        for wanted in relation_redactions::list_of_targets(&mut self.read, room, &targets).await? {
            let is_taken = |relation: &Relation| {
                relation.event_id == wanted.target && wanted.takes(&relation.rel_type)
            };
            if relations.iter().any(is_taken) {
                // What is queued may have left the same job behind, and many may speak at once.
                self.await_queued().await?;
                self.begin_taking_along(wanted.redaction).await?;
            }
        }
        Ok(())
    }

    async fn begin_taking_along(&mut self, redaction: i64) -> StoreResult<()> {
        if !self.taking_along.insert(redaction) {
            return Ok(());
        }
        let (job, now_ms) = ((JobKind::RedactRelated, redaction), self.now_ms());
        let (read, writes) = (&mut self.read, &mut self.writes);
        jobs::enqueue(read, writes, job, Bytes::new(), now_ms).await
    }
}

impl Rooms {
    /// Redacts some of what relates to the target of the job's redaction, by the same sender and for
    /// the same reason. Returns the number of the last; None: there is no more.
    pub(crate) async fn redact_related(
        &self,
        job: &Job,
    ) -> StoreResult<Option<(i64, StoreResult<()>)>> {
        let mut read = self.store.read();
        let wanted = relation_redactions::find(&mut read, job.subject).await?;
        let redaction = events::find(&mut read, job.subject).await?;
        let (Some(wanted), Some(redaction)) = (wanted, redaction) else {
            return Ok(None);
        };
        let target = find_in_room(&mut read, wanted.room, &wanted.target).await?;
        let (Some(target), Some(redactor)) = (target, self.redactor(&redaction).await?) else {
            return Ok(None);
        };
        let relation = relation_of(&mut read, &target).await?;
        let barred = barred(&target, relation.as_ref());
        let slice = (job.cursor, SLICE);
        let numbers =
            relation_redactions::list_taken_along(&mut read, &wanted, (&target, &barred), slice)
                .await?;
        let mut done = Ok(());
        for number in &numbers {
            if let Err(error) = self.redact_one(&redactor, *number).await {
                done = Err(error);
            }
        }
        Ok(numbers.last().map(|last| (*last, done)))
    }

    async fn redactor(&self, redaction: &StoredEvent) -> StoreResult<Option<Redactor>> {
        #[derive(Deserialize)]
        struct Event {
            content: Content,
        }
        #[derive(Deserialize)]
        struct Content {
            reason: Option<String>,
        }
        let content = serde_json::from_str::<Event>(&redaction.json);
        let mut names = self.store.interned(&[redaction.sender]).await?;
        let Some(sender) = names.pop().and_then(|id| parse::<OwnedUserId>(&id)) else {
            return Ok(None);
        };
        let numbers = EventNumbers::intern(&self.store, "m.room.redaction", &sender, None).await?;
        Ok(Some(Redactor {
            room_id: self.room_id(redaction.room).await?,
            sender,
            numbers,
            reason: content.ok().and_then(|event| event.content.reason),
        }))
    }

    /// Redacts one event, unless it is redacted, or its redactor may not, or is not in the room any
    /// more.
    async fn redact_one(&self, redactor: &Redactor, number: i64) -> StoreResult<()> {
        let Redactor {
            room_id, sender, ..
        } = redactor;
        let mut attempts = self.store.attempts();
        loop {
            let Some(mut room) = self
                .open_as_member(room_id, redactor.numbers.sender)
                .await?
            else {
                return Ok(());
            };
            let found = events::find(&mut room.read, number).await?;
            let Some(found) = found.filter(|event| event.redaction.is_none()) else {
                return Ok(());
            };
            let mut content = CanonicalJsonObject::new();
            content.insert("redacts".to_owned(), found.id.clone().into());
            if let Some(reason) = &redactor.reason {
                content.insert("reason".to_owned(), reason.clone().into());
            }
            let draft = Draft {
                sender,
                event_type: "m.room.redaction",
                state_key: None,
                numbers: redactor.numbers,
                content,
                transaction: None,
                options: SendOptions::default(),
            };
            if self.append_unless_refused(room, &draft).await? {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }
}

/// The relation types that nothing can have to an event (spec: "Validity of replacement events",
/// "Threading", "Annotations: Client behaviour"). What names one nevertheless is not related to it.
fn barred(target: &StoredEvent, relation: Option<&Relation>) -> Vec<&'static str> {
    let rel_type = relation.map(|relation| &*relation.rel_type);
    let is_edit = rel_type == Some(REPLACE);
    [
        (THREAD, rel_type.is_some()),
        (REPLACE, is_edit || target.state_key.is_some()),
        (ANNOTATION, is_edit || rel_type == Some(ANNOTATION)),
    ]
    .into_iter()
    .filter_map(|(barred, is_barred)| is_barred.then_some(barred))
    .collect()
}
