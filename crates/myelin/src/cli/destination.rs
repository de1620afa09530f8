//! `myelin destination`: the servers that have not been sent everything.

use anyhow::bail;
use clap::Subcommand;
use myelin_delivery::BehindServer;

use super::print;
use crate::{config::Settings, operator::Operator};

#[derive(Subcommand)]
pub(super) enum DestinationCommand {
    /// List the servers that are behind, those that fail longest first.
    List,
    /// Try a server again at once.
    Retry {
        /// Its name.
        server: String,
    },
}

pub(super) fn run(settings: &Settings, command: DestinationCommand) -> anyhow::Result<()> {
    let said = Operator::work(settings, async |operator| {
        let (server, store) = (&operator.server, &operator.store);
        match command {
            DestinationCommand::List => {
                let now_ms = server.now_ms().cast_signed();
                let behind = myelin_delivery::list_behind(store, now_ms).await?;
                Ok(behind.iter().map(|found| line(found, now_ms)).collect())
            }
            DestinationCommand::Retry { server: name } => {
                if !myelin_delivery::retry(store, &name).await? {
                    bail!("{name:?} is not behind: it has been sent everything");
                }
                Ok(format!("{name} is tried again at once\n"))
            }
        }
    })?;
    print(&said)
}

fn line(found: &BehindServer, now_ms: i64) -> String {
    let BehindServer {
        name,
        failures,
        failing_since_ms,
        next_try_ms,
        is_parked,
    } = found;
    if *failures == 0 {
        return format!("{name} is being sent to\n");
    }
    let since = time(now_ms - failing_since_ms);
    let parked = if *is_parked { ", parked" } else { "" };
    let next = match next_try_ms - now_ms {
        ms if ms <= 0 => "now".to_owned(),
        ms => format!("in {}", time(ms)),
    };
    format!("{name} failed {failures} times for {since}{parked}, next attempt {next}\n")
}

/// About how long that is.
fn time(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (count, unit) = match seconds {
        0..=119 => (seconds, "seconds"),
        120..=7_199 => (seconds / 60, "minutes"),
        7_200..=172_799 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_one_line() {
        let mut found = BehindServer {
            name: "there.example".to_owned(),
            failures: 12,
            failing_since_ms: 1_000,
            next_try_ms: 400_000_000,
            is_parked: true,
        };
        let expected =
            "there.example failed 12 times for 4 days, parked, next attempt in 13 hours\n";
        assert_eq!(line(&found, 350_000_000), expected);
        found.is_parked = false;
        let expected = "there.example failed 12 times for 110 seconds, next attempt in 4 days\n";
        assert_eq!(line(&found, 111_000), expected);
        let expected = "there.example failed 12 times for 4 days, next attempt now\n";
        assert_eq!(line(&found, 400_000_000), expected);
        found.failures = 0;
        assert_eq!(line(&found, 1_000), "there.example is being sent to\n");
    }
}
