//! Starting a session: a device and its access token.

use myelin_core::server::Server;
use myelin_store::{
    Read, StoreResult, WriteSet,
    sessions::{self, Device},
};
use ruma::{OwnedDeviceId, OwnedUserId};

use crate::authenticate::hash_token;

/// Letters of a device id that we choose.
const DEVICE_ID_LENGTH: usize = 10;
/// Characters of an access token, 5.95 bits each.
const TOKEN_LENGTH: usize = 32;
/// Longest device id and longest display name that a client may give; the specification names no
/// limit, and both are repeated in many answers.
const DEVICE_TEXT_MAX: usize = 255;

/// The device that logs in.
#[derive(Clone, Debug, Default)]
pub struct NewDevice {
    /// A known device, whose token is replaced, or a new one; None: we choose an id.
    pub device_id: Option<OwnedDeviceId>,
    /// Only counts for a new device.
    pub display_name: Option<String>,
}

/// A session that has just begun.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// The user.
    pub user: OwnedUserId,
    /// The device.
    pub device: OwnedDeviceId,
    /// The secret, which is nowhere else: at rest there is only its hash.
    pub access_token: String,
}

impl NewDevice {
    /// Whether its texts have a sane size.
    pub(crate) fn is_valid(&self) -> bool {
        let id_is_valid = self
            .device_id
            .as_deref()
            .is_none_or(|id| (1..=DEVICE_TEXT_MAX).contains(&id.as_str().len()));
        let name_is_valid = self
            .display_name
            .as_deref()
            .is_none_or(|name| name.len() <= DEVICE_TEXT_MAX);
        id_is_valid && name_is_valid
    }
}

/// Writes the device and its token. The set falls if another login with the device comes first.
pub(crate) async fn start(
    server: &Server,
    read: &mut Read,
    writes: &mut WriteSet,
    (user, user_number): (&OwnedUserId, i64),
    new: &NewDevice,
) -> StoreResult<LoggedIn> {
    let access_token = server.random_token(TOKEN_LENGTH);
    let token_hash = hash_token(&access_token);
    let now_ms = server.now_ms().cast_signed();
    let device: OwnedDeviceId = match &new.device_id {
        Some(device) => device.clone(),
        None => server
            .random_letters(DEVICE_ID_LENGTH)
            .to_ascii_uppercase()
            .into(),
    };
    if let Some(known) = sessions::find_device(read, user_number, device.as_str()).await? {
        sessions::update(writes, &known, &token_hash, now_ms);
        sessions::log_change(writes, user_number);
    } else {
        let fresh = Device {
            user_number,
            device_id: device.as_str().to_owned(),
            display_name: new.display_name.clone(),
            created_ms: now_ms,
            token_hash: None,
            version: 1,
        };
        sessions::insert(writes, &fresh, &token_hash, now_ms);
    }
    Ok(LoggedIn {
        user: user.clone(),
        device,
        access_token,
    })
}
