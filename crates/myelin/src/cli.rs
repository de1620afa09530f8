//! The command line.

mod destination;
mod registration_token;
mod signing_key;
mod user;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{
    config::{self, Loaded, Sources},
    process_file,
    serve::serve,
};

/// A Matrix homeserver.
#[derive(Parser)]
#[command(name = "myelin", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The configuration; without one everything has its default.
    #[arg(long, short, global = true, env = "MYELIN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server.
    Serve,
    /// Work with the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Work with accounts.
    User {
        #[command(subcommand)]
        command: user::UserCommand,
    },
    /// Work with the servers that have not been sent everything.
    Destination {
        #[command(subcommand)]
        command: destination::DestinationCommand,
    },
    /// Work with invitations to register.
    RegistrationToken {
        #[command(subcommand)]
        command: registration_token::RegistrationTokenCommand,
    },
    /// Work with the keys that the server signs with.
    SigningKey {
        #[command(subcommand)]
        command: signing_key::SigningKeyCommand,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Read and check the configuration without starting.
    Check,
    /// Print every key with its default and one sentence.
    Example,
    /// Let the running server apply what can change at run time.
    Reload,
}

/// Runs the command of this process's arguments; what fails is one line on standard error.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // An empty variable is how some tools unset it.
    let file = arguments.config.filter(|file| !file.as_os_str().is_empty());
    let sources = Sources::of_process(file);
    let result = match arguments.command {
        Command::Serve => load(&sources).and_then(|loaded| serve(&sources, &loaded)),
        Command::Config {
            command: ConfigCommand::Check,
        } => check(&sources),
        Command::Config {
            command: ConfigCommand::Example,
        } => print(&config::example()),
        Command::Config {
            command: ConfigCommand::Reload,
        } => reload(&sources),
        Command::User { command } => {
            load(&sources).and_then(|loaded| user::run(&loaded.settings, command))
        }
        Command::Destination { command } => {
            load(&sources).and_then(|loaded| destination::run(&loaded.settings, command))
        }
        Command::RegistrationToken { command } => {
            load(&sources).and_then(|loaded| registration_token::run(&loaded.settings, command))
        }
        Command::SigningKey { command } => {
            load(&sources).and_then(|loaded| signing_key::run(&loaded.settings, command))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The alternate form has the whole chain of causes on the line.
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn check(sources: &Sources) -> anyhow::Result<()> {
    let loaded = load(sources)?;
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    match &sources.file {
        Some(file) => print(&format!("{} is valid\n", file.display())),
        None => print("no file is given; the defaults and the environment are valid\n"),
    }
}

fn reload(sources: &Sources) -> anyhow::Result<()> {
    let loaded = load(sources)?;
    let process = process_file::signal_reload(&loaded.settings.data_dir)?;
    print(&format!(
        "process {process} was told to reload; its log says what it applied\n"
    ))
}

/// Loads the configuration; of several problems all but the last are printed here.
fn load(sources: &Sources) -> anyhow::Result<Loaded> {
    config::load(sources).map_err(|mut problems| {
        let last = problems.pop();
        for problem in problems {
            complain(&problem.to_string());
        }
        anyhow::anyhow!(
            "{}",
            last.map(|problem| problem.to_string()).unwrap_or_default()
        )
    })
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}

fn complain(line: &str) {
    // There is nobody left to tell if standard error is gone.
    drop(writeln!(io::stderr(), "myelin: {line}"));
}
