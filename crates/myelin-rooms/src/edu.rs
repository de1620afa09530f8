//! What the ephemeral messages of other servers do here (spec: "EDUs").
//!
//! Each is judged alone: one that is malformed, or tells of somebody else's users, does nothing and
//! keeps nothing else from having its effect. Ids that nobody here has met are not interned.

mod device_lists;
mod presence;
mod receipts;
mod to_device;

use std::borrow::Cow;

use myelin_store::{Read, StoreError};
use ruma::{RoomId, ServerName, UserId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::Rooms;

pub use presence::EduPresence;
pub use receipts::{EduReceipt, EduReceiptData};

/// How long another server's user types unless it is said again.
const TYPING_MS: i64 = 60_000;

/// Any EDU.
#[derive(Deserialize)]
struct Edu<'a> {
    #[serde(borrow)]
    edu_type: Cow<'a, str>,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// The content of `m.typing`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TypingEdu {
    /// Where.
    pub room_id: String,
    /// Who.
    pub user_id: String,
    /// Whether the user types there.
    pub typing: bool,
}

impl Rooms {
    /// Lets an EDU of another server take effect, as far as it may. It fails only if the database
    /// does, and then does no harm when it comes again.
    pub async fn receive_edu(&self, origin: &ServerName, edu: &RawValue) -> Result<(), StoreError> {
        let Ok(Edu { edu_type, content }) = serde_json::from_str(edu.get()) else {
            tracing::debug!(%origin, "an EDU without a type or content is dropped");
            return Ok(());
        };
        match &*edu_type {
            "m.typing" => match read(origin, &edu_type, content) {
                Some(edu) => self.receive_typing(origin, &edu).await,
                None => Ok(()),
            },
            "m.receipt" => match read(origin, &edu_type, content) {
                Some(edu) => self.receive_receipts(origin, &edu).await,
                None => Ok(()),
            },
            "m.presence" => match read(origin, &edu_type, content) {
                Some(edu) => self.receive_presence(origin, edu).await,
                None => Ok(()),
            },
            "m.direct_to_device" => match read(origin, &edu_type, content) {
                Some(edu) => self.receive_direct_to_device(origin, edu).await,
                None => Ok(()),
            },
            "m.device_list_update" => match read(origin, &edu_type, content) {
                Some(edu) => self.receive_device_list(origin, edu).await,
                None => Ok(()),
            },
            "m.signing_key_update" => match read(origin, &edu_type, content) {
                Some(edu) => self.receive_signing_keys(origin, edu).await,
                None => Ok(()),
            },
            // What nobody has specified yet.
            _ => {
                tracing::debug!(%origin, %edu_type, "an EDU of this type has no effect here");
                Ok(())
            }
        }
    }

    async fn receive_typing(&self, origin: &ServerName, edu: &TypingEdu) -> Result<(), StoreError> {
        let room_id = <&RoomId>::try_from(edu.room_id.as_str());
        let (Ok(room_id), Some(user)) = (room_id, user_of(origin, &edu.user_id)) else {
            tracing::debug!(%origin, user = %edu.user_id, "typing of somebody else's user");
            return Ok(());
        };
        let Some(place) = self
            .joined_at(&mut self.store.read(), room_id, user)
            .await?
        else {
            return Ok(());
        };
        let now_ms = self.server.now_ms().cast_signed();
        let until_ms = edu.typing.then_some(now_ms.saturating_add(TYPING_MS));
        self.store.live().set_typing(now_ms, place, until_ms);
        Ok(())
    }
}

impl Rooms {
    /// The numbers of a room and of a user who is joined to it, if the room lets the user's server
    /// take part.
    async fn joined_at(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        user: &UserId,
    ) -> Result<Option<(i64, i64)>, StoreError> {
        if self.lets_server(read, room_id, user.server_name()).await? {
            self.joined(read, room_id, user).await
        } else {
            Ok(None)
        }
    }
}

/// The content, if it has the form that the type asks for.
fn read<T: DeserializeOwned>(origin: &ServerName, edu_type: &str, content: &RawValue) -> Option<T> {
    serde_json::from_str(content.get())
        .inspect_err(|error| {
            tracing::debug!(%origin, %edu_type, %error, "a malformed EDU is dropped");
        })
        .ok()
}

/// The user, if it is one of that server's.
fn user_of<'a>(origin: &ServerName, user_id: &'a str) -> Option<&'a UserId> {
    let user = <&UserId>::try_from(user_id).ok()?;
    (user.server_name() == origin).then_some(user)
}
