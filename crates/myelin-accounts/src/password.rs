//! Password hashes: argon2id, a few at a time.

use std::{sync::Arc, thread::available_parallelism};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use myelin_core::server::Server;
use myelin_store::users::User;
use tokio::sync::Semaphore;

/// Hashing takes time in proportion to the length.
pub(crate) const PASSWORD_MAX: usize = 1024;

/// How much work a password hash is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PasswordCost {
    /// What OWASP recommends: 19 MiB, two passes.
    #[default]
    Default,
    /// As little as possible, for tests.
    Low,
}

/// Hashes passwords off the async threads, as many at once as there are processors: more would
/// only use more memory.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    cost: PasswordCost,
    permits: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new(cost: PasswordCost) -> Self {
        let threads = available_parallelism().map_or(2, usize::from);
        Self {
            cost,
            permits: Arc::new(Semaphore::new(threads)),
        }
    }

    /// The PHC string of a new password.
    pub(crate) async fn hash(&self, password: &str, salt: [u8; 16]) -> String {
        let password = password.to_owned();
        let cost = self.cost;
        self.run(move || hash(cost, &password, salt)).await
    }

    /// Whether `password` is the one that `phc` was made of.
    pub(crate) async fn verify(&self, password: &str, phc: &str) -> bool {
        let (password, phc) = (password.to_owned(), phc.to_owned());
        self.run(move || verify(&password, &phc)).await
    }

    /// Whether `password` opens the account.
    pub(crate) async fn is_right(
        &self,
        server: &Server,
        account: Option<&User>,
        password: &str,
    ) -> bool {
        if password.len() > PASSWORD_MAX {
            return false;
        }
        let hash = account.and_then(|account| account.password_hash.as_deref());
        if let Some(hash) = hash {
            return self.verify(password, hash).await;
        }
        // As much work as for a real account, so that time does not tell who exists.
        self.hash(password, server.random()).await;
        false
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        // The cheap hash is done in place, so that a simulation stays on its one thread.
        if self.cost == PasswordCost::Low {
            return work();
        }
        let permit = self.permits.clone().acquire_owned().await;
        let _permit = permit.expect("nobody closes the semaphore");
        tokio::task::spawn_blocking(work)
            .await
            .expect("hashing does not panic, and the runtime outlives its requests")
    }
}

fn hash(cost: PasswordCost, password: &str, salt: [u8; 16]) -> String {
    let params = match cost {
        PasswordCost::Default => Params::new(19 * 1024, 2, 1, None),
        PasswordCost::Low => Params::new(8, 1, 1, None),
    };
    let params = params.expect("these parameters are within argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.as_bytes(), &salt)
        .expect("a password of bounded length and 16 bytes of salt are within argon2's limits")
        .to_string()
}

/// The parameters are those of the stored hash, so that a changed cost locks nobody out. A hash
/// that cannot be read matches nothing.
fn verify(password: &str, phc: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let phc = hash(PasswordCost::Low, "ilovebananas", [7; 16]);
        assert!(phc.starts_with("$argon2id$v=19$"), "{phc}");
        assert!(verify("ilovebananas", &phc));
        assert!(!verify("ilovebanana", &phc));
        assert!(!verify("", &phc));
        assert!(!verify("ilovebananas", "not a hash"));
        assert_ne!(phc, hash(PasswordCost::Low, "ilovebananas", [8; 16]));
    }

    #[tokio::test]
    async fn the_default_cost_runs_off_the_async_threads() {
        let passwords = Passwords::new(PasswordCost::Default);
        let phc = passwords.hash("ilovebananas", [7; 16]).await;
        assert!(phc.contains("m=19456,t=2,p=1"), "{phc}");
        assert!(passwords.verify("ilovebananas", &phc).await);
    }
}
