//! Keys of other servers' users, which those servers are asked for.
//!
//! Each server is asked at the same time as the others and within a time; what it tells is looked at
//! key by key. Only what was asked for is taken, and only what a user of this server could have
//! uploaded: clients may rely on the form of what they are shown.

use std::{collections::BTreeMap, time::Duration};

use myelin_core::encryption_keys::{
    Object, Usage, check_cross_signing_key, check_device_keys, check_one_time_key,
};
use myelin_net::{Federation, FederationError, Limits};
use ruma::{
    OwnedServerName, OwnedUserId, UserId,
    api::federation::keys::{claim_keys, get_keys},
};
use serde::Deserialize;
use serde_json::{Map, Value, value::to_raw_value};
use tokio::{task::JoinSet, time::Instant};

use super::{ClaimedKeys, KeyClaims, KeyQuery, QueriedKeys, kept_list::with_name_alone};

/// Most servers asked at once for one client.
const AT_ONCE: usize = 64;
/// Most bytes of one answer: a thousand users with some devices each.
const ANSWER_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Users asked for by one request: what any server takes.
const USERS_PER_REQUEST: usize = 250;

/// Servers that have not answered, with the reason.
pub type KeyFailures = BTreeMap<OwnedServerName, FederationError>;

/// What a server answers to a query, as far as it has the right form.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are named as in the answer")]
struct QueryAnswer {
    device_keys: Map<String, Value>,
    #[serde(default)]
    master_keys: Map<String, Value>,
    #[serde(default)]
    self_signing_keys: Map<String, Value>,
}

/// What a server answers to a claim.
#[derive(Deserialize)]
struct ClaimAnswer {
    one_time_keys: Map<String, Value>,
}

/// Asks other servers for the keys of their users, and adds what they know to what is shown.
pub(super) async fn query_remote_keys(
    federation: &Federation,
    query: &KeyQuery,
    time: Duration,
    shown: &mut QueriedKeys,
) -> KeyFailures {
    let until = Instant::now() + time;
    let asked = parts(query).into_iter().map(|(server, part)| {
        let federation = federation.clone();
        async move {
            let users = part.iter().map(|(user, devices)| {
                let devices = devices.iter().map(|id| id.as_str().into());
                (user.clone(), devices.collect())
            });
            let request = get_keys::v1::Request::new(users.collect());
            let answer = federation.ask_for(&server, request, limits(until)).await;
            (server, part, answer)
        }
    });
    let mut failures = KeyFailures::new();
    for (server, part, answer) in all(asked).await {
        match answer {
            Ok(answer) => take_query(&part, answer, shown),
            Err(error) => drop(failures.insert(server, error)),
        }
    }
    failures
}

/// Claims keys of other servers' users, and adds what their servers give to what was claimed.
pub async fn claim_remote_keys(
    federation: &Federation,
    claims: &KeyClaims,
    time: Duration,
    claimed: &mut ClaimedKeys,
) -> KeyFailures {
    let until = Instant::now() + time;
    let asked = parts(claims).into_iter().map(|(server, part)| {
        let federation = federation.clone();
        async move {
            let users = part.iter().map(|(user, devices)| {
                let devices = devices.iter();
                let devices = devices.map(|(id, name)| (id.as_str().into(), name.as_str().into()));
                (user.clone(), devices.collect())
            });
            let request = claim_keys::v1::Request::new(users.collect());
            let answer = federation.ask_for(&server, request, limits(until)).await;
            (server, part, answer)
        }
    });
    let mut failures = KeyFailures::new();
    for (server, part, answer) in all(asked).await {
        match answer {
            Ok(answer) => take_claim(&part, answer, claimed),
            Err(error) => drop(failures.insert(server, error)),
        }
    }
    failures
}

/// What is asked of each server, in requests that are not too large.
fn parts<T: Clone>(
    of_users: &BTreeMap<OwnedUserId, T>,
) -> Vec<(OwnedServerName, BTreeMap<OwnedUserId, T>)> {
    let mut servers: BTreeMap<OwnedServerName, Vec<BTreeMap<OwnedUserId, T>>> = BTreeMap::new();
    for (user, wanted) in of_users {
        let parts = servers.entry(user.server_name().to_owned()).or_default();
        match parts.last_mut() {
            Some(part) if part.len() < USERS_PER_REQUEST => {
                part.insert(user.clone(), wanted.clone());
            }
            _ => parts.push(BTreeMap::from([(user.clone(), wanted.clone())])),
        }
    }
    let parts = servers.into_iter();
    parts
        .flat_map(|(server, parts)| parts.into_iter().map(move |part| (server.clone(), part)))
        .collect()
}

fn limits(until: Instant) -> Limits {
    Limits {
        time: until.saturating_duration_since(Instant::now()),
        bytes: ANSWER_BYTES_MAX,
    }
}

/// Waits for all of these, some of which are under way at a time.
async fn all<F>(futures: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let mut futures = futures.fuse();
    let (mut under_way, mut outputs) = (JoinSet::new(), Vec::new());
    loop {
        while under_way.len() < AT_ONCE
            && let Some(future) = futures.next()
        {
            under_way.spawn(future);
        }
        match under_way.join_next().await {
            // A panic is reported where it happens.
            Some(ended) => outputs.extend(ended.ok()),
            None => return outputs,
        }
    }
}

fn take_query(asked: &KeyQuery, answer: QueryAnswer, shown: &mut QueriedKeys) {
    for (user, devices) in answer.device_keys {
        let Some((user, wanted)) = asked_for(asked, &user) else {
            continue;
        };
        let known = shown.device_keys.entry(user.clone()).or_default();
        for (device, keys) in into_object(devices) {
            let is_wanted = wanted.is_empty() || wanted.contains(&device);
            let keys = into_object(keys);
            if is_wanted && check_device_keys(&keys, user.as_str(), &device).is_ok() {
                known.insert(device, with_name_alone(keys));
            } else {
                tracing::debug!(%user, %device, "keys that cannot be shown");
            }
        }
    }
    let all = [
        (Usage::Master, answer.master_keys, &mut shown.master_keys),
        (
            Usage::SelfSigning,
            answer.self_signing_keys,
            &mut shown.self_signing_keys,
        ),
    ];
    for (usage, keys, known) in all {
        for (user, key) in keys {
            let Some((user, _)) = asked_for(asked, &user) else {
                continue;
            };
            let key = into_object(key);
            if check_cross_signing_key(&key, user.as_str(), usage).is_ok() {
                known.insert(user.clone(), key);
            } else {
                tracing::debug!(%user, usage = usage.name(), "a key that cannot be shown");
            }
        }
    }
}

/// The user of this id, if one of those who were asked for.
fn asked_for<'a, T>(
    asked: &'a BTreeMap<OwnedUserId, T>,
    user: &str,
) -> Option<(&'a OwnedUserId, &'a T)> {
    asked.get_key_value(<&UserId>::try_from(user).ok()?)
}

fn take_claim(asked: &KeyClaims, answer: ClaimAnswer, claimed: &mut ClaimedKeys) {
    for (user, devices) in answer.one_time_keys {
        let Some((user, wanted)) = asked_for(asked, &user) else {
            continue;
        };
        for (device, keys) in into_object(devices) {
            // One was asked for, and a client would not know what to do with more.
            let found = into_object(keys).into_iter().find(|(name, key)| {
                let algorithm = check_one_time_key(name, key).ok();
                let algorithm = algorithm.map(|(algorithm, _)| algorithm);
                algorithm.is_some() && algorithm == wanted.get(&device).map(String::as_str)
            });
            let raw = found.and_then(|(name, key)| Some((name, to_raw_value(&key).ok()?)));
            if let Some((name, key)) = raw {
                let devices = claimed.entry(user.clone()).or_default();
                devices.insert(device, BTreeMap::from([(name, key)]));
            }
        }
    }
}

fn into_object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

#[cfg(test)]
mod tests;
