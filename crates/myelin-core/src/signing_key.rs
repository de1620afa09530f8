//! The server's Ed25519 key.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use ed25519_dalek::Signer;
use ruma::{
    CanonicalJsonObject, ServerName, SigningKeyAlgorithm, SigningKeyId,
    signatures::{JsonError, KeyPair, Signature, sign_json},
};

pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    version: String,
    key_id: String,
}

impl SigningKey {
    /// The same seed always gives the same key. `version` is the part of the key id after `ed25519:`.
    pub fn from_seed(version: &str, seed: [u8; 32]) -> SigningKey {
        SigningKey {
            key: ed25519_dalek::SigningKey::from_bytes(&seed),
            version: version.to_owned(),
            key_id: format!("ed25519:{version}"),
        }
    }

    /// `ed25519:` and the version.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Unpadded, as key answers carry it.
    pub fn public_key_base64(&self) -> String {
        STANDARD_NO_PAD.encode(self.public_key())
    }

    /// The signature of exactly these bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// As [`SigningKey::sign`], in unpadded base64.
    pub fn sign_base64(&self, message: &[u8]) -> String {
        STANDARD_NO_PAD.encode(self.sign(message))
    }

    /// Adds this key's signature under `signatures`, leaving `unsigned` out of what is signed.
    pub fn sign_object(
        &self,
        server: &ServerName,
        object: &mut CanonicalJsonObject,
    ) -> Result<(), JsonError> {
        sign_json(server.as_str(), self, object)
    }
}

impl KeyPair for SigningKey {
    fn sign(&self, message: &[u8]) -> Signature {
        let key_id =
            SigningKeyId::from_parts(SigningKeyAlgorithm::Ed25519, self.version.as_str().into());
        Signature::new(key_id, SigningKey::sign(self, message).to_vec())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret must not reach a log.
        f.debug_struct("SigningKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
