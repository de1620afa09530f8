//! Policy servers: a room may name a server that looks at what is sent to it (spec: "Policy
//! Servers").
//!
//! The policy server is asked while nobody holds the room. What it says changes nothing of what the
//! rules of the room allow: what it does not sign is not sent by clients of this server, and
//! soft-fails if it comes from another one.

mod ahead;
mod asked;

use std::{sync::Arc, time::Duration};

use myelin_core::event::{Event, PolicyServer, is_exempt_from_policy};
use myelin_net::{FederationError, Limits};
use myelin_store::{StoreResult, room_servers};
use ruma::{RoomVersionId, api::federation::policy::sign_event};
use serde_json::{Value, value::RawValue};

pub(crate) use self::asked::PolicyServers;
use crate::{Rooms, open_room::OpenRoom};

/// How long a policy server may take while a client waits.
pub(crate) const OWN_WITHIN: Duration = Duration::from_secs(10);
/// The same for an event of another server: what comes after it waits meanwhile.
const RECEIVED_WITHIN: Duration = Duration::from_secs(2);
/// An answer is one signature, or a refusal; many of them are remembered.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// Why an event does not have the signature of the room's policy server.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PolicyError {
    /// It refuses to sign.
    #[error("the policy server {server} refuses it: {message}")]
    Refused {
        /// Who was asked.
        server: String,
        /// The status of its answer.
        status: u16,
        /// Its `errcode`; empty if it gave none.
        errcode: String,
        /// Its `error`.
        message: String,
        /// Its `retry_after_ms`.
        retry_after_ms: Option<u64>,
    },
    /// It has signed, but not what it was asked for, or not with the key that the room names.
    #[error("the signature of the policy server {server} does not hold: {reason}")]
    Unusable {
        /// Who was asked.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It did not answer.
    #[error("the policy server {server} cannot be asked: {reason}")]
    Silent {
        /// Who was asked.
        server: String,
        /// What went wrong.
        reason: String,
    },
}

/// What the policy server of a room says of an event that it has not signed.
#[derive(Clone, Debug)]
pub(crate) struct Advice {
    policy: PolicyServer,
    reason: String,
}

/// What an event needs so that it is recommended for its room.
pub(crate) enum Standing {
    Recommended,
    /// This policy server has to be asked.
    Unsigned(PolicyServer),
    NotRecommended(String),
}

impl OpenRoom<'_> {
    /// The policy server that the room uses: the one that its current state names, as long as one
    /// of that server's users is in the room.
    pub(crate) async fn policy_server(&mut self) -> StoreResult<Option<PolicyServer>> {
        let Some(head) = self.locked.get() else {
            return Ok(None);
        };
        let room = head.row.room;
        let Some(named) = head.policy.as_deref().and_then(PolicyServer::of_event) else {
            self.rooms.policy.note(room, None);
            return Ok(None);
        };
        // Who is in the room is counted in the database.
        self.await_queued().await?;
        let server = self.rooms.store.find_interned(named.via.as_bytes()).await?;
        let joined = match server {
            Some(server) => room_servers::count(&mut self.read, room, server).await?,
            None => 0,
        };
        let used = (joined > 0).then_some(named);
        self.rooms.policy.note(room, used.as_ref());
        Ok(used)
    }

    /// Check 7 of the specification's "Checks performed on receipt of a PDU", as far as it can be
    /// made without asking.
    pub(crate) async fn standing_by_policy(
        &mut self,
        event: &Event,
        advice: Option<&Advice>,
    ) -> StoreResult<Standing> {
        if is_exempt_from_policy(event.type_str(), event.state_key.as_deref()) {
            return Ok(Standing::Recommended);
        }
        let Some(policy) = self.policy_server().await? else {
            return Ok(Standing::Recommended);
        };
        if has_signed(&policy, event, &self.version()?) {
            return Ok(Standing::Recommended);
        }
        Ok(match advice.filter(|advice| advice.policy == policy) {
            Some(advice) => Standing::NotRecommended(advice.reason.clone()),
            None => Standing::Unsigned(policy),
        })
    }
}

impl Rooms {
    /// The event with the signature of a policy server. Of an event that it was asked about before
    /// it is not asked again.
    pub(crate) async fn ask_policy_server(
        &self,
        (policy, version): (&PolicyServer, &RoomVersionId),
        event: &Event,
        within: Duration,
    ) -> Result<Event, PolicyError> {
        let asked = async {
            let answer = self.put_question(policy, event, within).await;
            self.policy.heard(policy, &answer, self.now_ms());
            answer
        };
        let answer = self.policy.answer((policy, event), asked).await;
        let unusable = |reason: String| PolicyError::Unusable {
            server: policy.via.to_string(),
            reason,
        };
        let signed = policy.with_signature(event, &answer?);
        let signed = signed.map_err(|error| unusable(error.to_string()))?;
        if has_signed(policy, &signed, version) {
            Ok(signed)
        } else {
            let reason = "it is not made with the key that the room names";
            Err(unusable(reason.to_owned()))
        }
    }

    /// Asks about an event of another server, unless the policy server has just not answered.
    pub(crate) async fn seek_advice(
        &self,
        (policy, version): (PolicyServer, &RoomVersionId),
        event: Arc<Event>,
    ) -> (Arc<Event>, Option<Advice>) {
        let asked = if let Some(silence) = self.policy.silence(&policy, self.now_ms()) {
            Err(silence)
        } else {
            let asked = (&policy, version);
            self.ask_policy_server(asked, &event, RECEIVED_WITHIN).await
        };
        match asked {
            Ok(signed) => (Arc::new(signed), None),
            Err(error) => {
                let (room_id, event_id) = (&event.room_id, &event.event_id);
                tracing::info!(%room_id, %event_id, %error, "not signed by the policy server");
                let reason = error.to_string();
                (event, Some(Advice { policy, reason }))
            }
        }
    }

    /// The signature that the policy server answers with.
    async fn put_question(
        &self,
        policy: &PolicyServer,
        event: &Event,
        within: Duration,
    ) -> Result<String, PolicyError> {
        let server = policy.via.to_string();
        let pdu = match RawValue::from_string(event.json.to_string()) {
            Ok(pdu) => pdu,
            Err(error) => {
                let reason = error.to_string();
                return Err(PolicyError::Unusable { server, reason });
            }
        };
        let limits = Limits {
            time: within,
            bytes: ANSWER_BYTES_MAX,
        };
        let request = sign_event::v1::Request::new(pdu);
        let asked = self.federation.ask_for(&policy.via, request, limits);
        let answer: Value = asked.await.map_err(|error| match error {
            FederationError::Refused {
                status,
                errcode,
                message,
                body,
                ..
            } if status.is_client_error() => PolicyError::Refused {
                server: server.clone(),
                status: status.as_u16(),
                errcode,
                message,
                retry_after_ms: body["retry_after_ms"].as_u64(),
            },
            error => PolicyError::Silent {
                server: server.clone(),
                reason: error.to_string(),
            },
        })?;
        match policy.signature_in(&answer) {
            Some(signature) => Ok(signature.to_owned()),
            None => Err(PolicyError::Unusable {
                server,
                reason: "there is none in its answer".to_owned(),
            }),
        }
    }
}

/// What cannot even be read was not signed.
fn has_signed(policy: &PolicyServer, event: &Event, version: &RoomVersionId) -> bool {
    policy.has_signed(event, version).unwrap_or(false)
}
