//! Appending to a room, which may use a policy server.

use std::sync::Arc;

use myelin_core::event::{Event, PolicyServer, is_exempt_from_policy};
use myelin_store::StoreError;
use ruma::CanonicalJsonObject;

use crate::{
    Outcome, ReceiveError,
    advance::deliver,
    append::{AppendError, Appended, Draft},
    open_room::OpenRoom,
    policy::OWN_WITHIN,
    receive::{Arrival, Received},
};

impl<'a> OpenRoom<'a> {
    /// Appends an event. If the room uses a policy server, that one is asked first, and nobody
    /// holds the room meanwhile: what was read of it before may be otherwise then, but the rules
    /// of the room are asked again. What was appended before is then queued alone.
    pub(crate) async fn append(mut self, draft: &Draft<'_>) -> Result<Appended<'a>, AppendError> {
        let policy = if is_exempt_from_policy(draft.event_type, draft.state_key) {
            None
        } else {
            self.policy_server().await?
        };
        if let Some(policy) = policy {
            return self.append_signed(draft, policy).await;
        }
        let (event, number) = self.append_unasked(draft).await?;
        Ok(Appended {
            room: self,
            event,
            number,
        })
    }

    /// Lets a policy server sign an event, and then takes it in as one of another server: the room
    /// may have moved on since it was built, and the two are a fork then.
    async fn append_signed(
        mut self,
        draft: &Draft<'_>,
        mut policy: PolicyServer,
    ) -> Result<Appended<'a>, AppendError> {
        self = self.queue_changes().await?;
        self.check_delayed(draft).await?;
        self.check_sticky(draft).await?;
        self.check_invitation(draft).await?;
        self.check_relation(draft).await?;
        let (mut event, mut content) = self.build_whole(draft).await?;
        let mut attempts = self.rooms.store.attempts();
        let mut room = self;
        loop {
            let asked = (&policy, &room.version()?);
            let (rooms, reopen) = (room.rooms, room.leave());
            let signed = rooms.ask_policy_server(asked, &event, OWN_WITHIN).await?;
            room = reopen.open().await?;
            attempts.conflict()?;
            // Others had the room meanwhile, and may have said the same of an event.
            room.check_delayed(draft).await?;
            room.check_relation(draft).await?;
            if room.with_profile(draft).await? != content {
                (event, content) = room.build_whole(draft).await?;
                continue;
            }
            let signed = Arc::new(signed);
            match room.place_signed(draft, &signed).await? {
                Placed::Unsigned(other) => policy = other,
                Placed::Anew => (event, content) = room.build_whole(draft).await?,
                Placed::At(number) => {
                    return Ok(Appended {
                        room,
                        event: signed,
                        number,
                    });
                }
            }
        }
    }
}

/// What has become of an event that a policy server has signed.
enum Placed {
    At(i64),
    /// The room has come to use another one.
    Unsigned(PolicyServer),
    /// It has to be built anew: what it was built on has met a conflict and is not there, or the
    /// same was said at the same moment, so that the two are one event.
    Anew,
}

impl OpenRoom<'_> {
    /// The draft as an event, with the content that it was made of.
    async fn build_whole(
        &mut self,
        draft: &Draft<'_>,
    ) -> Result<(Event, CanonicalJsonObject), AppendError> {
        let content = self.with_profile(draft).await?;
        let (event, _) = self.build(draft, content.clone()).await?;
        Ok((event, content))
    }

    async fn place_signed(
        &mut self,
        draft: &Draft<'_>,
        event: &Arc<Event>,
    ) -> Result<Placed, AppendError> {
        let arrival = Arrival {
            numbers: draft.numbers,
            told: None,
            transaction: draft.transaction,
            delayed: draft.options.delayed.map(|delayed| delayed.id.number()),
            advice: None,
        };
        let received = self.receive(event, arrival).await;
        let received = match received {
            Err(ReceiveError::MissingPrev(_) | ReceiveError::MissingAuth(_)) => {
                return Ok(Placed::Anew);
            }
            Err(ReceiveError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(AppendError::Overtaken(error.to_string())),
            Ok(received) => received,
        };
        match received {
            Received::Now(Outcome::Accepted, number) => {
                let head = self.locked.get();
                let head = head.ok_or(StoreError::Missing { table: "rooms" })?;
                deliver(self.rooms, head, &mut self.writes, (event, number));
                self.end_delayed(draft, number);
                Ok(Placed::At(number))
            }
            Received::Unsigned(policy) => Ok(Placed::Unsigned(policy)),
            Received::Now(Outcome::SoftFailed { reason } | Outcome::Rejected { reason }, _) => {
                Err(AppendError::Overtaken(reason))
            }
            Received::Before(_) => Ok(Placed::Anew),
        }
    }
}
