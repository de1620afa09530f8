//! Starting a session: a device and its tokens.

use myelin_core::server::Server;
use myelin_store::{
    Read, StoreResult, WriteSet,
    sessions::{self, Device, NewTokens},
};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId};

use crate::authenticate::hash_token;

/// Letters of a device id that we choose.
const DEVICE_ID_LENGTH: usize = 10;
/// Characters of a token, 5.95 bits each.
pub(crate) const TOKEN_LENGTH: usize = 32;
/// Longest device id and longest display name that a client may give; the specification names no
/// limit, and both are repeated in many answers.
pub(crate) const DEVICE_TEXT_MAX: usize = 255;
/// How long the access tokens of clients live that can refresh them. Since revoked tokens are dead
/// at once, the time only limits what a stolen one is worth.
const ACCESS_TOKEN_LIFETIME_MS: u64 = 60 * 60 * 1_000;
/// Longest text kept of how a program names itself.
const USER_AGENT_MAX: usize = 255;

/// The device that logs in.
#[derive(Clone, Debug, Default)]
pub struct NewDevice {
    /// A known device, whose tokens are replaced, or a new one; None: we choose an id.
    pub device_id: Option<OwnedDeviceId>,
    /// Only counts for a new device.
    pub display_name: Option<String>,
    /// Whether its access token shall expire and be refreshed.
    pub refresh: bool,
    /// From where it logs in.
    pub seen_from: SeenFrom,
}

/// Where a request came from, for the user's list of devices.
#[derive(Clone, Debug, Default)]
pub struct SeenFrom {
    /// The network address.
    pub address: Option<String>,
    /// How the program names itself.
    pub user_agent: Option<String>,
}

/// A session that has just begun.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// The user.
    pub user: OwnedUserId,
    /// The device.
    pub device: OwnedDeviceId,
    /// Its tokens.
    pub tokens: Tokens,
}

/// The secrets, which are nowhere else: at rest there are only their hashes.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// What gets the next access token, if it expires.
    pub refresh_token: Option<String>,
    /// How long it lives, if not for ever.
    pub expires_in_ms: Option<u64>,
}

impl Tokens {
    /// Makes tokens, and their rows' contents.
    pub(crate) fn draw(server: &Server, refresh: bool) -> (Self, NewTokens) {
        let access_token = server.random_token(TOKEN_LENGTH);
        let refresh_token = refresh.then(|| server.random_token(TOKEN_LENGTH));
        let expires_in_ms = refresh.then_some(ACCESS_TOKEN_LIFETIME_MS);
        let row = NewTokens {
            access: hash_token(&access_token),
            expires_ms: expires_in_ms
                .map(|in_ms| server.now_ms().saturating_add(in_ms).cast_signed()),
            refresh: refresh_token.as_deref().map(hash_token),
        };
        let tokens = Self {
            access_token,
            refresh_token,
            expires_in_ms,
        };
        (tokens, row)
    }
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

impl SeenFrom {
    /// Writes it beside the device, if there is anything to write.
    pub(crate) fn write(&self, writes: &mut WriteSet, user_number: i64, device: &DeviceId) {
        if self.address.is_none() && self.user_agent.is_none() {
            return;
        }
        let user_agent = self.user_agent.as_deref();
        let user_agent = user_agent.map(|text| &text[..text.floor_char_boundary(USER_AGENT_MAX)]);
        let owner = (user_number, device.as_str());
        sessions::put_address(writes, owner, self.address.as_deref(), user_agent);
    }
}

/// Writes the device and its tokens. The set falls if another login with the device comes first.
pub(crate) async fn start(
    server: &Server,
    read: &mut Read,
    writes: &mut WriteSet,
    (user, user_number): (&OwnedUserId, i64),
    new: &NewDevice,
) -> StoreResult<LoggedIn> {
    let (tokens, row) = Tokens::draw(server, new.refresh);
    let now_ms = server.now_ms().cast_signed();
    let device: OwnedDeviceId = match &new.device_id {
        Some(device) => device.clone(),
        None => server
            .random_letters(DEVICE_ID_LENGTH)
            .to_ascii_uppercase()
            .into(),
    };
    if let Some(known) = sessions::find_device(read, user_number, device.as_str()).await? {
        sessions::update(writes, &known, &row, now_ms);
        sessions::log_change(writes, user_number);
    } else {
        let fresh = Device {
            user_number,
            device_id: device.as_str().to_owned(),
            display_name: new.display_name.clone(),
            created_ms: now_ms,
            version: 1,
            ..Device::default()
        };
        sessions::insert(writes, &fresh, &row, now_ms);
    }
    new.seen_from.write(writes, user_number, &device);
    Ok(LoggedIn {
        user: user.clone(),
        device,
        tokens,
    })
}
