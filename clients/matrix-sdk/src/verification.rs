//! Verification by emoji, from either side.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use matrix_sdk::{
    Client,
    encryption::verification::{SasVerification, VerificationRequest, VerificationRequestState},
    ruma::{
        DeviceId, OwnedUserId, RoomId, UserId,
        events::{
            key::verification::{VerificationMethod, request::ToDeviceKeyVerificationRequestEvent},
            room::message::{MessageType, OriginalSyncRoomMessageEvent},
        },
    },
};

use crate::{device::Device, until};

/// The verification that is under way, and who has asked for one.
#[derive(Default)]
pub(crate) struct Verification {
    /// Who, and the id of what they have asked for.
    asked: Arc<Mutex<Option<(OwnedUserId, String)>>>,
    request: Option<VerificationRequest>,
    sas: Option<SasVerification>,
}

impl Verification {
    /// Hears who asks this device.
    pub(crate) fn listen(client: &Client) -> Self {
        let this = Self::default();
        let asked = this.asked.clone();
        client.add_event_handler(async move |event: ToDeviceKeyVerificationRequestEvent| {
            let id = event.content.transaction_id.to_string();
            *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((event.sender, id));
        });
        let asked = this.asked.clone();
        client.add_event_handler(async move |event: OriginalSyncRoomMessageEvent| {
            if let MessageType::VerificationRequest(_) = event.content.msgtype {
                let id = event.event_id.to_string();
                *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((event.sender, id));
            }
        });
        this
    }

    fn begin(&mut self, request: VerificationRequest) {
        self.request = Some(request);
        self.sas = None;
    }

    fn request(&self) -> anyhow::Result<&VerificationRequest> {
        self.request.as_ref().context("none is under way")
    }

    fn sas(&self) -> anyhow::Result<&SasVerification> {
        self.sas.as_ref().context("it has not started")
    }
}

impl Device {
    pub(crate) async fn request_verification(
        &mut self,
        user: &UserId,
        id: &DeviceId,
    ) -> anyhow::Result<()> {
        let device = self.client.encryption().get_device(user, id).await?;
        let device = device.context("the device is not known")?;
        let methods = vec![VerificationMethod::SasV1];
        let request = device.request_verification_with_methods(methods).await?;
        self.verification.begin(request);
        Ok(())
    }

    pub(crate) async fn request_verification_in_room(
        &mut self,
        user: &UserId,
        room: &RoomId,
    ) -> anyhow::Result<()> {
        let identity = self.client.encryption().get_user_identity(user).await?;
        let identity = identity.context("the user is not known")?;
        let methods = vec![VerificationMethod::SasV1];
        // The SDK looks for the room itself, and would make one where it finds none.
        let request = identity.request_verification_with_methods(methods).await?;
        anyhow::ensure!(
            request.room_id() == Some(room),
            "in {:?}",
            request.room_id()
        );
        self.verification.begin(request);
        Ok(())
    }

    pub(crate) async fn accept_verification(&mut self, user: &UserId) -> anyhow::Result<()> {
        let (encryption, asked) = (self.client.encryption(), &self.verification.asked);
        let request = until("a verification is asked for", async || {
            let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some((_, id)) = asked.filter(|(sender, _)| sender == user) else {
                return Ok(None);
            };
            Ok(encryption.get_verification_request(user, id).await)
        })
        .await?;
        asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        request
            .accept_with_methods(vec![VerificationMethod::SasV1])
            .await?;
        self.verification.begin(request);
        Ok(())
    }

    pub(crate) async fn start_sas(&mut self) -> anyhow::Result<()> {
        let request = self.verification.request()?;
        until("the other has accepted", async || {
            Ok(request.is_ready().then_some(()))
        })
        .await?;
        let sas = request.start_sas().await?;
        self.verification.sas = Some(sas.context("the other does not do this")?);
        Ok(())
    }

    pub(crate) async fn accept_sas(&mut self) -> anyhow::Result<()> {
        let request = self.verification.request()?;
        let sas = until("the other has started", async || {
            Ok(match request.state() {
                VerificationRequestState::Transitioned { verification } => verification.sas(),
                _ => None,
            })
        })
        .await?;
        sas.accept().await?;
        self.verification.sas = Some(sas);
        Ok(())
    }

    pub(crate) async fn emoji(&self) -> anyhow::Result<Vec<&'static str>> {
        let sas = self.verification.sas()?;
        let emoji = until(
            format!("emoji are shown in {:?}", sas.state()),
            async || Ok(sas.emoji()),
        )
        .await?;
        Ok(emoji.iter().map(|emoji| emoji.symbol).collect())
    }

    /// It comes to an end when the other has confirmed, too.
    pub(crate) async fn confirm_sas(&self) -> anyhow::Result<()> {
        Ok(self.verification.sas()?.confirm().await?)
    }

    pub(crate) async fn end_sas(&self) -> anyhow::Result<()> {
        let sas = self.verification.sas()?;
        until("the verification is done", async || {
            anyhow::ensure!(!sas.is_cancelled(), "{:?}", sas.cancel_info());
            Ok(sas.is_done().then_some(()))
        })
        .await
    }
}
