//! `myelin serve`: a server until a signal ends it.

use std::{
    future::Future,
    io::{self, Write},
    pin::pin,
};

use anyhow::{Context, bail};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    config::{self, Loaded, Sources},
    logging::{self, LogLevel},
    process_file::ProcessFile,
    server::{Environment, Running, run},
    welcome,
};

/// Runs a server of this configuration until `SIGTERM` or `SIGINT`.
pub(crate) fn serve(sources: &Sources, loaded: &Loaded) -> anyhow::Result<()> {
    let settings = &loaded.settings;
    let level = logging::start(&settings.log)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    allow_many_connections();
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let result = runtime.block_on(async {
        let mut signals = Signals::new().context("cannot receive signals")?;
        // After this, a signal to reload no longer ends the process.
        let _claim = ProcessFile::claim(&settings.data_dir)?;
        let start = run(settings, Environment::system());
        let Some(running) = signals.end_or(start).await else {
            return Ok(());
        };
        let running = running?;
        let welcome = welcome::text(settings, running.addresses());
        // Nobody may be listening to what it prints.
        drop(io::stdout().write_all(welcome.as_bytes()));
        signals
            .reload_until_end(|| reload(sources, loaded, &level, &running))
            .await;
        tracing::info!("stopping; a second signal ends at once");
        match signals.end_or(running.stop()).await {
            Some(()) => Ok(()),
            None => bail!("ended by a second signal before all was finished"),
        }
    });
    // What still runs on other threads was cut off by the second signal.
    runtime.shutdown_background();
    result
}

/// Takes all file descriptors that the system grants: the usual soft limit of 1,024 is kept low for
/// programs that use `select`.
fn allow_many_connections() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// Applies what can change in a running server, and says what cannot.
fn reload(sources: &Sources, started: &Loaded, level: &LogLevel, running: &Running) {
    let newer = match config::load(sources) {
        Ok(newer) => newer,
        Err(problems) => {
            for problem in problems {
                tracing::error!("{problem}");
            }
            tracing::error!("the configuration has faults; nothing of it was applied");
            return;
        }
    };
    for warning in &newer.warnings {
        tracing::warn!("{warning}");
    }
    level.set(&newer.settings.log.level);
    running.apply(&newer.settings);
    for key in started.needs_restart(&newer) {
        tracing::warn!("{key} was changed; it takes effect when the server is started again");
    }
    tracing::info!("applied log.level, registration.open and the TLS certificates");
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// The outcome of `work`, or None if a signal to end comes first.
    async fn end_or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let work = pin!(work);
        tokio::select! {
            () = self.end() => None,
            outcome = work => Some(outcome),
        }
    }

    async fn reload_until_end(&mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}
