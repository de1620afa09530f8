//! One device on `matrix-sdk` with encryption, for the tests in `crates/myelin/tests/interop`. Reads
//! commands, one JSON object a line, and answers each with a line of JSON: `{"ok": ..}` or
//! `{"error": ..}`. `devices.rs` there says what they mean.

#![recursion_limit = "256"]

mod device;
mod verification;

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use anyhow::Context;
use matrix_sdk::ruma::{OwnedDeviceId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use device::Device;

/// Nothing takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_mins(2);

const PAUSE: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Command {
    LogIn(LogIn),
    CreateRoom {
        invite: Vec<OwnedUserId>,
        direct: bool,
    },
    Join {
        room: OwnedRoomId,
    },
    Members {
        room: OwnedRoomId,
    },
    Send {
        room: OwnedRoomId,
        text: String,
    },
    Texts {
        room: OwnedRoomId,
    },
    Bootstrap,
    Restore {
        key: String,
    },
    HasSecrets,
    IsBackedUp,
    KnowsDevice {
        user: OwnedUserId,
        device: OwnedDeviceId,
    },
    TrustsDevice {
        user: OwnedUserId,
        device: OwnedDeviceId,
    },
    TrustsUser {
        user: OwnedUserId,
    },
    RequestVerification {
        user: OwnedUserId,
        device: OwnedDeviceId,
        room: Option<OwnedRoomId>,
    },
    AcceptVerification {
        user: OwnedUserId,
    },
    StartSas,
    AcceptSas,
    Emoji,
    ConfirmSas,
    EndSas,
    LogOut,
}

#[derive(Deserialize)]
struct LogIn {
    url: String,
    name: String,
    password: String,
    register: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut device = None;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut output = tokio::io::stdout();
    while let Some(line) = lines.next_line().await? {
        let command = serde_json::from_str(&line).context("not a command")?;
        let answer = match obey(&mut device, command).await {
            Ok(value) => json!({"ok": value}),
            Err(error) => json!({"error": format!("{line}: {error:?}")}),
        };
        output.write_all(format!("{answer}\n").as_bytes()).await?;
        output.flush().await?;
    }
    Ok(())
}

async fn obey(logged_in: &mut Option<Device>, command: Command) -> anyhow::Result<Value> {
    if let Command::LogIn(how) = command {
        let device = logged_in.insert(Device::log_in(&how).await?);
        return Ok(json!({"user": device.user()?, "device": device.id()?}));
    }
    let device = logged_in.as_mut().context("it is not logged in")?;
    Ok(match command {
        Command::LogIn(_) => Value::Null,
        Command::CreateRoom { invite, direct } => json!(device.create_room(invite, direct).await?),
        Command::Join { room } => json!(device.join(&room).await?),
        Command::Members { room } => json!(device.members(&room).await?),
        Command::Send { room, text } => json!(device.send(&room, &text).await?),
        Command::Texts { room } => json!(device.texts(&room).await?),
        Command::Bootstrap => json!(device.bootstrap().await?),
        Command::Restore { key } => json!(device.restore(&key).await?),
        Command::HasSecrets => json!(device.has_secrets().await),
        Command::IsBackedUp => json!(device.is_backed_up().await?),
        Command::KnowsDevice { user, device: id } => json!(device.knows_device(&user, &id).await?),
        Command::TrustsDevice { user, device: id } => {
            json!(device.trusts_device(&user, &id).await?)
        }
        Command::TrustsUser { user } => json!(device.trusts_user(&user).await?),
        Command::RequestVerification {
            user,
            device: id,
            room: None,
        } => json!(device.request_verification(&user, &id).await?),
        Command::RequestVerification {
            user,
            room: Some(room),
            ..
        } => json!(device.request_verification_in_room(&user, &room).await?),
        Command::AcceptVerification { user } => json!(device.accept_verification(&user).await?),
        Command::StartSas => json!(device.start_sas().await?),
        Command::AcceptSas => json!(device.accept_sas().await?),
        Command::Emoji => json!(device.emoji().await?),
        Command::ConfirmSas => json!(device.confirm_sas().await?),
        Command::EndSas => json!(device.end_sas().await?),
        Command::LogOut => json!(device.log_out().await?),
    })
}

/// Asks again and again until there is an answer, and returns it.
async fn until<T>(
    what: impl Display,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        anyhow::ensure!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
