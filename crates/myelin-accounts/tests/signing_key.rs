//! The signing key at first start and ever after.

#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use myelin_accounts::{ImportedKey, SigningKeyError, find_or_make_signing_key};
use myelin_core::environment::{Chance, Clock};
use myelin_store::{DatabaseUrl, Store, StoreOptions};
use tempfile::TempDir;

struct StoppedClock;

impl Clock for StoppedClock {
    fn now_ms(&self) -> u64 {
        1_767_225_600_000
    }
}

/// The same byte over and over.
struct Constant(u8);

impl Chance for Constant {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

async fn open(directory: &TempDir) -> Store {
    let url = DatabaseUrl::Sqlite(directory.path().join("myelin.db"));
    let options = StoreOptions::new(url, "example.org");
    Store::open(options).await.unwrap()
}

async fn key_id(
    store: &Store,
    chance: u8,
    import: Option<&str>,
) -> Result<String, SigningKeyError> {
    let import = import.map(ImportedKey::parse).transpose()?;
    let key = find_or_make_signing_key(store, &StoppedClock, &Constant(chance), import).await?;
    Ok(format!("{} {}", key.key_id(), key.public_key_base64()))
}

#[tokio::test]
async fn the_key_of_the_first_start_stays() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    let first = key_id(&store, 0xab, None).await.unwrap();
    assert!(first.starts_with("ed25519:a_ababab "), "{first}");
    assert_eq!(key_id(&store, 0xcd, None).await.unwrap(), first);
    store.close().await;
    drop(store);

    let store = open(&directory).await;
    let import = "ed25519 other AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(key_id(&store, 0xcd, Some(import)).await.unwrap(), first);
}

#[tokio::test]
async fn starts_at_once_agree_on_one_key() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    let (a, b, c) = tokio::join!(
        key_id(&store, 1, None),
        key_id(&store, 2, None),
        key_id(&store, 3, None)
    );
    let keys = [a.unwrap(), b.unwrap(), c.unwrap()];
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[tokio::test]
async fn a_key_is_imported_at_first_start() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    // The seed of the specification's test vectors (appendices, "Cryptographic Test Vectors").
    let import = "ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";
    let key = key_id(&store, 1, Some(import)).await.unwrap();
    assert_eq!(key, "ed25519:1 XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI");
}
