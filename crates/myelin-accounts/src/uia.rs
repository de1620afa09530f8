//! User-Interactive Authentication: what must be proved before something is done.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api)
//!
//! A session begins with the first answer and is a row of the database, so that any node continues
//! it. What it approves is one act, whose set of writes ends it. Start reading at [`approve`].

mod approval;
mod page;
mod session;
mod stage;
mod verify;

use myelin_core::server::Server;
use myelin_store::{Store, StoreError, StoreResult, WriteSet, uia_sessions, users};
use sha2::{Digest, Sha256};

use crate::AccountSettings;
use session::Session;

pub use approval::{Approval, ApprovalError};
pub use page::{Page, PageError, complete_stage, find_page};
pub use stage::{Act, Flow, Proof, Stage};

/// A request that must be approved.
#[derive(Clone, Debug)]
pub struct Wish {
    act: Act,
    request: [u8; 32],
    user: Option<i64>,
    flows: Vec<Flow>,
}

/// What came with the request to get it approved.
#[derive(Clone, Default)]
pub struct Attempt {
    /// The session that it continues.
    pub session: Option<String>,
    /// What it proves.
    pub proof: Option<Proof>,
}

/// Where a session stands.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Its id, which the client hands back.
    pub session: String,
    /// The flows on offer.
    pub flows: Vec<Flow>,
    /// The stages done.
    pub completed: Vec<Stage>,
}

/// Why a stage was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageFailure {
    /// Another user's name, or not the password.
    WrongPassword,
    /// No such token, or it is used up.
    InvalidRegistrationToken,
    /// No flow has this stage, or not at this point.
    NotOnOffer,
    /// The session is unknown or has expired; another one has begun.
    UnknownSession,
}

/// Why a request is not approved.
#[derive(Debug, thiserror::Error)]
pub enum UiaError {
    /// There is something left to prove.
    #[error("the authentication is not complete")]
    Incomplete(Progress, Option<StageFailure>),
    /// The session is for another request.
    #[error("the request was changed on the way")]
    RequestChanged,
    /// A user is named by an address, and nobody has one.
    #[error("nobody has this address")]
    UnknownAddress,
    /// The account has no password, so nothing can be proved.
    #[error("the account has no password")]
    NothingToProve,
    /// The store failed.
    #[error("the authentication was not stored")]
    Store(#[from] StoreError),
}

impl Wish {
    /// Wants an account, by these flows. What is asked for may change on the way, names for
    /// instance: the specification's errors after authentication would make no sense otherwise.
    pub fn register(flows: Vec<Flow>) -> Self {
        Self {
            act: Act::Register,
            request: digest(Act::Register, b""),
            user: None,
            flows,
        }
    }

    /// A user wants something done that needs their password. `request` is all that may not change
    /// on the way.
    pub async fn of_user(
        store: &Store,
        user: i64,
        act: Act,
        request: &[u8],
    ) -> Result<Self, UiaError> {
        let account = users::find(&mut store.read(), user).await?;
        if account.is_none_or(|account| account.password_hash.is_none()) {
            return Err(UiaError::NothingToProve);
        }
        Ok(Self {
            act,
            request: digest(act, request),
            user: Some(user),
            flows: vec![vec![Stage::Password]],
        })
    }
}

/// Takes one step towards the approval of a request.
pub async fn approve(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    wish: &Wish,
    attempt: &Attempt,
) -> Result<Approval, UiaError> {
    let mut attempts = store.attempts();
    loop {
        let mut session = Session::open(server, store, settings, wish, attempt).await?;
        let failure = if session.is_of_unknown_id() {
            Some(StageFailure::UnknownSession)
        } else {
            session
                .advance(server, store, settings, attempt.proof.as_ref())
                .await?
        };
        if failure.is_none() && session.is_complete() {
            return session.approval(store, settings).await;
        }
        // Where nothing was proved there is no one to write for, but the session must be there when
        // its id comes back.
        if session.store(server, store, &mut attempts).await? {
            return Err(UiaError::Incomplete(session.progress(), failure));
        }
    }
}

/// Whether somebody could register with this token.
pub(crate) async fn is_usable_registration_token(
    server: &Server,
    store: &Store,
    token: &str,
) -> StoreResult<bool> {
    let mut read = store.read();
    let found = approval::usable_token(&mut read, token, None, server.now_ms()).await?;
    Ok(found.is_some())
}

/// Ends all sessions of a user: what was proved by an old password does not hold any more.
pub(crate) async fn end_all(
    store: &Store,
    writes: &mut WriteSet,
    user: i64,
    except: Option<&Approval>,
) -> StoreResult<()> {
    let own = except.and_then(|approval| approval.session.as_ref());
    for session in uia_sessions::list_of_user(&mut store.read(), user).await? {
        if own.is_none_or(|own| own.id_hash != session.id_hash) {
            uia_sessions::delete(writes, &session);
        }
    }
    Ok(())
}

fn digest(act: Act, request: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(act.name());
    hasher.update([0]);
    hasher.update(request);
    hasher.finalize().into()
}
