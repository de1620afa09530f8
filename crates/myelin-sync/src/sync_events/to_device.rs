//! Messages to the device that polls.

use myelin_store::{StoreResult, to_device};

use crate::{StreamToken, Syncs, Viewer};

/// Most messages in one answer.
const MESSAGES_MAX: i64 = 100;

/// What waits for a device.
#[derive(Debug, Default)]
pub(super) struct ToDeviceNews {
    /// The messages as a list of events in JSON, without its brackets.
    pub(super) events: String,
    /// The part of the token that belongs to them.
    pub(super) next: i64,
}

impl Syncs {
    /// What waits for a device, as far as an answer up to a position shows it.
    ///
    /// All of it is looked at again as long as the client has not shown, by a token with the place
    /// of the last message, that it has received an answer. Then the caller has deleted what was in
    /// it. Without such a place everything is known to have arrived, and there is nothing to look
    /// for but what is new.
    pub(super) async fn to_device(
        &self,
        viewer: &Viewer,
        position: i64,
    ) -> StoreResult<ToDeviceNews> {
        let Some(device) = &viewer.device else {
            return Ok(ToDeviceNews::default());
        };
        let mut read = self.store.read();
        let device = (viewer.user, device.as_str());
        let found = to_device::list(&mut read, device, (0, position), MESSAGES_MAX).await?;
        let texts: Vec<_> = found
            .iter()
            .map(|waiting| String::from_utf8_lossy(&waiting.event))
            .collect();
        Ok(ToDeviceNews {
            events: texts.join(","),
            next: found.last().map_or(0, |waiting| waiting.place.pos),
        })
    }

    /// The same for a client that knows everything up to a token, but for the devices of the user
    /// for which messages have arrived since.
    pub(super) async fn to_device_since(
        &self,
        viewer: &Viewer,
        (since, position): (StreamToken, i64),
        messages_to: &std::collections::BTreeSet<bytes::Bytes>,
    ) -> StoreResult<ToDeviceNews> {
        let device = viewer.device.as_ref();
        let is_new = device.is_some_and(|device| messages_to.contains(device.as_bytes()));
        if since.to_device == 0 && !is_new {
            return Ok(ToDeviceNews::default());
        }
        self.to_device(viewer, position).await
    }
}
