//! Commands that work on accounts: they open the database themselves, beside the servers that use
//! it or instead of them.

use std::{future::Future, sync::Arc};

use anyhow::{Context, anyhow};
use myelin_accounts::{Account, AccountSettings, find_account};
use myelin_core::server::Server;
use myelin_store::{OpenError, Store};
use tokio::runtime;

use crate::{
    config::Settings,
    server::{Environment, account_settings, open_store, signing_key},
};

/// The database in an operator's hands.
pub(crate) struct Operator {
    pub(crate) server: Arc<Server>,
    pub(crate) store: Store,
    pub(crate) accounts: AccountSettings,
}

impl Operator {
    /// Opens the database, lets the command work, and closes it.
    pub(crate) fn work<T, F>(
        settings: &Settings,
        command: impl FnOnce(Self) -> F,
    ) -> anyhow::Result<T>
    where
        F: Future<Output = anyhow::Result<T>>,
    {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start")?;
        runtime.block_on(async {
            let operator = Self::open(settings).await?;
            let store = operator.store.clone();
            let result = command(operator).await;
            store.close().await;
            result
        })
    }

    async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let store = open_store(settings).await.map_err(in_use)?;
        let Environment { clock, chance } = Environment::system();
        let server = Server {
            name: settings.server_name.clone(),
            key: signing_key(settings, &store, &*clock, &*chance).await?,
            clock,
            chance,
        };
        Ok(Self {
            server: Arc::new(server),
            store,
            accounts: account_settings(settings),
        })
    }

    /// The account of this name, which must be there.
    pub(crate) async fn account(&self, name: &str) -> anyhow::Result<Account> {
        let account = find_account(&self.server, &self.store, name).await?;
        account.ok_or_else(|| anyhow!("there is no user {name:?} on {}", self.server.name))
    }
}

/// SQLite belongs to one process at a time, and that is the server if it runs.
fn in_use(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<OpenError>() {
        Some(OpenError::InUse(path)) => anyhow!(
            "the server is running and has the database {} to itself: stop it for this command, \
             or use PostgreSQL, where commands work beside it",
            path.display()
        ),
        _ => error,
    }
}
