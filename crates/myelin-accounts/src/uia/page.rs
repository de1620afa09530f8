//! Stages done on a page of this server, for clients that do not know them.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#fallback)

use myelin_core::server::Server;
use myelin_store::{Store, StoreError, users};

use super::{Act, Proof, Stage, StageFailure, UiaError, session::Session};
use crate::AccountSettings;

/// What a page says about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What will be done.
    pub act: Act,
    /// For whom.
    pub user: Option<String>,
    /// Whether the stage is done already.
    pub is_done: bool,
}

/// Why there is no page, or why it must be filled in again.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// No such session, or no such stage in it.
    #[error("the session is unknown, or does not want this stage")]
    Unknown,
    /// What was filled in is not right.
    #[error("the stage was not done")]
    Failed(StageFailure),
    /// The store failed.
    #[error("the stage was not stored")]
    Store(#[from] StoreError),
}

/// What the page for a stage of a session says.
pub async fn find_page(
    server: &Server,
    store: &Store,
    session_id: &str,
    stage: Stage,
) -> Result<Page, PageError> {
    let session = open(server, store, session_id).await?;
    let is_done = session.progress().completed.contains(&stage);
    if !is_done && !session.is_next(stage) {
        return Err(PageError::Unknown);
    }
    let user = match session.row.user_number {
        Some(user) => users::find(&mut store.read(), user).await?,
        None => None,
    };
    Ok(Page {
        act: Act::from_name(&session.row.act).ok_or(PageError::Unknown)?,
        user: user.map(|user| user.user_id),
        is_done,
    })
}

/// Does a stage of a session. The client goes on with the session alone.
pub async fn complete_stage(
    server: &Server,
    store: &Store,
    settings: &AccountSettings,
    session_id: &str,
    proof: &Proof,
) -> Result<(), PageError> {
    let mut attempts = store.attempts();
    loop {
        let mut session = open(server, store, session_id).await?;
        let failure = session.advance(server, store, settings, Some(proof)).await;
        match failure.map_err(page_error)? {
            Some(StageFailure::NotOnOffer) => return Err(PageError::Unknown),
            Some(failure) => return Err(PageError::Failed(failure)),
            None => {}
        }
        let stored = session.store(server, store, &mut attempts).await;
        if stored.map_err(page_error)? {
            return Ok(());
        }
    }
}

async fn open(server: &Server, store: &Store, session_id: &str) -> Result<Session, PageError> {
    let found = Session::find(server, store, session_id).await;
    found.map_err(page_error)?.ok_or(PageError::Unknown)
}

fn page_error(error: UiaError) -> PageError {
    match error {
        UiaError::Store(error) => PageError::Store(error),
        UiaError::Incomplete(..)
        | UiaError::RequestChanged
        | UiaError::UnknownAddress
        | UiaError::NothingToProve => PageError::Unknown,
    }
}
