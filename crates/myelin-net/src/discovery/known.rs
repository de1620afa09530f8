//! What was found out about servers, for as long as it holds.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use ruma::{OwnedServerName, ServerName};

use crate::{fetch::FetchError, well_known::WellKnown};

/// Most servers remembered. When there are more, those of which nothing holds any more are
/// forgotten, or else all of them.
const SERVERS_MAX: usize = 50_000;
/// How long a server without a well-known file is not asked again; doubled each time.
const RETRY_MIN: Duration = Duration::from_mins(5);
const RETRY_MAX: Duration = Duration::from_hours(1);
/// How long a delegate is kept while the host of its file cannot be reached.
const GRACE: Duration = Duration::from_hours(24);
/// How long a name is not looked up again whose name server did not answer.
const SILENCE: Duration = Duration::from_mins(1);

/// What is known, by host name.
#[derive(Default)]
pub(super) struct Known {
    hosts: Mutex<HashMap<String, Host>>,
}

#[derive(Default)]
struct Host {
    delegate: Option<OwnedServerName>,
    /// Until then the file is not fetched again; 0: it has not been fetched.
    holds_until_ms: u64,
    /// Until then the delegate is better than nothing.
    grace_until_ms: u64,
    failures: u32,
    silent_until_ms: u64,
}

impl Host {
    fn delegate_or(&self, server: &ServerName) -> OwnedServerName {
        self.delegate.clone().unwrap_or_else(|| server.to_owned())
    }
}

impl Known {
    /// Which server speaks for this one, perhaps itself; None: its well-known file must be fetched.
    pub(super) fn delegate_of(&self, server: &ServerName, now_ms: u64) -> Option<OwnedServerName> {
        let hosts = self.hosts.lock();
        let host = hosts.get(server.host())?;
        (now_ms < host.holds_until_ms).then(|| host.delegate_or(server))
    }

    /// Remembers what fetching the well-known file has brought, and says who is to be spoken with.
    pub(super) fn note(
        &self,
        server: &ServerName,
        found: Result<Option<WellKnown>, FetchError>,
        now_ms: u64,
    ) -> OwnedServerName {
        let host = server.host();
        self.change(host, now_ms, |known| {
            let failed = match found {
                Ok(Some(answer)) => {
                    known.holds_until_ms = now_ms + in_ms(answer.lifetime);
                    known.grace_until_ms = known.holds_until_ms + in_ms(GRACE);
                    known.failures = 0;
                    known.delegate = Some(answer.delegate);
                    return known.delegate_or(server);
                }
                Ok(None) => None,
                Err(error) => Some(error),
            };
            if let Some(error) = &failed {
                tracing::debug!(host, %error, "the well-known file cannot be fetched");
            }
            if failed.is_none() || known.grace_until_ms <= now_ms {
                known.delegate = None;
            }
            let retry = RETRY_MIN.saturating_mul(1 << known.failures.min(8));
            known.holds_until_ms = now_ms + in_ms(retry.min(RETRY_MAX));
            known.failures += 1;
            known.delegate_or(server)
        })
    }

    /// Whether the name server was silent about it a moment ago.
    pub(super) fn has_silent_name_server(&self, host: &str, now_ms: u64) -> bool {
        let hosts = self.hosts.lock();
        hosts
            .get(host)
            .is_some_and(|host| now_ms < host.silent_until_ms)
    }

    pub(super) fn note_silence(&self, host: &str, now_ms: u64) {
        self.change(host, now_ms, |known| {
            known.silent_until_ms = now_ms + in_ms(SILENCE);
        });
    }

    fn change<T>(&self, host: &str, now_ms: u64, change: impl FnOnce(&mut Host) -> T) -> T {
        let mut hosts = self.hosts.lock();
        if hosts.len() >= SERVERS_MAX && !hosts.contains_key(host) {
            hosts.retain(|_, host| now_ms < host.holds_until_ms);
            if hosts.len() >= SERVERS_MAX {
                hosts.clear();
            }
        }
        change(hosts.entry(host.to_owned()).or_default())
    }
}

fn in_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
