//! Knocking at rooms of others (spec: "Knocking upon a room").

use myelin_core::membership::Membership;
use ruma::{
    ServerName,
    api::federation::membership::{RawStrippedState, create_knock_event, prepare_knock_event},
};
use serde_json::value::{RawValue, to_raw_value};

use super::{Outside, Proposal, RemoteError, known_versions, template::Wanted};
use crate::{
    HandshakeError, Rooms,
    membership::{Knock, KnockError, member_content},
};

impl Rooms {
    /// Knocks at a room that this server is not in.
    pub(crate) async fn knock_from_outside(&self, knock: &Knock<'_>) -> Result<(), KnockError> {
        let _alone = self.remote.lock(knock.room_id).await;
        let inviter = self.inviter(knock.room_id, knock.user).await?;
        let candidates = self
            .candidates(knock.room_id, knock.via, inviter.as_deref())
            .await?;
        if candidates.is_empty() {
            return Err(KnockError::UnknownRoom(knock.room_id.to_string()));
        }
        let mut told = RemoteError::NobodyToAsk(knock.room_id.to_string());
        for server in &candidates {
            match self.knock_through(server, knock).await {
                Ok(()) => return Ok(()),
                Err(RemoteError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    let room_id = &knock.room_id;
                    tracing::info!(%room_id, %server, %error, "no help with knocking");
                    told = told.or(error);
                }
            }
        }
        Err(KnockError::Remote(told))
    }

    async fn knock_through(
        &self,
        server: &ServerName,
        knock: &Knock<'_>,
    ) -> Result<(), RemoteError> {
        let Knock { room_id, user, .. } = *knock;
        let mut request =
            prepare_knock_event::v1::Request::new(room_id.to_owned(), user.to_owned());
        request.ver = known_versions();
        let answer = self.ask_for_help(server, request).await?;
        let wanted = Wanted {
            room_id,
            user,
            membership: Membership::Knock,
        };
        let content = member_content(Membership::Knock, knock.reason);
        let content = self.with_own_profile(user, content).await?;
        let template = (Some(answer.room_version), &*answer.event);
        let Proposal {
            version,
            event,
            pdu,
        } = self.propose(server, template, &wanted, content)?;
        let id = event.event_id.clone();
        let request = create_knock_event::v1::Request::new(room_id.to_owned(), id, pdu);
        let answer = self.ask_for_help(server, request).await?;
        let state: Vec<Box<RawValue>> = answer.knock_room_state.iter().filter_map(raw).collect();
        let room = (&version, room_id);
        // The knock is there, whatever is told with it.
        let state = match self.invite_state(room, &state, user).await {
            Ok(state) => state.json,
            Err(HandshakeError::Store(error)) => return Err(error.into()),
            Err(error) => {
                tracing::info!(%room_id, %server, %error, "nothing is told of the room");
                "[]".to_owned()
            }
        };
        let outside = Outside {
            event: &event,
            version: &version,
            membership: Membership::Knock,
            state: &state,
        };
        Ok(self.store_outside(&outside).await?)
    }
}

fn raw(state: &RawStrippedState) -> Option<Box<RawValue>> {
    to_raw_value(state).ok()
}
