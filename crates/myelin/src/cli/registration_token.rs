//! `myelin registration-token`: invitations to register.

use anyhow::bail;
use clap::Subcommand;
use myelin_accounts::{
    NewRegistrationToken, create_registration_token, delete_registration_token,
    list_registration_tokens,
};
use myelin_store::registration_tokens::RegistrationToken;

use super::print;
use crate::{config::Settings, operator::Operator};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

#[derive(Subcommand)]
pub(super) enum RegistrationTokenCommand {
    /// Make a token and print it.
    Create {
        /// The token; without one it is chosen.
        #[arg(long)]
        token: Option<String>,
        /// How many may register with it; any number if not given.
        #[arg(long)]
        uses: Option<u32>,
        /// After how many days it ends; never if not given.
        #[arg(long)]
        days: Option<u32>,
    },
    /// List all tokens.
    List,
    /// Delete a token.
    Delete {
        /// The token.
        token: String,
    },
}

pub(super) fn run(settings: &Settings, command: RegistrationTokenCommand) -> anyhow::Result<()> {
    let said = Operator::work(settings, async |operator| {
        let (server, store) = (&operator.server, &operator.store);
        match command {
            RegistrationTokenCommand::Create { token, uses, days } => {
                let lasts_ms = days.map(|days| u64::from(days).saturating_mul(DAY_MS));
                let new = NewRegistrationToken {
                    token,
                    uses_allowed: uses,
                    expires_ms: lasts_ms.map(|ms| server.now_ms().saturating_add(ms)),
                };
                let token = create_registration_token(server, store, new).await?;
                Ok(format!("{token}\n"))
            }
            RegistrationTokenCommand::List => {
                let tokens = list_registration_tokens(store).await?;
                let now_ms = server.now_ms();
                Ok(tokens.iter().map(|token| line(token, now_ms)).collect())
            }
            RegistrationTokenCommand::Delete { token } => {
                if !delete_registration_token(store, &token).await? {
                    bail!("there is no registration token {token:?}");
                }
                Ok(format!("{token} was deleted\n"))
            }
        }
    })?;
    print(&said)
}

fn line(token: &RegistrationToken, now_ms: u64) -> String {
    let name = &token.token;
    let used = match (token.completed, token.uses_allowed) {
        (completed, Some(allowed)) => format!("{completed} of {allowed} times"),
        (1, None) => "once".to_owned(),
        (completed, None) => format!("{completed} times"),
    };
    let end = token.expires_ms.map_or_else(String::new, |expires_ms| {
        let expires_ms = u64::try_from(expires_ms).unwrap_or_default();
        match expires_ms.saturating_sub(now_ms).div_ceil(DAY_MS) {
            0 => ", has ended".to_owned(),
            1 => ", ends within a day".to_owned(),
            days => format!(", ends within {days} days"),
        }
    });
    format!("{name} used {used}{end}\n")
}
