//! Invitations to people known by an e-mail address or a telephone number.

use std::time::Duration;

use myelin_core::{
    membership::Membership,
    third_party_invite::{self, IdentityKey},
};
use myelin_net::Limits;
use myelin_store::StoreResult;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedUserId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::{Join, JoinError, member_content};
use crate::{Rooms, numbers::EventNumbers, open_room::OpenRoom};

/// What an identity server may take to say whether a key is valid.
const VALIDITY: Limits = Limits {
    time: Duration::from_secs(10),
    bytes: 16 * 1024,
};
/// Most identity servers that are asked about one invitation.
const ASKED_MAX: usize = 3;

/// An invitation that waits for a user.
pub(crate) struct Pending {
    /// Who has sent it.
    pub(crate) inviter: OwnedUserId,
    /// The content of the one that takes its place.
    pub(crate) content: CanonicalJsonObject,
    /// By which keys the identity server has signed for the user.
    pub(crate) keys: Vec<IdentityKey>,
}

/// The identity server does not stand by the key that it has signed with.
#[derive(Debug, thiserror::Error)]
#[error("the key of the identity server is not valid: {0}")]
pub(crate) struct InvalidKey(String);

#[derive(Deserialize)]
struct Invitation {
    #[serde(default)]
    display_name: String,
}

impl Rooms {
    /// Turns the invitation that the token names into one for this user, sent by who sent the
    /// first: the rules check that the identity server has signed for the user.
    pub(super) async fn accept_third_party_invite<'a>(
        &self,
        mut room: OpenRoom<'a>,
        (user, numbers): (&UserId, EventNumbers),
        signed: &CanonicalJsonObject,
    ) -> Result<OpenRoom<'a>, JoinError> {
        let membership = room.membership(numbers.sender).await?;
        if !matches!(membership, Membership::Leave | Membership::Knock) {
            return Ok(room);
        }
        let pending = self.pending_invite(&mut room, (user, signed)).await?;
        let pending = pending.filter(|pending| self.server.is_local(&pending.inviter));
        let pending = pending.ok_or_else(|| JoinError::NoThirdPartyInvite(user.to_string()))?;
        let draft = self.member_draft((&pending.inviter, user), pending.content);
        let draft = draft.await?;
        Ok(room.append(&draft).await?.room)
    }

    /// Whether the key that an invitation was signed with is still valid, if a user joins by one
    /// (spec: "Third-party invites"). Asked before anybody holds the room.
    pub(super) async fn check_join_key(&self, join: &Join<'_>) -> Result<(), JoinError> {
        let Some(signed) = join.third_party_signed else {
            return Ok(());
        };
        let pending = match self.open(join.room_id).await? {
            Some(mut room) => self.pending_invite(&mut room, (join.user, signed)).await?,
            None => None,
        };
        let keys = pending.map(|pending| pending.keys).unwrap_or_default();
        let checked = self.check_identity_keys(&keys).await;
        checked.map_err(|error| JoinError::InvalidKey(error.to_string()))
    }

    /// Whether one of the keys that have signed for a user is still valid. If none has, the rules
    /// of the room say so.
    pub(crate) async fn check_identity_keys(&self, keys: &[IdentityKey]) -> Result<(), InvalidKey> {
        let mut refused = None;
        for key in keys.iter().take(ASKED_MAX) {
            match self.check_identity_key(key).await {
                Ok(()) => return Ok(()),
                Err(error) => refused = Some(error),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    async fn check_identity_key(&self, key: &IdentityKey) -> Result<(), InvalidKey> {
        let Some(address) = &key.key_validity_url else {
            return Ok(());
        };
        let mut address = Url::parse(address).map_err(|error| InvalidKey(error.to_string()))?;
        address
            .query_pairs_mut()
            .append_pair("public_key", &key.public_key);
        let answer = self
            .outbound
            .get_json::<Map<String, Value>>(&address, VALIDITY);
        let answer = answer
            .await
            .map_err(|error| InvalidKey(error.to_string()))?;
        match answer.get("valid").and_then(Value::as_bool) {
            Some(true) => Ok(()),
            _ => Err(InvalidKey("it has been revoked".to_owned())),
        }
    }

    /// The invitation that an identity server's signature is for.
    pub(crate) async fn pending_invite(
        &self,
        room: &mut OpenRoom<'_>,
        (user, signed): (&UserId, &CanonicalJsonObject),
    ) -> StoreResult<Option<Pending>> {
        let text = |key: &str| signed.get(key).and_then(CanonicalJsonValue::as_str);
        let token = text("token").filter(|_| text("mxid") == Some(user.as_str()));
        let Some(token) = token else {
            return Ok(None);
        };
        let pending = room.state_named("m.room.third_party_invite", token).await?;
        let Some(pending) = pending else {
            return Ok(None);
        };
        // A revoked invitation is one with empty content.
        let Ok(invitation) = serde_json::from_str::<Invitation>(pending.content.get()) else {
            return Ok(None);
        };
        let mut content = member_content(Membership::Invite, None);
        let third_party = CanonicalJsonObject::from([
            ("display_name".to_owned(), invitation.display_name.into()),
            ("signed".to_owned(), signed.clone().into()),
        ]);
        content.insert("third_party_invite".to_owned(), third_party.into());
        Ok(Some(Pending {
            inviter: pending.sender.clone(),
            content,
            keys: third_party_invite::signing_keys(&pending.content, signed),
        }))
    }
}
