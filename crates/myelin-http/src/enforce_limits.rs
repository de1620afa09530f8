//! Where requests are counted: as soon as it is known who asks.

use std::sync::Arc;

use http::{StatusCode, request::Parts};
use myelin_store::rate_limit_exemptions;
use ruma::ServerName;

use crate::{
    App, MatrixError,
    client_address::address_of,
    rate_limits::{Caller, Kind, Limited, Limiter, Place, limited, too_many_requests},
};

/// Counts a request by a user. Whoever an administrator has exempted is never refused.
pub(crate) async fn limit_user(app: &App, parts: &Parts, user: i64) -> Result<(), MatrixError> {
    let Some(Limited { kind, .. }) = limited(parts) else {
        return Ok(());
    };
    let counted = app
        .limiter
        .count(kind, Caller::User(user), app.server.now_ms());
    let Err(retry_after_ms) = counted else {
        return Ok(());
    };
    if rate_limit_exemptions::exists(&mut app.store.read(), user).await? {
        return Ok(());
    }
    Err(too_many_requests(retry_after_ms))
}

/// Counts a request by nobody in particular.
pub(crate) fn limit_address(app: &App, parts: &Parts) -> Result<(), MatrixError> {
    let Some(Limited { kind, is_login }) = limited(parts) else {
        return Ok(());
    };
    let (caller, now_ms) = (caller(parts), app.server.now_ms());
    if is_login {
        let failed = app.limiter.check(Kind::FailedLogin, caller.clone(), now_ms);
        failed.map_err(too_many_requests)?;
    }
    let counted = app.limiter.count(kind, caller, now_ms);
    counted.map_err(too_many_requests)
}

/// Refuses a request by a server that has asked too often, or from an address of which too many
/// requests were not those of the servers that they named. Nothing is counted yet: until the
/// signature is checked, anybody can name any server.
pub(crate) fn check_peer(app: &App, parts: &Parts, origin: &ServerName) -> Result<(), MatrixError> {
    let now_ms = app.server.now_ms();
    for caller in [caller(parts), Caller::Server(origin.to_owned())] {
        let checked = app.limiter.check(Kind::Federation, caller, now_ms);
        checked.map_err(too_many_requests)?;
    }
    Ok(())
}

/// Counts a request that is not that of the server that it names.
pub(crate) fn note_false_peer(app: &App, parts: &Parts) {
    let now_ms = app.server.now_ms();
    // Above the limit there is nothing left to count.
    let _ = app.limiter.count(Kind::Federation, caller(parts), now_ms);
}

/// Counts a request by a server, and waits until it may be worked on.
pub(crate) async fn limit_peer(
    app: &App,
    origin: &ServerName,
) -> Result<Option<Place>, MatrixError> {
    let caller = Caller::Server(origin.to_owned());
    let counted = app
        .limiter
        .count(Kind::Federation, caller, app.server.now_ms());
    counted.map_err(too_many_requests)?;
    let place = app.limiter.place_of(origin).await;
    place.map_err(too_many_requests)
}

/// Counts the failure of a login against the address that it came from.
pub(crate) struct FailureCounter(Option<Caller>);

impl FailureCounter {
    /// For a request that is about to be answered.
    pub(crate) fn of(parts: &Parts) -> Self {
        let is_login = limited(parts).is_some_and(|limited| limited.is_login);
        Self(is_login.then(|| caller(parts)))
    }

    /// Counts the answer, if it is a refusal.
    pub(crate) fn note<T>(self, app: &App, answer: &Result<T, MatrixError>) {
        let is_refused = |error: &MatrixError| error.status == StatusCode::FORBIDDEN;
        if let Some(caller) = self.0
            && answer.as_ref().is_err_and(is_refused)
        {
            note_failure(&app.limiter, caller, app.server.now_ms());
        }
    }
}

/// An attempt to get into an account.
#[derive(Debug)]
pub struct LoginAttempt {
    limiter: Arc<Limiter>,
    account: String,
    now_ms: u64,
}

impl App {
    /// Counts an attempt to get into an account, whatever it is called there, and refuses it after
    /// too many, or too many that have failed.
    pub fn login_attempt(&self, account: &str) -> Result<LoginAttempt, MatrixError> {
        let name = self.server.name.as_str();
        let account = account.to_lowercase();
        let account = if account.starts_with('@') {
            account
        } else {
            format!("@{account}:{name}")
        };
        let (caller, now_ms) = (Caller::Account(account.clone()), self.server.now_ms());
        let failed = self
            .limiter
            .check(Kind::FailedLogin, caller.clone(), now_ms);
        failed.map_err(too_many_requests)?;
        let counted = self.limiter.count(Kind::Login, caller, now_ms);
        counted.map_err(too_many_requests)?;
        Ok(LoginAttempt {
            limiter: self.limiter.clone(),
            account,
            now_ms,
        })
    }
}

impl LoginAttempt {
    /// It has failed.
    pub fn failed(self) {
        note_failure(&self.limiter, Caller::Account(self.account), self.now_ms);
    }
}

fn note_failure(limiter: &Limiter, caller: Caller, now_ms: u64) {
    // Above the limit there is nothing left to count.
    let _ = limiter.count(Kind::FailedLogin, caller, now_ms);
}

/// All who come through no socket are one caller.
fn caller(parts: &Parts) -> Caller {
    let nowhere = std::net::Ipv4Addr::UNSPECIFIED.into();
    Caller::address(address_of(parts).unwrap_or(nowhere))
}
