//! Profiles of users of other servers, as those tell them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use myelin_core::server::Server;
use myelin_net::{Federation, FederationError, Limits};
use parking_lot::Mutex;
use ruma::{OwnedUserId, UserId, api::federation::query::get_profile_information::v1::Request};
use serde_json::{Map, Value};

use crate::profile::{PROFILE_BYTES_MAX, is_field};

/// Somebody waits for it.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    bytes: 2 * PROFILE_BYTES_MAX,
};
/// For so long a profile is not asked for again.
const KEPT: Duration = Duration::from_mins(5);
/// Most profiles that are kept, and the largest one: they take 8 MB at most.
const KEPT_MAX: usize = 2_000;
const KEPT_BYTES_MAX: usize = 4 * 1024;

type Profile = Map<String, Value>;

/// Asks for profiles and keeps them for a few minutes. Clones share what they know.
#[derive(Clone)]
pub struct RemoteProfiles {
    server: Arc<Server>,
    federation: Federation,
    kept: Arc<Mutex<HashMap<OwnedUserId, Kept>>>,
}

/// What a server has said; None: there is no such user, or no profile.
#[derive(Clone)]
struct Kept {
    profile: Option<Profile>,
    until_ms: u64,
}

impl RemoteProfiles {
    /// Knows nobody yet.
    pub fn new(server: Arc<Server>, federation: Federation) -> Self {
        Self {
            server,
            federation,
            kept: Arc::default(),
        }
    }

    /// What the server of a user tells of the user: those fields that could stand in a profile of
    /// this server, too. None: there is no such user.
    pub async fn find(&self, user: &UserId) -> Result<Option<Profile>, FederationError> {
        if let Some(known) = self.known(user) {
            return Ok(known.profile);
        }
        let request = Request::new(user.to_owned());
        let server = user.server_name();
        let asked = self
            .federation
            .ask_for::<Profile, _>(server, request, LIMITS);
        let profile = match asked.await {
            Ok(profile) => Some(usable(profile)),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        self.keep(user, profile.clone());
        Ok(profile)
    }

    fn known(&self, user: &UserId) -> Option<Kept> {
        let found = self.kept.lock().get(user).cloned()?;
        (self.server.now_ms() < found.until_ms).then_some(found)
    }

    fn keep(&self, user: &UserId, profile: Option<Profile>) {
        let size = |profile: &Profile| Value::Object(profile.clone()).to_string().len();
        if profile
            .as_ref()
            .is_some_and(|profile| size(profile) > KEPT_BYTES_MAX)
        {
            return;
        }
        let now_ms = self.server.now_ms();
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, known| now_ms < known.until_ms);
        }
        // Who asks for so many within minutes has no use for those that were asked for first.
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        let lifetime_ms = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        let until_ms = now_ms.saturating_add(lifetime_ms);
        kept.insert(user.to_owned(), Kept { profile, until_ms });
    }
}

/// The fields that make sense, as long as they are not too much together.
fn usable(told: Profile) -> Profile {
    let mut bytes = 0;
    let fits = |(key, value): &(String, Value)| {
        bytes += key.len() + value.to_string().len();
        bytes < PROFILE_BYTES_MAX && is_field(key, value)
    };
    told.into_iter().filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_could_stand_here_is_taken() {
        let told = json!({
            "displayname": "Bob",
            "avatar_url": "javascript:alert(1)",
            "m.tz": 7,
            "org.example.job": {"title": "builder"},
            "NO KEY": true,
            "org.example.nothing": null,
        });
        let Value::Object(told) = told else {
            unreachable!("it is an object")
        };
        let expected = json!({"displayname": "Bob", "org.example.job": {"title": "builder"}});
        assert_eq!(Value::Object(usable(told)), expected);
    }

    #[test]
    fn too_much_is_cut() {
        let told =
            (0..100).map(|number| (format!("org.example.{number}"), json!("a".repeat(1024))));
        let taken = Value::Object(usable(told.collect())).to_string();
        assert!(taken.len() < PROFILE_BYTES_MAX + 1024, "{}", taken.len());
    }
}
