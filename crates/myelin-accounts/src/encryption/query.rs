//! Showing people's keys.

use std::collections::{BTreeMap, HashMap};

use myelin_core::{
    encryption_keys::{Object, Usage, add_signature, public_key},
    server::Server,
};
use myelin_store::{
    Store, StoreResult,
    cross_signing::{self, CrossSigningKey, KeySignature},
    device_keys::{self, DeviceKeys},
    users,
};
use ruma::OwnedUserId;
use serde_json::json;

use super::parse;

/// Users looked up at once.
const USERS_PER_QUERY: usize = 500;

/// Whose keys are wanted, and of which devices; none: of all.
pub type KeyQuery = BTreeMap<OwnedUserId, Vec<String>>;

/// Keys as they are shown.
#[derive(Clone, Debug, Default)]
pub struct QueriedKeys {
    /// Identity keys by user and device.
    pub device_keys: BTreeMap<OwnedUserId, BTreeMap<String, Object>>,
    /// Master keys by user.
    pub master_keys: BTreeMap<OwnedUserId, Object>,
    /// Self-signing keys by user.
    pub self_signing_keys: BTreeMap<OwnedUserId, Object>,
    /// The user-signing key of who looks.
    pub user_signing_keys: BTreeMap<OwnedUserId, Object>,
}

/// Who looks, and the users whose keys are shown.
struct Names<'a> {
    viewer: Option<i64>,
    of_users: HashMap<i64, &'a OwnedUserId>,
    viewer_id: Option<&'a OwnedUserId>,
}

/// The keys of this server's users, with the signatures that `viewer` may see; None: another
/// server's users, who may see what the users say about themselves. Who has no keys is shown with
/// none, and who is not a user of this server not at all.
pub async fn query_keys(
    server: &Server,
    store: &Store,
    viewer: Option<(i64, &OwnedUserId)>,
    query: &KeyQuery,
) -> StoreResult<QueriedKeys> {
    let local: Vec<&OwnedUserId> = query.keys().filter(|user| server.is_local(user)).collect();
    let mut shown = QueriedKeys::default();
    for slice in local.chunks(USERS_PER_QUERY) {
        let strings: Vec<&[u8]> = slice.iter().map(|user| user.as_bytes()).collect();
        let numbers = store.find_all_interned(&strings).await?;
        let of_users = numbers.iter().zip(slice);
        let names = Names {
            viewer: viewer.map(|(number, _)| number),
            of_users: of_users
                .filter_map(|(number, user)| Some(((*number)?, *user)))
                .collect(),
            viewer_id: viewer.map(|(_, id)| id),
        };
        let users: Vec<i64> = numbers.into_iter().flatten().collect();
        show(store, &users, (&names, query), &mut shown).await?;
        let has_none = |user: &i64| {
            let name = names.of_users.get(user);
            name.is_some_and(|name| !shown.device_keys.contains_key(*name))
        };
        let without: Vec<i64> = users.into_iter().filter(has_none).collect();
        if !without.is_empty() {
            let existing = users::list_existing(&mut store.read(), &without).await?;
            let existing = existing.iter().filter_map(|user| names.of_users.get(user));
            let existing: Vec<_> = existing.map(|name| (*name).clone()).collect();
            let nothing = existing.into_iter().map(|user| (user, BTreeMap::new()));
            shown.device_keys.extend(nothing);
        }
    }
    Ok(shown)
}

async fn show(
    store: &Store,
    users: &[i64],
    (names, query): (&Names<'_>, &KeyQuery),
    shown: &mut QueriedKeys,
) -> StoreResult<()> {
    let mut read = store.read();
    let devices = device_keys::list(&mut read, users).await?;
    let keys = cross_signing::list(&mut read, users).await?;
    let viewer = names.viewer.unwrap_or_default();
    let mut signatures: HashMap<(i64, String), Vec<KeySignature>> = HashMap::new();
    for signature in cross_signing::list_signatures(&mut read, users, viewer).await? {
        let signed = (signature.user, signature.key_id.clone());
        signatures.entry(signed).or_default().push(signature);
    }
    for device in devices {
        let Some(user) = names.of_users.get(&device.user) else {
            continue;
        };
        let wanted = query.get(*user).map_or(&[][..], Vec::as_slice);
        if wanted.is_empty() || wanted.contains(&device.device_id) {
            let of_device = signatures.get(&(device.user, device.device_id.clone()));
            let object = shown_device(names, &device, of_device)?;
            let devices = shown.device_keys.entry((*user).clone()).or_default();
            devices.insert(device.device_id, object);
        }
    }
    for key in keys {
        show_key(names, &key, &signatures, shown)?;
    }
    Ok(())
}

fn shown_device(
    names: &Names<'_>,
    device: &DeviceKeys,
    signatures: Option<&Vec<KeySignature>>,
) -> StoreResult<Object> {
    let mut object = parse("device_keys", &device.keys)?;
    sign(names, device.user, &mut object, signatures);
    if let Some(name) = &device.display_name {
        let unsigned = json!({"device_display_name": name});
        object.insert("unsigned".to_owned(), unsigned);
    }
    Ok(object)
}

fn show_key(
    names: &Names<'_>,
    key: &CrossSigningKey,
    signatures: &HashMap<(i64, String), Vec<KeySignature>>,
    shown: &mut QueriedKeys,
) -> StoreResult<()> {
    let Some(user) = names.of_users.get(&key.user) else {
        return Ok(());
    };
    let keys = match key.usage {
        Usage::Master => &mut shown.master_keys,
        Usage::SelfSigning => &mut shown.self_signing_keys,
        Usage::UserSigning if names.viewer == Some(key.user) => &mut shown.user_signing_keys,
        Usage::UserSigning => return Ok(()),
    };
    let mut object = parse("cross_signing_keys", &key.value)?;
    let id = public_key(&object).unwrap_or_default().to_owned();
    sign(
        names,
        key.user,
        &mut object,
        signatures.get(&(key.user, id)),
    );
    keys.insert((*user).clone(), object);
    Ok(())
}

/// Adds signatures to a key, and takes away those that it was uploaded with and that would tell who
/// has verified whom.
fn sign(
    names: &Names<'_>,
    owner: i64,
    object: &mut Object,
    signatures: Option<&Vec<KeySignature>>,
) {
    let owner_id = names.of_users.get(&owner).map(|user| user.as_str());
    let viewer_id = names.viewer_id.map(|user| user.as_str());
    if let Some(own) = object
        .get_mut("signatures")
        .and_then(|all| all.as_object_mut())
    {
        own.retain(|user, _| [owner_id, viewer_id].contains(&Some(user)));
    }
    for signature in signatures.into_iter().flatten() {
        let signer = if signature.signer == owner {
            owner_id
        } else {
            viewer_id
        };
        if let Some(signer) = signer {
            add_signature(object, signer, &signature.signing_key, &signature.signature);
        }
    }
}
