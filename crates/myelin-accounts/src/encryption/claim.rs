//! Giving out one-time keys, each once.

use std::collections::BTreeMap;

use bytes::Bytes;
use myelin_core::server::Server;
use myelin_store::{
    Store, StoreError, StoreResult, WriteSet,
    one_time_keys::{self, FallbackKey, OneTimeKey},
};
use ruma::OwnedUserId;
use serde_json::value::RawValue;

/// Keys taken in one commit.
const CLAIMS_PER_SET: usize = 1_000;

/// Of which devices keys of which algorithm are wanted.
pub type KeyClaims = BTreeMap<OwnedUserId, BTreeMap<String, String>>;

/// Keys by user and device, under their names.
pub type ClaimedKeys = BTreeMap<OwnedUserId, BTreeMap<String, BTreeMap<String, Box<RawValue>>>>;

/// A wish for a key.
struct Claim<'a> {
    user: &'a OwnedUserId,
    number: i64,
    device: &'a str,
    algorithm: i64,
    algorithm_name: &'a str,
}

impl Claim<'_> {
    fn device(&self) -> (i64, &str) {
        (self.number, self.device)
    }
}

/// Takes a key of each device of this server's users: the one-time key that was uploaded first,
/// which nobody will be given again, or where there is none left, the fallback key. Devices without
/// either are left out.
///
/// What was taken is gone even if the answer does not arrive. Cost: five statements for each
/// thousand devices, BEGIN and COMMIT among them; where one has run out, one more, and those of a
/// commit if a fallback key is given out for the first time.
pub async fn claim_keys(
    server: &Server,
    store: &Store,
    claims: &KeyClaims,
) -> StoreResult<ClaimedKeys> {
    let claims = known(server, store, claims).await?;
    let mut claimed = ClaimedKeys::new();
    for slice in claims.chunks(CLAIMS_PER_SET) {
        let mut add = |claim: &Claim<'_>, key: &OneTimeKey| -> StoreResult<()> {
            let devices = claimed.entry(claim.user.clone()).or_default();
            let keys = devices.entry(claim.device.to_owned()).or_default();
            let name = format!("{}:{}", claim.algorithm_name, key.key_id);
            keys.insert(name, raw(&key.value)?);
            Ok(())
        };
        let mut writes = WriteSet::new();
        for claim in slice {
            one_time_keys::take(&mut writes, claim.device(), claim.algorithm);
        }
        let taken = store.commit(writes).await?.taken;
        let mut missed = Vec::new();
        for (claim, row) in slice.iter().zip(taken) {
            match row {
                Some(row) => add(claim, &one_time_keys::from_taken(&row)?)?,
                None => missed.push(claim),
            }
        }
        for (claim, key) in fall_back(store, &missed).await? {
            add(claim, &key)?;
        }
    }
    Ok(claimed)
}

/// The claims on what this server has ever heard of, by user and device. A device that is not there
/// has no keys.
async fn known<'a>(
    server: &Server,
    store: &Store,
    claims: &'a KeyClaims,
) -> StoreResult<Vec<Claim<'a>>> {
    let local = || claims.iter().filter(|(user, _)| server.is_local(user));
    let mut strings: Vec<&[u8]> = local().map(|(user, _)| user.as_bytes()).collect();
    let users = strings.len();
    let algorithms = local().flat_map(|(_, devices)| devices.values());
    strings.extend(algorithms.map(String::as_bytes));
    let numbers = store.find_all_interned(&strings).await?;
    let (users, mut algorithms) = (&numbers[..users], numbers[users..].iter());
    let mut found = Vec::new();
    for ((user, devices), number) in local().zip(users) {
        for (device, algorithm_name) in devices {
            let algorithm = algorithms.next().copied().flatten();
            let (Some(number), Some(algorithm)) = (*number, algorithm) else {
                continue;
            };
            found.push(Claim {
                user,
                number,
                device,
                algorithm,
                algorithm_name,
            });
        }
    }
    Ok(found)
}

/// The fallback keys of devices that have run out of one-time keys. They stay, and their devices
/// hear of it when one is given out for the first time.
async fn fall_back<'a>(
    store: &Store,
    claims: &[&'a Claim<'a>],
) -> StoreResult<Vec<(&'a Claim<'a>, OneTimeKey)>> {
    let mut users: Vec<i64> = claims.iter().map(|claim| claim.number).collect();
    users.dedup();
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let mut attempts = store.attempts();
    loop {
        let there = one_time_keys::list_fallback(&mut store.read(), &users).await?;
        let there: BTreeMap<(i64, &str, i64), &FallbackKey> = there
            .iter()
            .map(|key| {
                let place = (key.user, key.device_id.as_str(), key.key.algorithm);
                (place, key)
            })
            .collect();
        let found = claims.iter().filter_map(|claim| {
            let key = there.get(&(claim.number, claim.device, claim.algorithm))?;
            Some((*claim, *key))
        });
        let found: Vec<_> = found.collect();
        let mut writes = WriteSet::new();
        for (claim, fallback) in found.iter().filter(|(_, key)| !key.is_used) {
            let used = (&fallback.key, true);
            let version = Some(fallback.version);
            one_time_keys::put_fallback(&mut writes, claim.device(), used, version);
            one_time_keys::log_change(&mut writes, claim.device());
        }
        if writes.is_empty() || attempts.commit(writes).await?.is_some() {
            let keys = found.into_iter();
            return Ok(keys.map(|(claim, key)| (claim, key.key.clone())).collect());
        }
    }
}

fn raw(value: &Bytes) -> StoreResult<Box<RawValue>> {
    serde_json::from_slice(value).map_err(|error| StoreError::Corrupt {
        table: "one_time_keys",
        column: 5,
        wanted: "JSON",
        found: error.to_string(),
    })
}
