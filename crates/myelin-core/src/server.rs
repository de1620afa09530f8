//! Who this server is: its name and key, and the world handed in to it.

use std::sync::Arc;

use ruma::{OwnedServerName, UserId};

use crate::{
    environment::{Chance, Clock},
    signing_key::SigningKey,
};

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub struct Server {
    pub name: OwnedServerName,
    pub key: SigningKey,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
}

impl Server {
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.chance.fill(&mut bytes);
        bytes
    }

    /// `n` letters of A-Z and a-z, evenly distributed: 5.7 bits each.
    pub fn random_letters(&self, n: usize) -> String {
        self.random_of(LETTERS, n)
    }

    /// `n` characters of 0-9, A-Z and a-z, evenly distributed: 5.95 bits each.
    pub fn random_token(&self, n: usize) -> String {
        self.random_of(BASE62, n)
    }

    pub fn is_local(&self, user: &UserId) -> bool {
        user.server_name() == self.name
    }

    /// Six bits of each byte pick a character; values past the alphabet are drawn again, because a remainder
    /// would favour its beginning.
    fn random_of(&self, alphabet: &[u8], n: usize) -> String {
        let mut text = String::with_capacity(n);
        while text.len() < n {
            let bytes: [u8; 32] = self.random();
            let drawn = bytes
                .iter()
                .filter_map(|byte| alphabet.get(usize::from(byte & 0x3f)))
                .map(|letter| char::from(*letter));
            text.extend(drawn.take(n - text.len()));
        }
        text
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.name)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
