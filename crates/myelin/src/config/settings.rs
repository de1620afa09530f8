//! The configuration as the rest of the program sees it: every key that has an effect, set and of
//! its type.

use std::{fmt, net::IpAddr, path::PathBuf};

use ruma::{OwnedServerName, RoomVersionId};
use serde::Deserialize;

/// The configuration. Made by [`super::load`]; what each key means stands in the table of keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub server_name: OwnedServerName,
    pub public_base_url: String,
    pub data_dir: PathBuf,
    /// Empty: none.
    pub signing_key_file: PathBuf,
    pub listeners: Vec<ListenerSettings>,
    pub database: DatabaseSettings,
    pub rooms: RoomSettings,
    pub presence: PresenceSettings,
    pub rate_limits: RateLimitSettings,
    pub registration: RegistrationSettings,
    pub federation: FederationSettings,
    pub outbound: OutboundSettings,
    pub support: SupportSettings,
    pub policy_server: PolicyServerSettings,
    pub directory: DirectorySettings,
    pub server_notices: ServerNoticeSettings,
    pub log: LogSettings,
}

impl Settings {
    /// Whether anybody but this machine can reach the server.
    pub fn is_loopback_only(&self) -> bool {
        self.listeners
            .iter()
            .all(|listener| listener.bind.is_loopback())
    }

    /// Whether this is what one gets by starting without any configuration, or close to it: not
    /// fit for real use, because no other server can reach one called `localhost`.
    pub fn is_development(&self) -> bool {
        self.server_name.host() == "localhost" && self.is_loopback_only()
    }
}

/// One `[[listeners]]`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ListenerSettings {
    pub bind: IpAddr,
    pub port: u16,
    /// Empty: plain HTTP. Never set without `tls_key`.
    pub tls_cert: PathBuf,
    pub tls_key: PathBuf,
    pub resources: Vec<Resource>,
    pub trusted_proxies: Vec<String>,
}

impl ListenerSettings {
    pub fn has_tls(&self) -> bool {
        !self.tls_cert.as_os_str().is_empty()
    }
}

/// What a listener serves.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    Client,
    Federation,
    Media,
    Admin,
    Metrics,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    pub url: Secret,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomSettings {
    pub default_version: RoomVersionId,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresenceSettings {
    pub enabled: bool,
}

/// Rates are of the form that [`myelin_http::Rate`] reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitSettings {
    pub enabled: bool,
    pub login: String,
    pub failed_login: String,
    pub registration: String,
    pub messages: String,
    pub joins: String,
    pub invites: String,
    pub room_creation: String,
    pub reports: String,
    pub federation: String,
    pub other: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationSettings {
    pub open: bool,
    pub guests: bool,
    /// Empty: none.
    pub shared_secret: Secret,
    /// Empty: none.
    pub terms_url: String,
    pub terms_name: String,
    pub terms_version: String,
    pub password_cost: PasswordCost,
}

/// The traffic with other servers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederationSettings {
    pub allow_private_addresses: bool,
    /// Empty: none.
    pub ca_file: PathBuf,
    pub trusted_key_servers: Vec<OwnedServerName>,
    pub allow: Vec<String>,
    pub deny: Vec<String>,
    /// Empty: none.
    pub delegate: String,
}

/// Requests to others than servers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundSettings {
    pub allow_private_addresses: bool,
    pub verify_tls: bool,
}

/// Who helps the users; what is empty is not told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupportSettings {
    pub page: String,
    pub admin_matrix_id: String,
    pub admin_email: String,
    pub security_email: String,
}

/// A policy server of this server's name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyServerSettings {
    /// Empty: none.
    pub public_key: String,
}

/// How much work it is to check a password.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum PasswordCost {
    Default,
    Low,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectorySettings {
    pub public_without_login: bool,
    pub public_over_federation: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerNoticeSettings {
    /// Empty: there are no notices.
    pub localpart: String,
    pub display_name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// Text that must not get into logs.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}
