//! Uploading signatures of keys.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload)

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use myelin_core::{
    encryption_keys::{Object, Usage, is_signature, public_key, signatures_of, without_signatures},
    server::Server,
};
use myelin_net::Federation;
use myelin_store::{
    Read, Store, StoreResult, WriteSet,
    cross_signing::{self, KeySignature},
    device_keys, device_lists,
};
use ruma::{OwnedUserId, UserId};
use serde_json::Value;

use super::{Change, KeyQuery, QueriedKeys, parse, query_remote_keys};

/// Signatures written in one commit, and signed users told of.
const SIGNATURES_PER_SET: usize = 500;

/// How long other servers may take to tell of the keys that are signed.
const REMOTE_TIME: Duration = Duration::from_secs(10);

/// Signed keys by user and key id.
pub type SignedKeys = BTreeMap<OwnedUserId, BTreeMap<String, Value>>;

/// What was not taken, by user and key id.
pub type SignatureFailures = BTreeMap<OwnedUserId, BTreeMap<String, SignatureFailure>>;

/// Why a signature was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFailure {
    /// There is no such key, or it is none that this user signs.
    #[error("there is no such key to be signed")]
    NotFound,
    /// It is not a signed key.
    #[error("this is no signed key")]
    Malformed,
    /// The key is another one, or the signature is not the user's, or not one at all.
    #[error("the signature is not one of this key by a key of yours")]
    Invalid,
}

/// The keys of who signs.
struct Signer<'a> {
    user: &'a UserId,
    number: i64,
    cross_signing: BTreeMap<Usage, Object>,
    devices: BTreeMap<String, Object>,
}

/// Stores signatures by a user's keys: of the user's devices, of their master key, and of others'
/// master keys, for which other servers are asked. Each stands by itself; those that are not taken
/// are told.
pub async fn upload_signatures(
    (server, federation): (&Server, &Federation),
    store: &Store,
    (user, number): (&UserId, i64),
    signed: &SignedKeys,
) -> StoreResult<SignatureFailures> {
    let remote = remote_master_keys(server, federation, signed).await;
    let mut read = store.read();
    let signer = Signer::load(&mut read, (user, number)).await?;
    let mut failures = SignatureFailures::new();
    let mut taken = Vec::new();
    for (owner, keys) in signed {
        let (owner_number, master) = if owner == user {
            (Some(number), None)
        } else if let Some(master) = remote.get(owner) {
            let number = store.intern(&[owner.as_bytes()]).await?;
            (number.first().copied(), Some(master.clone()))
        } else {
            match store.find_interned(owner.as_bytes()).await? {
                Some(other) => (Some(other), master_key(&mut read, other).await?),
                None => (None, None),
            }
        };
        for (key_id, object) in keys {
            let checked = match (owner_number, object.as_object()) {
                (_, None) => Err(SignatureFailure::Malformed),
                (None, _) => Err(SignatureFailure::NotFound),
                (Some(owner), Some(object)) if owner == number => signer.own(key_id, object),
                (Some(owner), Some(object)) => {
                    signer.others(owner, key_id, (master.as_ref(), object))
                }
            };
            match checked {
                Ok(signatures) => taken.extend(signatures),
                Err(failure) => {
                    let of_owner = failures.entry(owner.clone()).or_default();
                    of_owner.insert(key_id.clone(), failure);
                }
            }
        }
    }
    write(store, (number, &signer.devices), &taken).await?;
    Ok(failures)
}

/// The master keys of those of the users who are other servers', as far as these tell.
async fn remote_master_keys(
    server: &Server,
    federation: &Federation,
    signed: &SignedKeys,
) -> BTreeMap<OwnedUserId, Object> {
    let remote = signed.keys().filter(|user| !server.is_local(user));
    let query: KeyQuery = remote.map(|user| (user.clone(), Vec::new())).collect();
    let mut told = QueriedKeys::default();
    for (server, error) in query_remote_keys(federation, &query, REMOTE_TIME, &mut told).await {
        tracing::debug!(%server, %error, "signatures of keys that cannot be had are not taken");
    }
    told.master_keys
}

async fn master_key(read: &mut Read, user: i64) -> StoreResult<Option<Object>> {
    let keys = cross_signing::list(read, &[user]).await?;
    let master = keys.iter().find(|key| key.usage == Usage::Master);
    master
        .map(|key| parse("cross_signing_keys", &key.value))
        .transpose()
}

async fn write(
    store: &Store,
    (signer, devices): (i64, &BTreeMap<String, Object>),
    signatures: &[KeySignature],
) -> StoreResult<()> {
    for slice in signatures.chunks(SIGNATURES_PER_SET) {
        let mut writes = WriteSet::new();
        for signature in slice {
            cross_signing::put_signature(&mut writes, signature);
        }
        let signed: BTreeSet<i64> = slice.iter().map(|signature| signature.user).collect();
        // What one thinks of others is told to one's own devices alone.
        for other in signed.iter().filter(|user| **user != signer) {
            device_lists::log_view(&mut writes, signer, *other);
        }
        let mut told = None;
        if signed.contains(&signer) {
            let change = own_change(signer, slice, devices);
            told = Some(change.tell(&mut store.read(), &mut writes, signer).await?);
        }
        store.commit(writes).await?;
        if let Some(told) = told {
            told.retell(store, signer).await?;
        }
    }
    Ok(())
}

/// What has changed of the signer's own: the signed devices, or the master key.
fn own_change(
    signer: i64,
    signatures: &[KeySignature],
    devices: &BTreeMap<String, Object>,
) -> Change {
    let own = signatures.iter();
    let own = own.filter(|signature| signature.user == signer);
    let own: BTreeSet<&String> = own.map(|signature| &signature.key_id).collect();
    let (devices, others): (Vec<&String>, Vec<&String>) =
        own.into_iter().partition(|id| devices.contains_key(*id));
    Change {
        keys: !others.is_empty(),
        ..Change::of_devices(devices.into_iter().cloned().collect())
    }
}

impl<'a> Signer<'a> {
    async fn load(read: &mut Read, (user, number): (&'a UserId, i64)) -> StoreResult<Self> {
        let mut signer = Self {
            user,
            number,
            cross_signing: BTreeMap::new(),
            devices: BTreeMap::new(),
        };
        for key in cross_signing::list(read, &[number]).await? {
            let object = parse("cross_signing_keys", &key.value)?;
            signer.cross_signing.insert(key.usage, object);
        }
        for device in device_keys::list(read, &[number]).await? {
            let object = parse("device_keys", &device.keys)?;
            signer.devices.insert(device.device_id, object);
        }
        Ok(signer)
    }

    /// The signatures of a key of the user's own.
    fn own(&self, key_id: &str, signed: &Object) -> Result<Vec<KeySignature>, SignatureFailure> {
        if let Some(device) = self.devices.get(key_id) {
            let by_self_signing = |name: &str| {
                let key = self.public_key(Usage::SelfSigning)?;
                (name.strip_prefix("ed25519:") == Some(key)).then_some(key)
            };
            return self.signatures((self.number, key_id), (device, signed), by_self_signing);
        }
        let master = self.cross_signing.get(&Usage::Master);
        let master = master.filter(|key| public_key(key) == Some(key_id));
        let master = master.ok_or(SignatureFailure::NotFound)?;
        let by_device = |name: &str| {
            let device = self.devices.get(name.strip_prefix("ed25519:")?)?;
            device.get("keys")?.get(name)?.as_str()
        };
        self.signatures((self.number, key_id), (master, signed), by_device)
    }

    /// The signatures of a key of somebody else, which is their master key.
    fn others(
        &self,
        owner: i64,
        key_id: &str,
        (master, signed): (Option<&Object>, &Object),
    ) -> Result<Vec<KeySignature>, SignatureFailure> {
        let master = master.filter(|key| public_key(key) == Some(key_id));
        let master = master.ok_or(SignatureFailure::NotFound)?;
        let by_user_signing = |name: &str| {
            let key = self.public_key(Usage::UserSigning)?;
            (name.strip_prefix("ed25519:") == Some(key)).then_some(key)
        };
        self.signatures((owner, key_id), (master, signed), by_user_signing)
    }

    /// The signer's new signatures of a key, all of which must hold. `key_of` gives the public key
    /// to a name, if what it names may sign this.
    fn signatures<'k>(
        &self,
        (owner, key_id): (i64, &str),
        (stored, signed): (&Object, &Object),
        key_of: impl Fn(&str) -> Option<&'k str>,
    ) -> Result<Vec<KeySignature>, SignatureFailure> {
        if without_signatures(stored) != without_signatures(signed) {
            return Err(SignatureFailure::Invalid);
        }
        let known: BTreeSet<_> = signatures_of(stored, self.user.as_str()).collect();
        let mut found = Vec::new();
        for (name, signature) in signatures_of(signed, self.user.as_str()) {
            // Clients send what the key came with, too.
            if known.contains(&(name, signature)) {
                continue;
            }
            let key = key_of(name).ok_or(SignatureFailure::Invalid)?;
            if !is_signature(signed, key, signature) {
                return Err(SignatureFailure::Invalid);
            }
            found.push(KeySignature {
                user: owner,
                key_id: key_id.to_owned(),
                signer: self.number,
                signing_key: name.to_owned(),
                signature: signature.to_owned(),
            });
        }
        if found.is_empty() && known.is_empty() {
            return Err(SignatureFailure::Invalid);
        }
        Ok(found)
    }

    fn public_key(&self, usage: Usage) -> Option<&str> {
        self.cross_signing.get(&usage).and_then(public_key)
    }
}
