//! The log: lines on standard error, as text or JSON, with a level that can change at run time.

use std::io::{self, IsTerminal};

use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    reload,
    util::{SubscriberInitExt, TryInitError},
};

use crate::config::{LogFormat, LogSettings};

/// Changes the level of a started log.
pub(crate) struct LogLevel(reload::Handle<Targets, Registry>);

impl LogLevel {
    /// Takes effect for the next line.
    pub(crate) fn set(&self, level: &str) {
        if let Err(error) = self.0.reload(targets(level)) {
            tracing::warn!(%error, "the log level stays as it was");
        }
    }
}

/// Starts the log of this process.
pub(crate) fn start(settings: &LogSettings) -> Result<LogLevel, TryInitError> {
    let (filter, handle) = reload::Layer::new(targets(&settings.level));
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let lines = match settings.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()?;
    Ok(LogLevel(handle))
}

/// Libraries that report as worth knowing what is not: each rule that an event passes, and each
/// table that is there already.
const QUIET: [&str; 2] = ["ruma_state_res", "tokio_postgres"];

fn targets(level: &str) -> Targets {
    let targets: Targets = level.parse().expect("the configuration was checked");
    if targets.default_level() != Some(LevelFilter::INFO) {
        return targets;
    }
    let quiet = QUIET.iter().filter(|name| !level.contains(*name));
    targets.with_targets(quiet.map(|name| (*name, LevelFilter::WARN)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn some_libraries_are_quiet_unless_asked_for() {
        let shown = |level| targets(level).would_enable("ruma_state_res::event_auth", &Level::INFO);
        assert!(!shown("info"));
        assert!(!shown("info,myelin_store=debug"));
        assert!(!shown("error"));
        assert!(shown("debug"));
        assert!(shown("info,ruma_state_res=info"));
        assert!(targets("info").would_enable("myelin::serve", &Level::INFO));
    }
}
