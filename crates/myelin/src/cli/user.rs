//! `myelin user`: accounts, by who operates the server.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use myelin_accounts::{
    Account, Permission, Register, Restriction, deactivate_by_operator, exempt_from_rate_limits,
    list_accounts, register, restrict_by_operator, set_admin, set_password,
};

use super::print;
use crate::{config::Settings, operator::Operator, password::read_new_password};

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Make an account, whether registration is open or not.
    Create {
        #[command(flatten)]
        name: Name,
        #[command(flatten)]
        password: Password,
        /// Let the user administrate the server.
        #[arg(long)]
        admin: bool,
    },
    /// List all accounts.
    List,
    /// End an account for ever: log it out, take it out of its rooms, keep its name taken.
    Deactivate {
        #[command(flatten)]
        name: Name,
        /// Hide what the user said from those who come to its rooms later.
        #[arg(long)]
        erase: bool,
    },
    /// Set another password and log the user out everywhere.
    ResetPassword {
        #[command(flatten)]
        name: Name,
        #[command(flatten)]
        password: Password,
    },
    /// Let a user administrate the server.
    Promote(Name),
    /// Let a user administrate the server no more.
    Demote(Name),
    /// Let a user do nothing but log out.
    Lock(Name),
    /// Lift a lock.
    Unlock(Name),
    /// Let a user read, but not speak.
    Suspend(Name),
    /// Lift a suspension.
    Unsuspend(Name),
    /// Let a user ask as often as they like, whatever the rate limits say: a bot, say.
    Exempt(Name),
    /// Let the rate limits count for a user again.
    Unexempt(Name),
}

#[derive(Args)]
pub(super) struct Name {
    /// The user's name, such as alice, or whole id, such as @alice:example.org.
    name: String,
}

#[derive(Args)]
pub(super) struct Password {
    /// A file whose first line is the password; without one it is asked for, or read from a pipe.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) fn run(settings: &Settings, command: UserCommand) -> anyhow::Result<()> {
    let said = match command {
        UserCommand::Create {
            name: Name { name },
            password,
            admin,
        } => create(settings, name, &password, admin)?,
        UserCommand::List => list(settings)?,
        UserCommand::Deactivate {
            name: Name { name },
            erase,
        } => deactivate(settings, &name, erase)?,
        UserCommand::ResetPassword {
            name: Name { name },
            password,
        } => reset_password(settings, &name, &password)?,
        UserCommand::Promote(Name { name }) => promote(settings, &name, true)?,
        UserCommand::Demote(Name { name }) => promote(settings, &name, false)?,
        UserCommand::Lock(Name { name }) => restrict(settings, &name, Restriction::Lock, true)?,
        UserCommand::Unlock(Name { name }) => restrict(settings, &name, Restriction::Lock, false)?,
        UserCommand::Suspend(Name { name }) => {
            restrict(settings, &name, Restriction::Suspend, true)?
        }
        UserCommand::Unsuspend(Name { name }) => {
            restrict(settings, &name, Restriction::Suspend, false)?
        }
        UserCommand::Exempt(Name { name }) => exempt(settings, &name, true)?,
        UserCommand::Unexempt(Name { name }) => exempt(settings, &name, false)?,
    };
    print(&said)
}

fn create(
    settings: &Settings,
    name: String,
    password: &Password,
    admin: bool,
) -> anyhow::Result<String> {
    let password = read_new_password(password.password_file.as_deref())?;
    // Whole ids are taken here as everywhere else.
    let localpart = match name.strip_prefix('@').and_then(|id| id.split_once(':')) {
        Some((localpart, server)) if server == settings.server_name => localpart.to_owned(),
        Some((_, server)) => bail!("{server} is another server than {}", settings.server_name),
        None => name,
    };
    Operator::work(settings, async |operator| {
        let wish = Register {
            username: Some(localpart),
            password: Some(password),
            admin,
            ..Register::default()
        };
        let Operator {
            server,
            store,
            accounts,
        } = &operator;
        let registered = register(server, store, accounts, Permission::Operator, wish).await?;
        Ok(format!("{} was created\n", registered.user))
    })
}

fn list(settings: &Settings) -> anyhow::Result<String> {
    Operator::work(settings, async |operator| {
        let accounts = list_accounts(&operator.store).await?;
        Ok(accounts.iter().map(line).collect())
    })
}

/// The id and, behind it, all that is special.
fn line(account: &Account) -> String {
    let mut line = account.user.to_string();
    for (is, word) in [
        (account.admin, "admin"),
        (account.guest, "guest"),
        (account.locked, "locked"),
        (account.suspended, "suspended"),
        (account.deactivated, "deactivated"),
    ] {
        if is {
            line.push(' ');
            line.push_str(word);
        }
    }
    line.push('\n');
    line
}

fn deactivate(settings: &Settings, name: &str, erase: bool) -> anyhow::Result<String> {
    Operator::work(settings, async |operator| {
        let account = operator.account(name).await?;
        deactivate_by_operator(&operator.server, &operator.store, account.number, erase).await?;
        Ok(format!(
            "{} was deactivated; a running server takes it out of its rooms\n",
            account.user
        ))
    })
}

fn reset_password(settings: &Settings, name: &str, password: &Password) -> anyhow::Result<String> {
    let password = read_new_password(password.password_file.as_deref())?;
    Operator::work(settings, async |operator| {
        let account = active(&operator, name).await?;
        let Operator {
            server,
            store,
            accounts,
        } = &operator;
        set_password(server, store, accounts, account.number, &password).await?;
        Ok(format!(
            "{} has another password and was logged out\n",
            account.user
        ))
    })
}

fn promote(settings: &Settings, name: &str, is_admin: bool) -> anyhow::Result<String> {
    Operator::work(settings, async |operator| {
        let account = active(&operator, name).await?;
        if account.guest && is_admin {
            bail!("{} is a guest", account.user);
        }
        set_admin(&operator.store, account.number, is_admin).await?;
        let is = if is_admin { "is" } else { "is not" };
        Ok(format!("{} {is} an administrator\n", account.user))
    })
}

fn restrict(
    settings: &Settings,
    name: &str,
    restriction: Restriction,
    is_restricted: bool,
) -> anyhow::Result<String> {
    Operator::work(settings, async |operator| {
        let account = active(&operator, name).await?;
        if account.admin && is_restricted {
            bail!("{} is an administrator; demote it first", account.user);
        }
        restrict_by_operator(&operator.store, account.number, restriction, is_restricted).await?;
        let word = match restriction {
            Restriction::Lock => "locked",
            Restriction::Suspend => "suspended",
        };
        let is = if is_restricted { "is" } else { "is not" };
        Ok(format!("{} {is} {word}\n", account.user))
    })
}

fn exempt(settings: &Settings, name: &str, is_exempt: bool) -> anyhow::Result<String> {
    Operator::work(settings, async |operator| {
        let account = active(&operator, name).await?;
        let Operator { server, store, .. } = &operator;
        exempt_from_rate_limits(server, store, account.number, is_exempt).await?;
        let is = if is_exempt { "is" } else { "is not" };
        Ok(format!("{} {is} exempt from rate limits\n", account.user))
    })
}

/// An account that was not deactivated.
async fn active(operator: &Operator, name: &str) -> anyhow::Result<Account> {
    let account = operator.account(name).await?;
    if account.deactivated {
        bail!("{} was deactivated", account.user);
    }
    Ok(account)
}
