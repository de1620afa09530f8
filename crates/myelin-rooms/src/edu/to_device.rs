//! `m.direct_to_device`: messages to devices of this server's users.

use std::collections::BTreeMap;

use myelin_accounts::{Messages, ReceivedToDevice, SendToDeviceError, receive_to_device};
use myelin_store::StoreError;
use ruma::{OwnedUserId, ServerName};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::user_of;
use crate::Rooms;

/// Contents by device id.
type Contents = BTreeMap<String, Map<String, Value>>;

/// Longest id of messages. The specification says 32 code points; servers in use send longer ones.
const ID_BYTES_MAX: usize = 128;
/// Longest type.
const TYPE_BYTES_MAX: usize = 255;

/// The content of `m.direct_to_device`. The messages are read one by one, so that one that is
/// malformed is dropped alone.
#[derive(Deserialize)]
pub(super) struct DirectToDeviceEdu {
    sender: String,
    #[serde(rename = "type")]
    event_type: String,
    message_id: String,
    messages: BTreeMap<String, Value>,
}

impl Rooms {
    /// Hands on messages, which are durable afterwards.
    pub(super) async fn receive_direct_to_device(
        &self,
        origin: &ServerName,
        edu: DirectToDeviceEdu,
    ) -> Result<(), StoreError> {
        let Some(sender) = user_of(origin, &edu.sender) else {
            tracing::debug!(%origin, sender = %edu.sender, "a message of somebody else's user");
            return Ok(());
        };
        if edu.message_id.len() > ID_BYTES_MAX || edu.event_type.len() > TYPE_BYTES_MAX {
            tracing::debug!(%origin, "the id or the type of messages is too long");
            return Ok(());
        }
        let messages: Messages = edu
            .messages
            .into_iter()
            .filter_map(|(user, devices)| self.for_user(&user, devices))
            .collect();
        let Some(origin_number) = self.store.find_interned(origin.as_bytes()).await? else {
            return Ok(());
        };
        if messages.is_empty() {
            return Ok(());
        }
        let received = ReceivedToDevice {
            origin: origin_number,
            message_id: &edu.message_id,
            sender,
            event_type: &edu.event_type,
            messages: &messages,
        };
        match receive_to_device(&self.server, &self.store, &received).await {
            Ok(()) => Ok(()),
            Err(error @ SendToDeviceError::TooLarge) => {
                tracing::debug!(%origin, %error, "messages to devices are dropped");
                Ok(())
            }
            Err(SendToDeviceError::Store(error)) => Err(error),
        }
    }

    /// The messages for a user of this server.
    fn for_user(&self, user: &str, devices: Value) -> Option<(OwnedUserId, Contents)> {
        let user = OwnedUserId::try_from(user).ok()?;
        let Value::Object(devices) = devices else {
            return None;
        };
        let contents = devices
            .into_iter()
            .filter_map(|(device, content)| match content {
                Value::Object(content) => Some((device, content)),
                _ => None,
            });
        self.server
            .is_local(&user)
            .then(|| (user, contents.collect()))
    }
}
