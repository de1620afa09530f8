//! The key that this server signs events with: made or imported at first start, then a row of the
//! database.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use myelin_core::{
    environment::{Chance, Clock},
    signing_key::SigningKey,
};
use myelin_net::is_leaked;
use myelin_store::{
    Store, StoreError, WriteSet,
    signing_keys::{self, SigningKeyRow},
};

/// A key from a file.
#[derive(Clone)]
pub struct ImportedKey {
    pub(crate) version: String,
    pub(crate) seed: [u8; 32],
}

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file is not in Synapse's format.
    #[error("a signing key is a line `ed25519 VERSION SEED`, the seed 32 bytes in base64")]
    Format,
    /// The stored seed does not have 32 bytes.
    #[error("the stored signing key is damaged")]
    Damaged,
    /// It is the key that once stood in public, with which anybody can sign.
    #[error("the secret of this signing key is public: make another one")]
    Leaked,
    /// What is to be told of the keys cannot be signed.
    #[error("the keys cannot be signed: {0}")]
    Unsignable(String),
    /// The store failed.
    #[error("the signing key could not be read or stored")]
    Store(#[from] StoreError),
}

impl ImportedKey {
    /// Reads the first key of a file in Synapse's format.
    pub fn parse(text: &str) -> Result<Self, SigningKeyError> {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty());
        let mut words = line.unwrap_or_default().split_whitespace();
        let (Some("ed25519"), Some(version), Some(seed), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(SigningKeyError::Format);
        };
        let is_version = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        // The seed of the specification's own test vectors ends in bits that stand for nothing.
        let config = GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let seed = GeneralPurpose::new(&alphabet::STANDARD, config)
            .decode(seed)
            .ok()
            .and_then(|seed| seed.try_into().ok());
        match seed {
            Some(seed) if version.bytes().all(is_version) => Ok(Self {
                version: version.to_owned(),
                seed,
            }),
            _ => Err(SigningKeyError::Format),
        }
    }
}

/// The server's key. At first start, on however many nodes at once, exactly one is stored: the
/// imported one if there is one, else a new one. Later an import has no effect.
pub async fn find_or_make_signing_key(
    store: &Store,
    clock: &dyn Clock,
    chance: &dyn Chance,
    import: Option<ImportedKey>,
) -> Result<SigningKey, SigningKeyError> {
    let mut attempts = store.attempts();
    loop {
        if let Some(row) = signing_keys::find_newest(&mut store.read()).await? {
            let key = key_of(&row)?;
            if is_leaked(&key.public_key()) {
                return Err(SigningKeyError::Leaked);
            }
            return Ok(key);
        }
        let key = import.clone().unwrap_or_else(|| new_key(chance));
        let public = SigningKey::from_seed(&key.version, key.seed).public_key();
        if is_leaked(&public) {
            return Err(SigningKeyError::Leaked);
        }
        let mut writes = WriteSet::new();
        signing_keys::insert_first(
            &mut writes,
            &SigningKeyRow {
                key_version: key.version,
                seed: Bytes::copy_from_slice(&key.seed),
                created_ms: clock.now_ms().cast_signed(),
                expired_ms: None,
            },
        );
        // Read back in any case: what is stored counts, whoever stored it.
        attempts.commit(writes).await?;
    }
}

pub(crate) fn key_of(row: &SigningKeyRow) -> Result<SigningKey, SigningKeyError> {
    let seed = row.seed[..]
        .try_into()
        .map_err(|_| SigningKeyError::Damaged)?;
    Ok(SigningKey::from_seed(&row.key_version, seed))
}

pub(crate) fn new_key(chance: &dyn Chance) -> ImportedKey {
    let mut seed = [0; 32];
    chance.fill(&mut seed);
    let mut version = [0; 3];
    chance.fill(&mut version);
    let [a, b, c] = version;
    ImportedKey {
        version: format!("a_{a:02x}{b:02x}{c:02x}"),
        seed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its secret stood in an early version of Synapse.
    #[test]
    fn the_key_that_everybody_knows_is_recognised() {
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let public = GeneralPurpose::new(&alphabet::STANDARD, config)
            .decode("l/O9hxMVKB6Lg+3Hqf0FQQZhVESQcMzbPN1Cz2nM3og=")
            .unwrap();
        assert!(is_leaked(&public));
        assert!(!is_leaked(&[0; 32]));
    }

    #[test]
    fn synapse_s_format_is_read() {
        let seed = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for text in [
            format!("ed25519 a_bcde {seed}"),
            format!("\n ed25519  a_bcde {seed}=\n\ned25519 old {seed}\n"),
        ] {
            let key = ImportedKey::parse(&text).unwrap();
            assert_eq!((key.version.as_str(), key.seed), ("a_bcde", [0; 32]));
        }
    }

    #[test]
    fn other_files_are_refused() {
        let seed = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for text in [
            String::new(),
            "ed25519 a_bcde".to_owned(),
            "ed25519 a_bcde AAAA".to_owned(),
            "ed25519 a_bcde !".to_owned(),
            format!("rsa a_bcde {seed}"),
            format!("ed25519 a:b {seed}"),
            format!("ed25519 a_bcde {seed} more"),
        ] {
            assert!(ImportedKey::parse(&text).is_err(), "{text}");
        }
    }
}
