//! `myelin signing-key`: the keys that the server signs with.

use clap::Subcommand;
use myelin_accounts::{OwnKey, list_own_keys, rotate_signing_key};

use super::print;
use crate::{config::Settings, operator::Operator};

const MINUTE_MS: u64 = 60 * 1_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

#[derive(Clone, Copy, Subcommand)]
pub(super) enum SigningKeyCommand {
    /// List all keys, the newest first.
    List,
    /// Make a new key, with which each node signs from its next start.
    Rotate {
        /// For how long the key of today still counts: long enough to start all nodes again; 0 if
        /// somebody else has it.
        #[arg(long, value_name = "MINUTES", default_value_t = 60)]
        transition: u32,
    },
}

pub(super) fn run(settings: &Settings, command: SigningKeyCommand) -> anyhow::Result<()> {
    let said = Operator::work(settings, async |operator| {
        let (server, store) = (&operator.server, &operator.store);
        match command {
            SigningKeyCommand::List => {
                let keys = list_own_keys(store).await?;
                let now_ms = server.now_ms();
                Ok(keys.iter().map(|key| line(key, now_ms)).collect())
            }
            SigningKeyCommand::Rotate { transition } => {
                let transition_ms = u64::from(transition) * MINUTE_MS;
                let (clock, chance) = (&*server.clock, &*server.chance);
                let key_id = rotate_signing_key(store, clock, chance, transition_ms).await?;
                Ok(format!(
                    "{key_id} is the new key; start all nodes again within {transition} minutes\n"
                ))
            }
        }
    })?;
    print(&said)
}

fn line(key: &OwnKey, now_ms: u64) -> String {
    let state = match key.expired_ms {
        None => "signs".to_owned(),
        Some(expired_ms) if expired_ms > now_ms => {
            let minutes = (expired_ms - now_ms).div_ceil(MINUTE_MS);
            format!("counts for another {minutes} minutes")
        }
        Some(expired_ms) => match (now_ms - expired_ms) / DAY_MS {
            0 => "ended today".to_owned(),
            1 => "ended a day ago".to_owned(),
            days => format!("ended {days} days ago"),
        },
    };
    format!("{} {} {state}\n", key.key_id, key.public_key)
}
