//! What a device does in rooms, and with keys.

use std::time::Duration;

use anyhow::Context;
use matrix_sdk::{
    Client, LoopCtrl, Room, RoomMemberships, RoomState,
    config::{RequestConfig, SyncSettings},
    deserialized_responses::{TimelineEvent, TimelineEventKind},
    encryption::{BackupDownloadStrategy, EncryptionSettings},
    ruma::{
        DeviceId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, TransactionId, UserId,
        api::client::{
            account::register::v3::Request as Register,
            filter::FilterDefinition,
            room::create_room::v3::{Request as CreateRoom, RoomPreset},
            sync::sync_events::v3::Filter,
            uiaa::{AuthData, Dummy, MatrixUserIdentifier, Password, UserIdentifier},
        },
        events::{
            EmptyStateKey, InitialStateEvent,
            room::{encryption::RoomEncryptionEventContent, message::RoomMessageEventContent},
        },
    },
};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{LogIn, until, verification::Verification};

const POLL: Duration = Duration::from_secs(5);

/// A logged in device, in sync.
pub(crate) struct Device {
    pub(crate) client: Client,
    pub(crate) verification: Verification,
    password: String,
    sync: JoinHandle<()>,
}

impl Device {
    pub(crate) async fn log_in(how: &LogIn) -> anyhow::Result<Self> {
        let settings = EncryptionSettings {
            backup_download_strategy: BackupDownloadStrategy::OneShot,
            ..EncryptionSettings::default()
        };
        // Synapse sends its clients to an address where nobody listens.
        let client = Client::builder()
            .homeserver_url(&how.url)
            .respect_login_well_known(false)
            .with_encryption_settings(settings)
            .request_config(RequestConfig::new().timeout(Duration::from_secs(30)))
            .build()
            .await?;
        let auth = client.matrix_auth();
        if how.register {
            let mut request = Register::new();
            request.username = Some(how.name.clone());
            request.password = Some(how.password.clone());
            request.auth = Some(AuthData::Dummy(Dummy::new()));
            request.inhibit_login = true;
            auth.register(request).await?;
        }
        auth.login_username(&how.name, &how.password).await?;
        client.event_cache().subscribe()?;
        let verification = Verification::listen(&client);
        client.sync_once(sync_settings()).await?;
        Ok(Self {
            sync: tokio::spawn(sync(client.clone())),
            client,
            verification,
            password: how.password.clone(),
        })
    }

    pub(crate) fn user(&self) -> anyhow::Result<&UserId> {
        self.client.user_id().context("it has no user")
    }

    pub(crate) fn id(&self) -> anyhow::Result<&DeviceId> {
        self.client.device_id().context("it has no id")
    }

    pub(crate) async fn create_room(
        &self,
        invite: Vec<OwnedUserId>,
        direct: bool,
    ) -> anyhow::Result<OwnedRoomId> {
        let content = RoomEncryptionEventContent::with_recommended_defaults();
        let encryption = InitialStateEvent::new(EmptyStateKey, content);
        let mut request = CreateRoom::new();
        request.preset = Some(RoomPreset::PrivateChat);
        request.invite.clone_from(&invite);
        request.is_direct = direct;
        request.initial_state = vec![encryption.to_raw_any()];
        let room = self.client.create_room(request).await?;
        if direct {
            until("the room is known to be direct", async || {
                let found = invite.iter().find_map(|user| self.client.get_dm_room(user));
                Ok(found.filter(|found| found.room_id() == room.room_id()))
            })
            .await?;
        }
        Ok(room.room_id().to_owned())
    }

    pub(crate) async fn join(&self, id: &RoomId) -> anyhow::Result<()> {
        let room = until("it is invited", async || {
            let room = self.client.get_room(id);
            Ok(room.filter(|room| room.state() == RoomState::Invited))
        })
        .await?;
        Ok(room.join().await?)
    }

    pub(crate) async fn members(&self, room: &RoomId) -> anyhow::Result<Vec<OwnedUserId>> {
        let Some(room) = self.client.get_room(room) else {
            return Ok(Vec::new());
        };
        let members = room.members(RoomMemberships::JOIN).await?;
        Ok(members.iter().map(|it| it.user_id().to_owned()).collect())
    }

    /// A server that is not there now is asked again, with the same transaction id.
    pub(crate) async fn send(&self, room: &RoomId, text: &str) -> anyhow::Result<OwnedEventId> {
        let room = self.room(room)?;
        until("the room is encrypted", async || {
            let state = room.latest_encryption_state().await?;
            Ok(state.is_encrypted().then_some(()))
        })
        .await?;
        let transaction = TransactionId::new();
        until(format!("{text} is sent"), async || {
            let content = RoomMessageEventContent::text_plain(text);
            let sending = room.send(content).with_transaction_id(transaction.clone());
            Ok(said(sending.await).map(|sent| sent.response.event_id))
        })
        .await
    }

    /// All that was said, the oldest first; none for what cannot be decrypted.
    pub(crate) async fn texts(&self, room: &RoomId) -> anyhow::Result<Vec<Option<String>>> {
        let (cache, _handles) = self.room(room)?.event_cache().await?;
        while !cache
            .pagination()
            .run_backwards_once(100)
            .await?
            .reached_start
        {}
        let events = cache.events().await?;
        Ok(events.iter().filter_map(text).collect())
    }

    /// Cross-signing, the secret storage and a key backup; returns the recovery key.
    pub(crate) async fn bootstrap(&self) -> anyhow::Result<String> {
        let encryption = self.client.encryption();
        let refused = encryption.bootstrap_cross_signing(None).await;
        if let Err(error) = refused {
            let asked = error.as_uiaa_response().context("no session")?;
            let user = MatrixUserIdentifier::new(self.user()?.to_string());
            let user = UserIdentifier::Matrix(user);
            let mut password = Password::new(user, self.password.clone());
            password.session.clone_from(&asked.session);
            let password = Some(AuthData::Password(password));
            encryption.bootstrap_cross_signing(password).await?;
        }
        Ok(encryption.recovery().enable().await?)
    }

    pub(crate) async fn restore(&self, key: &str) -> anyhow::Result<()> {
        Ok(self.client.encryption().recovery().recover(key).await?)
    }

    /// The private keys of cross-signing and of the backup are here.
    pub(crate) async fn has_secrets(&self) -> bool {
        let encryption = self.client.encryption();
        let signing = encryption.cross_signing_status().await;
        signing.is_some_and(|keys| keys.is_complete()) && encryption.backups().are_enabled().await
    }

    /// Whether all keys that are here are in the backup.
    pub(crate) async fn is_backed_up(&self) -> anyhow::Result<bool> {
        let backups = self.client.encryption().backups();
        backups.wait_for_steady_state().await?;
        Ok(backups.are_enabled().await)
    }

    pub(crate) async fn knows_device(&self, user: &UserId, id: &DeviceId) -> anyhow::Result<bool> {
        let device = self.client.encryption().get_device(user, id).await?;
        Ok(device.is_some())
    }

    pub(crate) async fn trusts_device(&self, user: &UserId, id: &DeviceId) -> anyhow::Result<bool> {
        let device = self.client.encryption().get_device(user, id).await?;
        Ok(device.is_some_and(|device| device.is_verified_with_cross_signing()))
    }

    pub(crate) async fn trusts_user(&self, user: &UserId) -> anyhow::Result<bool> {
        let identity = self.client.encryption().get_user_identity(user).await?;
        Ok(identity.is_some_and(|identity| identity.is_verified()))
    }

    pub(crate) async fn log_out(&self) -> anyhow::Result<()> {
        self.sync.abort();
        Ok(self.client.logout().await?)
    }

    fn room(&self, id: &RoomId) -> anyhow::Result<Room> {
        let room = self.client.get_room(id);
        room.with_context(|| format!("{id} is not known"))
    }
}

/// So that no timeline has a gap, whatever is said while the server is away.
fn sync_settings() -> SyncSettings {
    let mut filter = FilterDefinition::default();
    filter.room.timeline.limit = Some(200_u16.into());
    let filter = Filter::FilterDefinition(filter);
    SyncSettings::default().timeout(POLL).filter(filter)
}

/// Goes on until the device ends: a server that is not there now is asked again.
async fn sync(client: Client) {
    let again = async |result| {
        if said(result).is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(LoopCtrl::Continue)
    };
    let ended = client.sync_with_result_callback(sync_settings(), again);
    said(ended.await);
}

/// A failure goes where the server's log goes: to those who look into a failure.
fn said<T>(result: Result<T, matrix_sdk::Error>) -> Option<T> {
    result.inspect_err(|error| eprintln!("{error}")).ok()
}

/// None for what is no message.
fn text(event: &TimelineEvent) -> Option<Option<String>> {
    if let TimelineEventKind::UnableToDecrypt { utd_info, .. } = &event.kind {
        eprintln!("not decrypted: {:?} {utd_info:?}", event.event_id());
        return Some(None);
    }
    let event: Value = event.raw().deserialize_as().ok()?;
    let content = &event["content"];
    let is_text = event["type"] == "m.room.message" && content["msgtype"] == "m.text";
    is_text.then(|| content["body"].as_str().map(str::to_owned))
}
