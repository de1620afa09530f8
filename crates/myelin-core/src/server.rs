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

#[cfg(test)]
mod tests {
    use ruma::{server_name, user_id};

    use super::{BASE62, LETTERS};
    use crate::test_support::test_server;

    #[test]
    fn random_text_has_the_length_and_the_alphabet_asked_for() {
        let server = test_server(server_name!("example.org"));
        for n in [0, 1, 31, 32, 33, 500] {
            let letters = server.random_letters(n);
            assert_eq!(letters.len(), n);
            assert!(letters.bytes().all(|letter| LETTERS.contains(&letter)));
            let token = server.random_token(n);
            assert_eq!(token.len(), n);
            assert!(token.bytes().all(|letter| BASE62.contains(&letter)));
        }
        assert_ne!(server.random_token(20), server.random_token(20));
        assert_ne!(server.random::<16>(), server.random::<16>());
    }

    #[test]
    fn every_letter_is_drawn_about_equally_often() {
        let server = test_server(server_name!("example.org"));
        let text = server.random_token(62_000);
        for letter in BASE62 {
            let n = text.bytes().filter(|drawn| drawn == letter).count();
            assert!((700..1300).contains(&n), "{} {n}", char::from(*letter));
        }
    }

    #[test]
    fn local_users_are_those_of_the_whole_server_name() {
        let server = test_server(server_name!("example.org:8448"));
        assert!(server.is_local(user_id!("@a:example.org:8448")));
        assert!(!server.is_local(user_id!("@a:example.org")));
        assert_eq!(server.now_ms(), 1_700_000_000_000);
        assert!(!format!("{server:?}").contains("7, 7"));
    }
}
