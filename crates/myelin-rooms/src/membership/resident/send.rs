//! Member events that users of other servers have made of our templates (spec: `send_join`,
//! `send_leave`, `send_knock`).

use std::{sync::Arc, time::Duration};

use myelin_core::{
    event::{self, Event},
    membership::Membership,
};
use ruma::{EventId, RoomId, RoomVersionId, ServerName, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::HandshakeError;
use crate::{Outcome, Rooms, membership::MEMBER};

/// How long the keys for one event are waited for.
const KEYS_WITHIN: Duration = Duration::from_secs(15);

/// A member event that another server sends for one of its users.
#[derive(Clone, Copy, Debug)]
pub struct SendMember<'a> {
    /// Who sends it.
    pub origin: &'a ServerName,
    /// The room that the request is about.
    pub room_id: &'a RoomId,
    /// The event that it is about.
    pub event_id: &'a EventId,
    /// The event itself.
    pub pdu: &'a RawValue,
    /// What the user wants to be by it.
    pub membership: Membership,
}

/// A member event that was taken into its room.
#[derive(Clone, Debug)]
pub struct SentMember {
    /// The event, with our signature where it takes one.
    pub event: Event,
    /// The version of the room.
    pub version: RoomVersionId,
}

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "join_authorised_via_users_server")]
    authorised_via: Option<String>,
}

impl Rooms {
    /// Takes a member event into its room, if it is what the request says it is, and sees to it
    /// that the other servers in the room are sent it.
    pub async fn send_member(&self, sent: SendMember<'_>) -> Result<SentMember, HandshakeError> {
        let mut room = self.open_for(sent.room_id, sent.origin).await?;
        let version = room.version()?;
        drop(room);
        let event = event::parse(sent.pdu.get().as_bytes(), &version)?;
        check(&sent, &event)?;
        let event = self.let_in(event, &version).await?;
        let raw = RawValue::from_string(event.json.to_string());
        let raw = raw.map_err(|_| HandshakeError::OtherEvent("event"))?;
        let mut verified = self
            .verify(&[&raw], (&version, sent.room_id), KEYS_WITHIN)
            .await;
        let event = verified.pop().unwrap_or(Ok(event))?;
        match self.receive_for_others(event).await? {
            (Outcome::Accepted, event) => Ok(SentMember {
                event: Arc::unwrap_or_clone(event),
                version,
            }),
            (Outcome::SoftFailed { reason } | Outcome::Rejected { reason }, _) => {
                Err(HandshakeError::Refused(reason))
            }
        }
    }

    /// Signs a join by which a user of this server lets the other one into a restricted room, if
    /// that is still so.
    async fn let_in(&self, event: Event, version: &RoomVersionId) -> Result<Event, HandshakeError> {
        let content = serde_json::from_str::<Content>(event.content.get()).ok();
        let via = content.and_then(|content| content.authorised_via);
        let is_ours = |via: &String| {
            let user = <&UserId>::try_from(via.as_str());
            user.is_ok_and(|user| self.server.is_local(user))
        };
        let takes_it = version
            .rules()
            .is_some_and(|rules| rules.authorization.restricted_join_rule);
        let is_join = Membership::of_content(&event.content) == Some(Membership::Join);
        if !takes_it || !is_join || !via.as_ref().is_some_and(is_ours) {
            return Ok(event);
        }
        let user = event.sender.clone();
        let draft = self.member_draft((&user, &user), ruma::CanonicalJsonObject::new());
        let draft = draft.await?;
        let mut room = self.open_for(&event.room_id, user.server_name()).await?;
        self.authorise_join(&mut room, &draft).await?;
        Ok(event::add_signature(&event, version, &self.server)?)
    }
}

/// Every place that names the room, the event, the user, the act or the server must name the same
/// (CVE-2020-26257).
fn check(sent: &SendMember<'_>, event: &Event) -> Result<(), HandshakeError> {
    let is_member = event.type_str() == MEMBER;
    let is_own = event.state_key.as_deref() == Some(event.sender.as_str());
    let membership = Membership::of_content(&event.content);
    let checks = [
        ("event_id", event.event_id == sent.event_id),
        ("room_id", event.room_id == sent.room_id),
        ("type", is_member),
        ("state_key", is_own),
        ("sender", event.sender.server_name() == sent.origin),
        ("content.membership", membership == Some(sent.membership)),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        Some((key, _)) => Err(HandshakeError::OtherEvent(key)),
        None => Ok(()),
    }
}
