//! What the text of a key may be; an error says what would be right.

use std::net::IpAddr;

use myelin_http::{Network, Rate};
use ruma::{RoomVersionId, ServerName};
use tracing_subscriber::filter::{LevelFilter, Targets};

pub(super) fn server_name(text: &str) -> Result<(), String> {
    ServerName::parse(text).map(drop).map_err(|_| {
        format!("{text:?} is not a server name; example.org or example.org:8448 would be right")
    })
}

pub(super) fn server_name_or_empty(text: &str) -> Result<(), String> {
    if text.is_empty() {
        Ok(())
    } else {
        server_name(text)
    }
}

pub(super) fn web_address(text: &str) -> Result<(), String> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(()),
        _ => Err(format!(
            "{text:?} is not a web address; https://example.org would be right"
        )),
    }
}

pub(super) fn web_address_or_empty(text: &str) -> Result<(), String> {
    if text.is_empty() {
        Ok(())
    } else {
        web_address(text)
    }
}

pub(super) fn public_key_or_empty(text: &str) -> Result<(), String> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "+/-_".contains(letter);
    // 32 bytes in unpadded base64.
    if text.is_empty() || (text.len() == 43 && text.chars().all(is_letter)) {
        Ok(())
    } else {
        Err(format!(
            "{text:?} is not an Ed25519 key in unpadded base64, which has 43 letters"
        ))
    }
}

pub(super) fn folder(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("this is empty, the path of a folder would be right".to_owned());
    }
    Ok(())
}

pub(super) fn ip_address(text: &str) -> Result<(), String> {
    text.parse::<IpAddr>().map(drop).map_err(|_| {
        format!("{text:?} is not an IP address; 127.0.0.1, 0.0.0.0 or :: would be right")
    })
}

pub(super) fn database_url(text: &str) -> Result<(), String> {
    let rest = ["sqlite://", "postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(()),
        // The text is left out: it may hold a password.
        _ => {
            Err("sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE would be right".to_owned())
        }
    }
}

pub(super) fn network(text: &str) -> Result<(), String> {
    let network = text.parse::<Network>();
    network.map(drop).map_err(|error| error.to_string())
}

pub(super) fn rate(text: &str) -> Result<(), String> {
    text.parse::<Rate>()
        .map(drop)
        .map_err(|error| error.to_string())
}

pub(super) fn room_version(text: &str) -> Result<(), String> {
    let known = RoomVersionId::try_from(text).is_ok_and(|version| version.rules().is_some());
    if known && text.parse::<u8>().is_ok() {
        return Ok(());
    }
    Err(format!(
        "{text:?} is not a room version; \"1\" to \"12\" would be right"
    ))
}

pub(super) fn log_level(text: &str) -> Result<(), String> {
    let wrong =
        || format!("{text:?} is not a log level; error, warn, info, debug or trace would be right");
    // `Targets` takes a bare word that is no level for the name of a part to log everything of, and
    // nothing at all for a level.
    let is_level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
    let mut parts = text.split(',').map(str::trim);
    let misspelt = parts.any(|part| !part.contains('=') && !is_level(part));
    if misspelt {
        return Err(wrong());
    }
    text.parse::<Targets>().map(drop).map_err(|_| wrong())
}
