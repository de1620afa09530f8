//! Registration by who knows the shared secret: tools such as `register_new_matrix_user`.
//!
//! A nonce is signed, not stored, so that asking for one writes nothing; it becomes a row when it
//! is used, until it would have expired by itself.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use myelin_core::server::Server;
use myelin_store::{Read, StoreResult, WriteSet, used_nonces};
use sha1::Sha1;
use sha2::Sha256;

use crate::{AccountSettings, authenticate::hash_token};

/// How long a nonce may be used.
const NONCE_LIFETIME_MS: u64 = 60_000;
const NONCE_RANDOM_LENGTH: usize = 24;
/// Expired nonces deleted with each that is used.
const EXPIRED_PER_NONCE: i64 = 3;

/// What is signed with the shared secret.
#[derive(Clone)]
pub struct SignedRegistration {
    /// The nonce.
    pub nonce: String,
    /// The localpart.
    pub username: String,
    /// The password.
    pub password: String,
    /// Whether the account may use the admin API.
    pub admin: bool,
    /// A kind of user that some servers have; it is signed if it is given.
    pub user_type: Option<String>,
    /// HMAC-SHA1 in hexadecimal digits.
    pub mac: String,
}

/// Why a registration is not what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharedSecretError {
    /// The operator has set no shared secret.
    #[error("there is no shared secret")]
    Disabled,
    /// The nonce is not ours, or has expired.
    #[error("the nonce is unknown")]
    UnknownNonce,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    WrongSignature,
}

/// A nonce that somebody has signed.
#[derive(Clone, Debug)]
pub struct UsedNonce {
    hash: [u8; 32],
    expires_ms: u64,
}

/// A nonce to be signed.
pub fn make_nonce(
    server: &Server,
    settings: &AccountSettings,
) -> Result<String, SharedSecretError> {
    let secret = settings
        .shared_secret()
        .ok_or(SharedSecretError::Disabled)?;
    let expires_ms = server.now_ms().saturating_add(NONCE_LIFETIME_MS);
    let random = server.random_token(NONCE_RANDOM_LENGTH);
    let text = format!("{expires_ms}.{random}");
    let signature = hex(&nonce_mac(secret, &text).finalize().into_bytes());
    Ok(format!("{text}.{signature}"))
}

/// Looks at the signature. The nonce is used up by the registration.
pub fn verify(
    server: &Server,
    settings: &AccountSettings,
    signed: &SignedRegistration,
) -> Result<UsedNonce, SharedSecretError> {
    let secret = settings
        .shared_secret()
        .ok_or(SharedSecretError::Disabled)?;
    let nonce = verify_nonce(server, secret, &signed.nonce)?;
    let given = bytes(&signed.mac).ok_or(SharedSecretError::WrongSignature)?;
    // In constant time.
    registration_mac(secret, signed)
        .verify_slice(&given)
        .map_err(|_| SharedSecretError::WrongSignature)?;
    Ok(nonce)
}

impl UsedNonce {
    /// Uses it up in the set of the registration. False: it was used before.
    pub(crate) async fn redeem(
        &self,
        read: &mut Read,
        writes: &mut WriteSet,
        now_ms: u64,
    ) -> StoreResult<bool> {
        if used_nonces::exists(read, &self.hash).await? {
            return Ok(false);
        }
        used_nonces::insert(writes, &self.hash, self.expires_ms.cast_signed());
        let now_ms = now_ms.cast_signed();
        for hash in used_nonces::list_expired(read, now_ms, EXPIRED_PER_NONCE).await? {
            used_nonces::delete(writes, hash);
        }
        Ok(true)
    }
}

fn verify_nonce(
    server: &Server,
    secret: &str,
    nonce: &str,
) -> Result<UsedNonce, SharedSecretError> {
    let unknown = SharedSecretError::UnknownNonce;
    let (text, signature) = nonce.rsplit_once('.').ok_or(unknown)?;
    let signature = bytes(signature).ok_or(unknown)?;
    nonce_mac(secret, text)
        .verify_slice(&signature)
        .map_err(|_| unknown)?;
    let expires_ms = text.split_once('.').and_then(|(ms, _)| ms.parse().ok());
    let expires_ms: u64 = expires_ms.ok_or(unknown)?;
    if server.now_ms() >= expires_ms {
        return Err(unknown);
    }
    Ok(UsedNonce {
        hash: hash_token(nonce),
        expires_ms,
    })
}

fn registration_mac(secret: &str, signed: &SignedRegistration) -> Hmac<Sha1> {
    let admin = if signed.admin { "admin" } else { "notadmin" };
    let mut parts = vec![&*signed.nonce, &*signed.username, &*signed.password, admin];
    parts.extend(signed.user_type.as_deref());
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes any key");
    mac.update(parts.join("\0").as_bytes());
    mac
}

/// The prefix keeps it apart from what clients sign.
fn nonce_mac(secret: &str, text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes any key");
    mac.update(b"nonce\0");
    mac.update(text.as_bytes());
    mac
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| pair[0] * 16 + pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_read_as_they_were_written() {
        assert_eq!(bytes(&hex(b"\x00\x7f\xff")).unwrap(), b"\x00\x7f\xff");
        assert_eq!(bytes("aB").unwrap(), [0xab]);
        for odd in ["a", "zz", "é"] {
            assert_eq!(bytes(odd), None, "{odd}");
        }
    }
}
