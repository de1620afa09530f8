//! Keys as clients make them, and requests with them.

use myelin_core::signing_key::SigningKey;
use myelin_testkit::{Answer, User};
use serde_json::{Map, Value, json};

pub(crate) const ALGORITHM: &str = "signed_curve25519";

/// A key whose seed is made from a name.
pub(crate) fn signing_key(name: &str) -> SigningKey {
    let mut seed = [0; 32];
    for (index, byte) in name.bytes().enumerate() {
        seed[index % 32] ^= byte.rotate_left(u32::try_from(index % 8).unwrap());
    }
    SigningKey::from_seed("1", seed)
}

/// Signs an object as a user's key of this name, beside the signatures that it has.
pub(crate) fn sign(object: &mut Value, user: &str, (name, key): (&str, &SigningKey)) {
    let mut bare = object.clone();
    bare.as_object_mut().unwrap().remove("signatures");
    bare.as_object_mut().unwrap().remove("unsigned");
    // Sorted by key, and with nothing in it that canonical JSON writes differently.
    let signature = key.sign_base64(bare.to_string().as_bytes());
    object["signatures"][user][format!("ed25519:{name}")] = signature.into();
}

/// The key of a device.
pub(crate) fn device_key(user: &User) -> SigningKey {
    signing_key(&format!("{}{}", user.id, user.device))
}

/// The identity keys of a device, signed by it.
pub(crate) fn device_keys(user: &User) -> Value {
    let key = device_key(user);
    let device = &user.device;
    let mut keys = json!({
        "user_id": user.id,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {
            format!("curve25519:{device}"): "3C5BFWi2Y8MaVvjM8M22DBmh24PmgR0nPvJOIArzgyI",
            format!("ed25519:{device}"): key.public_key_base64(),
        },
    });
    sign(&mut keys, &user.id, (device, &key));
    keys
}

/// A signed one-time key; its number tells it apart.
pub(crate) fn one_time_key(user: &User, number: usize) -> Value {
    let mut key = json!({"key": format!("key{number}")});
    sign(&mut key, &user.id, (&user.device, &device_key(user)));
    key
}

pub(crate) fn name_of(number: usize) -> String {
    format!("{ALGORITHM}:{number:05}")
}

/// One-time keys under names in the order of their numbers.
pub(crate) fn one_time_keys(user: &User, numbers: std::ops::Range<usize>) -> Value {
    let keys = numbers.map(|number| (name_of(number), one_time_key(user, number)));
    Value::Object(keys.collect::<Map<_, _>>())
}

pub(crate) async fn upload(user: &User, body: Value) -> Answer {
    user.post("/keys/upload", body).await
}

pub(crate) async fn upload_device_keys(user: &User) {
    let body = json!({"device_keys": device_keys(user)});
    upload(user, body).await.ok();
}

pub(crate) async fn upload_one_time_keys(user: &User, numbers: std::ops::Range<usize>) -> Value {
    let body = json!({"one_time_keys": one_time_keys(user, numbers)});
    upload(user, body).await.ok()["one_time_key_counts"].clone()
}

/// What a user is shown of another's keys.
pub(crate) async fn query(viewer: &User, user: &str) -> Value {
    let body = json!({"device_keys": {user: []}});
    viewer.post("/keys/query", body).await.ok()
}

/// Claims a key of a device: the names of what came.
pub(crate) async fn claim(user: &User, of: &User) -> Vec<String> {
    let body = json!({"one_time_keys": {&of.id: {&of.device: ALGORITHM}}});
    let answer = user.post("/keys/claim", body).await.ok();
    names(&answer, of)
}

/// The names of a device's keys in an answer to a claim.
pub(crate) fn names(answer: &Value, of: &User) -> Vec<String> {
    let keys = answer["one_time_keys"][&of.id][&of.device].as_object();
    keys.map_or_else(Vec::new, |keys| keys.keys().cloned().collect())
}

/// A cross-signing key of a user.
pub(crate) fn cross_signing_key(user: &str, usage: &str, key: &SigningKey) -> Value {
    let public = key.public_key_base64();
    json!({
        "user_id": user,
        "usage": [usage],
        "keys": {format!("ed25519:{public}"): public},
    })
}

/// The three cross-signing keys of a user; a generation tells one set from another.
pub(crate) struct CrossSigning {
    pub(crate) master: SigningKey,
    pub(crate) self_signing: SigningKey,
    pub(crate) user_signing: SigningKey,
}

impl CrossSigning {
    pub(crate) fn new(user: &str, generation: usize) -> Self {
        let key = |usage: &str| signing_key(&format!("{generation}{usage}{user}"));
        Self {
            master: key("M"),
            self_signing: key("S"),
            user_signing: key("U"),
        }
    }

    /// The body of an upload.
    pub(crate) fn body(&self, user: &str) -> Value {
        let master = self.master.public_key_base64();
        let signed = |usage, key| {
            let mut key = cross_signing_key(user, usage, key);
            sign(&mut key, user, (&master, &self.master));
            key
        };
        json!({
            "master_key": cross_signing_key(user, "master", &self.master),
            "self_signing_key": signed("self_signing", &self.self_signing),
            "user_signing_key": signed("user_signing", &self.user_signing),
        })
    }
}

pub(crate) async fn upload_cross_signing(user: &User, body: Value) -> Answer {
    user.post("/keys/device_signing/upload", body).await
}
